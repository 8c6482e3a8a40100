//! Delegation certificates in a walk through the audit log: how each came, and whether it was used, drains or is over. The acts of a signer
//! are judged by it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dc_core::MAX_VALIDITY;
use pki_types::UnixTime;

use super::actor_kind::ActorKind;
use super::{Action, Entry, Record, Sha256};

/// The delegation certificates that a walk has come by.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// By certificate, true if somebody imported it by hand.
    imported: BTreeMap<Sha256, bool>,
    /// The slots under which something may have been issued, by zone and certificate: since when each drains, if it does and another
    /// certificate took over from it.
    used: BTreeMap<(String, Sha256), Option<UnixTime>>,
    /// Zones that have had a certificate to issue from.
    begun: BTreeSet<String>,
    /// The record before, if it says that a certificate drains: the next one says which took over from it.
    drained: Option<Record>,
}

impl Certificates {
    /// True if something may have been issued under a certificate, in any zone.
    pub(super) fn is_used(&self, certificate: &Sha256) -> bool {
        self.used.keys().any(|(_, used)| used == certificate)
    }

    /// True if the signer would move a zone on to a certificate that somebody has imported by hand, and it is not the zone's first.
    pub(super) fn moves_on_by_hand(&self, entry: &Entry) -> bool {
        let has_begun = |zone: &String| self.begun.contains(zone);
        let is_by_hand = |one: &Sha256| self.imported.get(one).copied().unwrap_or(true);
        entry.action == Action::ActivateDelegation
            && entry.zone.as_ref().is_some_and(has_begun)
            && entry.credential_sha256.as_ref().is_some_and(is_by_hand)
    }

    /// True if credentials may live under a certificate that is ended, or it is the one that its zone is issued from.
    pub(super) fn ends_early(&self, entry: &Entry) -> bool {
        let Some(certificate) = entry.credential_sha256 else {
            return false;
        };
        let is_over = |left: Duration| {
            let end = entry.time.as_secs().saturating_add(left.as_secs());
            entry
                .expires
                .is_some_and(|expires| expires.as_secs() <= end)
        };
        let drained = |since: UnixTime| {
            entry.time.as_secs().saturating_sub(since.as_secs()) >= MAX_VALIDITY.as_secs()
        };
        let may_end = match self.used.get(&place(entry, certificate)) {
            // One that was never used ends by itself when nothing may be issued under it any more.
            None => is_over(LAST_DAYS),
            Some(draining) => {
                draining.is_some_and(|since| is_over(Duration::ZERO) || drained(since))
            }
        };
        entry.action == Action::EndDelegation && !may_end
    }

    /// Remembers a record, whose actor could do that or not. Says which one before it says that a certificate drains, if none took over
    /// from it: all signers write these two together.
    pub(super) fn note(&mut self, record: &Record, could: bool) -> Option<Record> {
        let before = self.drained.take();
        let left = match before {
            Some(drained) if took_over(&drained, record) => {
                if could {
                    self.drains(&drained.entry);
                }
                None
            }
            before => before,
        };
        self.note_entry(&record.entry);
        if record.entry.action == Action::DrainDelegation {
            self.drained = Some(record.clone());
        }
        left
    }

    /// The record that a walk has ended with, if it says that a certificate drains.
    pub(super) fn end(&mut self) -> Option<Record> {
        self.drained.take()
    }

    fn drains(&mut self, entry: &Entry) {
        if let Some(certificate) = entry.credential_sha256 {
            let draining = self.used.entry(place(entry, certificate)).or_default();
            // Nothing drains twice: an earlier time makes it end no earlier.
            *draining = (*draining).max(Some(entry.time));
        }
    }

    fn note_entry(&mut self, entry: &Entry) {
        if let (Action::RemoveZone, Some(zone)) = (entry.action, &entry.zone) {
            self.begun.remove(zone);
        }
        let Some(certificate) = entry.credential_sha256 else {
            return;
        };
        match entry.action {
            Action::ImportDelegation => {
                let kind = ActorKind::of(&entry.actor);
                let is_by_hand = kind.is_none_or(ActorKind::is_somebodys);
                // Once by hand is always: no signer imports what is there.
                *self.imported.entry(certificate).or_default() |= is_by_hand;
            }
            Action::ActivateDelegation => {
                self.used.insert(place(entry, certificate), None);
                self.begun.extend(entry.zone.clone());
            }
            _ => {}
        }
    }
}

/// True if a record, directly behind one that says that a certificate drains, says that another one of the zone is used from then on.
fn took_over(drained: &Record, next: &Record) -> bool {
    let (before, after) = (&drained.entry, &next.entry);
    after.action == Action::ActivateDelegation
        && drained.seq.checked_add(1) == Some(next.seq)
        && (&before.zone, &before.actor, before.time) == (&after.zone, &after.actor, after.time)
        && before.credential_sha256 != after.credential_sha256
}

fn place(entry: &Entry, certificate: Sha256) -> (String, Sha256) {
    (entry.zone.clone().unwrap_or_default(), certificate)
}

/// So long before its end nothing is issued under a certificate, and an hour.
const LAST_DAYS: Duration = Duration::from_secs(8 * 86_400 + 3600);
