//! Signing processes, told that nothing is to be signed under a certificate any more: so that nothing is either if this signer is
//! taken over later.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pki_types::UnixTime;

use super::ends::{self, EndedByNobody};
use super::folders::delegation_folder;
use super::places::{PLACE, places};
use super::view::View;
use super::{Authority, Error};
use dc_pki::delegation::{KEY_FILES, KEY_KEYD};
use dc_pki::files;
use dc_pki::keys::{ProcessFault, Refusal, Unlock};
use dc_pki::names::ZoneName;
use dc_store::Store;
use dc_store::registry::{DelegationState, Sha256, ZoneDelegation};

/// A signing process that does not know, as far as anybody here does, that a slot has ended, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Untold {
    zone: ZoneName,
    slot: u32,
    certificate: Sha256,
    place: PathBuf,
    /// None if it was asked, and still holds the certificate.
    fault: Option<ProcessFault>,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            zone,
            slot,
            certificate,
            place,
            fault,
        } = self;
        let place = place.display();
        write!(f, "the signing process at {place} ")?;
        match fault {
            Some(fault) => write!(
                f,
                "may not know that slot {slot} of zone {zone} has ended, and sign under it: {fault}"
            )?,
            None => write!(
                f,
                "does not know that slot {slot} of zone {zone} has ended, and signs under it"
            )?,
        }
        write!(
            f,
            "; the service tells it within a minute or two when it answers, and 'dc-signer keyd end {certificate} --reason WHY --socket {place}' on its machine at once"
        )
    }
}

/// The ends of slots that this process has told, and those that it could not tell yet.
#[derive(Debug, Default)]
pub(super) struct Untolds(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    done: BTreeSet<Sha256>,
    left: Vec<Untold>,
}

impl Untolds {
    /// Tells the process at a place that a slot has ended; says whether it knows.
    async fn tell(
        &self,
        unlock: &Unlock,
        place: &Path,
        zone: &ZoneName,
        slot: &ZoneDelegation,
    ) -> bool {
        let (keyd, certificate) = (unlock.process(place), slot.certificate_sha256);
        let telling = tokio::task::spawn_blocking(move || keyd.end(certificate)).await;
        // Nobody has to be told whose process is ending.
        let fault = telling
            .unwrap_or(Ok(()))
            .err()
            .filter(|fault| !is_unknown(fault));
        let untold = fault.map(|fault| Untold {
            zone: zone.clone(),
            slot: slot.number,
            certificate,
            place: place.into(),
            fault: Some(fault),
        });
        let mut told = self.told();
        let is_of_it = |one: &Untold| one.certificate == certificate && one.place == place;
        let before = told.left.iter().position(is_of_it);
        let before = before.map(|at| told.left.remove(at));
        // Once, as long as it is the same.
        if let Some(untold) = untold.as_ref().filter(|now| before.as_ref() != Some(now)) {
            tracing::warn!("{untold}");
        }
        let knows = untold.is_none();
        told.left.extend(untold);
        knows
    }

    fn is_done(&self, certificate: &Sha256) -> bool {
        self.told().done.contains(certificate)
    }

    /// Nobody is left to be told of a certificate.
    fn done(&self, certificate: Sha256) {
        let mut told = self.told();
        told.left.retain(|one| one.certificate != certificate);
        told.done.insert(certificate);
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// The signing processes that this process could not tell yet that a slot has ended.
    #[must_use]
    pub fn untold(&self) -> Vec<Untold> {
        self.delegations.untold.told().left.clone()
    }

    /// Removes the keys of slots that have ended, and did so by the audit log too, here and from the database: what is not there cannot be
    /// stolen. A signing process is told that it is to sign nothing any more; if it does not answer, it is told the next time, by
    /// whichever process of this signer comes next.
    pub(super) async fn forget_ended(&self, view: &View, now: UnixTime) -> Result<(), Error> {
        let (ends, gone) = (&self.delegations.ends, gone(view));
        ends.keep(&gone);
        for (zone, slot) in gone {
            let folder = self.delegations.folder(&slot.certificate_sha256);
            let is_final = ends.is_final(&self.store, &folder, (zone, slot), now);
            if !is_final.await? {
                continue;
            }
            let is_told = self.tell_of_end(zone, slot, now).await?;
            // The place of a process that was told stays until the certificate is over: a state of the process's that is put back
            // from before signs under it again, and 'check' asks it.
            let is_over = is_told && now >= slot.not_after;
            for file in KEY_FILES.into_iter().chain([PLACE]) {
                if is_over || file != KEY_KEYD && file != PLACE {
                    files::remove(&folder.join(file))?;
                }
            }
            ends.forget_shared(&self.store, slot, now).await?;
        }
        Ok(())
    }

    /// Tells whoever has a slot's key that it has ended; says whether nobody is left to be told.
    async fn tell_of_end(
        &self,
        zone: &ZoneName,
        slot: &ZoneDelegation,
        now: UnixTime,
    ) -> Result<bool, Error> {
        let (untold, certificate) = (&self.delegations.untold, slot.certificate_sha256);
        let folder = self.delegations.folder(&certificate);
        if untold.is_done(&certificate) {
            return Ok(true);
        }
        let mut all_know = true;
        for place in places(&self.store, &folder, slot, now).await? {
            all_know &= untold.tell(self.unlock(), &place, zone, slot).await;
        }
        if all_know {
            untold.done(certificate);
        }
        Ok(all_know)
    }
}

/// The signing processes that still hold a certificate whose slot has ended, or do not say; `data` is this signer's folder.
///
/// Fails as the store does.
pub(super) async fn not_told(
    store: &Store,
    view: &View,
    (data, unlock): (&Path, &Unlock),
    now: UnixTime,
) -> Result<Vec<Untold>, dc_store::Error> {
    let mut found = Vec::new();
    for (zone, slot) in gone(view) {
        let certificate = slot.certificate_sha256;
        let folder = delegation_folder(data, &certificate);
        if !ends::was_final(store, &folder, slot, now).await? {
            continue;
        }
        for place in places(store, &folder, slot, now).await? {
            let keyd = unlock.process(&place);
            let asking = tokio::task::spawn_blocking(move || keyd.status()).await;
            let fault = match asking {
                Ok(Ok(status)) if !status.contains(&certificate.to_string()) => continue,
                Ok(said) => said.err(),
                Err(_) => continue,
            };
            found.push(Untold {
                zone: zone.clone(),
                slot: slot.number,
                certificate,
                place,
                fault,
            });
        }
    }
    Ok(found)
}

/// The slots that have ended by their rows alone.
///
/// Fails as the store does.
pub(super) async fn by_nobody(
    store: &Store,
    view: &View,
) -> Result<Vec<EndedByNobody>, dc_store::Error> {
    ends::by_nobody(store, gone(view)).await
}

/// The slots that have ended, but those whose certificate another zone has and uses.
fn gone(view: &View) -> Vec<(&ZoneName, &ZoneDelegation)> {
    let zones = view.zones().iter().map(|zone| &zone.managed);
    let slots = zones.flat_map(|zone| zone.delegations.iter().map(|slot| (&zone.zone, slot)));
    let (gone, used): (Vec<_>, Vec<_>) =
        slots.partition(|(_, slot)| slot.state == DelegationState::Gone);
    let is_used = |ended: &ZoneDelegation| {
        let mut used = used.iter();
        used.any(|(_, slot)| slot.certificate_sha256 == ended.certificate_sha256)
    };
    let ended = gone.into_iter().filter(|(_, slot)| !is_used(slot));
    ended.collect()
}

/// It holds no such certificate: whoever runs it has taken it away.
fn is_unknown(fault: &ProcessFault) -> bool {
    let unknown = Refusal::Certificate;
    matches!(fault, ProcessFault::Refused { reason, .. } if *reason == unknown)
}
