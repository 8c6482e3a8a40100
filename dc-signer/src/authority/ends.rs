//! Ends of slots by the audit log. What is done because of one cannot be taken back: keys are removed, and signing processes sign
//! nothing under the certificate ever again. So a row of the database is not enough for it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pki_types::UnixTime;

use super::folders::{delegation_folder, keep_line, kept_line};
use super::rollover::DRAIN;
use super::view::View;
use dc_pki::files;
use dc_pki::names::ZoneName;
use dc_pki::time::from_seconds;
use dc_store::registry::{DelegationState, Sha256, ZoneDelegation};
use dc_store::{EndedBy, Store};

/// A slot that has ended by its row, and by no record of the audit log that counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndedByNobody {
    zone: ZoneName,
    slot: u32,
}

impl fmt::Display for EndedByNobody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { zone, slot } = self;
        write!(
            f,
            "slot {slot} of zone {zone} has ended by its row in the database, and no record of the audit log ends it that could be written: its key is kept here, and its signing process told nothing; see 'Audit mismatch' in docs/runbook.md"
        )
    }
}

/// The ends that this process knows of.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By certificate: who has ended it, and when that was first noticed here.
    ended: HashMap<Sha256, (EndedBy, UnixTime)>,
    /// The certificates that the database was told to forget, and whether they were over then: what has their place stays until that.
    forgotten: HashSet<(Sha256, bool)>,
    by_nobody: Vec<EndedByNobody>,
}

impl Ends {
    /// True if what cannot be taken back may be done: at once if people have ended a slot. If a signer says that it is over, a day
    /// later, so that there is time to notice that no signer did, and when this machine has seen it drain for as long as anything under
    /// it may live: the times of records are whoever's wrote them. `folder` is the certificate's.
    ///
    /// Fails as the store does.
    pub(super) async fn is_final(
        &self,
        store: &Store,
        folder: &Path,
        (zone, slot): (&ZoneName, &ZoneDelegation),
        now: UnixTime,
    ) -> Result<bool, dc_store::Error> {
        let certificate = slot.certificate_sha256;
        let known = self.known().ended.get(&certificate).copied();
        let (by, since) = match known {
            Some(known) => known,
            None => {
                let by = store.delegation_ended_by(&certificate).await?;
                self.note(EndedByNobody::new(zone, slot), by.is_none());
                let Some(by) = by else { return Ok(false) };
                let since = match by {
                    EndedBy::People => now,
                    EndedBy::Signer { record, .. } => first_noticed(folder, NOTICED, record, now),
                };
                self.known().ended.insert(certificate, (by, since));
                (by, since)
            }
        };
        Ok(match by {
            EndedBy::People => true,
            EndedBy::Signer { at, .. } => {
                is_old_enough(at, since.as_secs(), now) && has_drained(folder, slot, since, now)
            }
        })
    }

    /// Has the database forget what it shares of a slot whose end is final: once, and again when its certificate is over.
    ///
    /// Fails as the store does.
    pub(super) async fn forget_shared(
        &self,
        store: &Store,
        slot: &ZoneDelegation,
        now: UnixTime,
    ) -> Result<(), dc_store::Error> {
        let certificate = slot.certificate_sha256;
        let step = (certificate, now >= slot.not_after);
        if self.known().forgotten.contains(&step) {
            return Ok(());
        }
        store.forget_shared_delegation(&certificate, now).await?;
        self.known().forgotten.insert(step);
        Ok(())
    }

    /// The slots that have ended by their rows alone.
    pub(super) fn by_nobody(&self) -> Vec<EndedByNobody> {
        self.known().by_nobody.clone()
    }

    /// Forgets those that are not there any more.
    pub(super) fn keep(&self, gone: &[(&ZoneName, &ZoneDelegation)]) {
        let is_there = |one: &EndedByNobody| {
            let mut gone = gone.iter();
            gone.any(|(zone, slot)| **zone == one.zone && slot.number == one.slot)
        };
        self.known().by_nobody.retain(is_there);
    }

    /// Says it once, as long as it is so.
    fn note(&self, one: EndedByNobody, is_by_nobody: bool) {
        let mut known = self.known();
        let before = known.by_nobody.iter().position(|other| *other == one);
        match (before, is_by_nobody) {
            (None, true) => {
                tracing::error!("{one}");
                known.by_nobody.push(one);
            }
            (Some(at), false) => {
                known.by_nobody.remove(at);
            }
            _ => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EndedByNobody {
    fn new(zone: &ZoneName, slot: &ZoneDelegation) -> Self {
        Self {
            zone: zone.clone(),
            slot: slot.number,
        }
    }
}

/// The slots that have ended by their rows alone, of those that are gone.
///
/// Fails as the store does.
pub(super) async fn by_nobody(
    store: &Store,
    gone: Vec<(&ZoneName, &ZoneDelegation)>,
) -> Result<Vec<EndedByNobody>, dc_store::Error> {
    let mut found = Vec::new();
    for (zone, slot) in gone {
        let by = store.delegation_ended_by(&slot.certificate_sha256).await?;
        if by.is_none() {
            found.push(EndedByNobody::new(zone, slot));
        }
    }
    Ok(found)
}

/// True if a service here has done what cannot be taken back, or tries to; looks, and keeps nothing.
///
/// Fails as the store does.
pub(super) async fn was_final(
    store: &Store,
    folder: &Path,
    slot: &ZoneDelegation,
    now: UnixTime,
) -> Result<bool, dc_store::Error> {
    let by = store.delegation_ended_by(&slot.certificate_sha256).await?;
    Ok(match by {
        None => false,
        Some(EndedBy::People) => true,
        Some(EndedBy::Signer { record, at }) => {
            noticed(folder, NOTICED, record).is_some_and(|since| {
                is_old_enough(at, since, now) && has_drained(folder, slot, from_seconds(since), now)
            })
        }
    })
}

/// A day since it was noticed, and no earlier than its record says, which may be of the future.
fn is_old_enough(at: UnixTime, since: u64, now: UnixTime) -> bool {
    now >= at && now.as_secs().saturating_sub(since) >= A_DAY.as_secs()
}

/// True if this machine has seen a slot drain, or ended, for as long as anything that was issued under it may live.
fn has_drained(folder: &Path, slot: &ZoneDelegation, ended: UnixTime, now: UnixTime) -> bool {
    let drains = read(folder, DRAINING).map_or(ended.as_secs(), |(_, seconds)| seconds);
    let drained = now.as_secs().saturating_sub(drains.min(ended.as_secs()));
    now > slot.not_after || drained >= DRAIN.as_secs()
}

/// Keeps in the folders of certificates since when this machine sees them drain.
pub(super) fn note_draining(view: &View, data: &Path, now: UnixTime) {
    let zones = view.zones().iter().map(|zone| &zone.managed);
    for slot in zones.flat_map(|zone| &zone.delegations) {
        let folder = delegation_folder(data, &slot.certificate_sha256);
        match slot.state {
            DelegationState::Draining => {
                first_noticed(&folder, DRAINING, slot.since.as_secs(), now);
            }
            DelegationState::Active | DelegationState::Next => {
                if let Err(error) = files::remove(&folder.join(DRAINING)) {
                    tracing::debug!(%error, "it is not forgotten that a slot was draining");
                }
            }
            DelegationState::Gone => {}
        }
    }
}

/// When the end of a certificate, or that it drains, was first noticed on this machine. It is in the certificate's folder, so that a
/// service that is restarted each night forgets keys too.
fn first_noticed(folder: &Path, name: &'static str, mark: u64, now: UnixTime) -> UnixTime {
    // A clock that was put back must not keep a key for ever.
    let known = noticed(folder, name, mark).filter(|seconds| *seconds <= now.as_secs());
    if let Some(seconds) = known {
        return from_seconds(seconds);
    }
    keep_line(folder, name, &format!("{mark} {}", now.as_secs()));
    now
}

/// The time that is in a certificate's folder for this mark.
fn noticed(folder: &Path, name: &str, mark: u64) -> Option<u64> {
    let (of, seconds) = read(folder, name)?;
    (of == mark).then_some(seconds)
}

fn read(folder: &Path, name: &str) -> Option<(u64, u64)> {
    let line = kept_line(folder, name)?;
    let (of, seconds) = line.split_once(' ')?;
    Some((of.parse().ok()?, seconds.parse().ok()?))
}

/// The record that ended the slot, and since when this machine knows it, in seconds since 1970.
const NOTICED: &str = "ended";
/// Since when the slot drains by the database, and since when this machine knows it, in seconds since 1970.
const DRAINING: &str = "draining";
const A_DAY: Duration = Duration::from_secs(86_400);
