//! Comparing delegation certificates of zones with the audit log.

use std::collections::{BTreeMap, BTreeSet};

use pki_types::UnixTime;

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, DelegationState, Mismatch, Record, Sha256, ZoneDelegation};
use dc_pki::names::ZoneName;

use super::findings::Found;
use super::replays::Replays;
use super::withdrawn::LONGEST;
use super::zones;

/// The delegation certificates as the log tells them; as large as there are.
#[derive(Default)]
pub(super) struct Slots {
    /// By zone and certificate.
    slots: BTreeMap<(String, Sha256), Slot>,
    /// Those of all zones, and those that were shared without being a zone's.
    certificates: BTreeSet<Sha256>,
    /// By zone, when the last of its certificates ends.
    ends: BTreeMap<String, UnixTime>,
}

struct Slot {
    seq: u64,
    /// The last record about it that was done here.
    here: u64,
    number: u32,
    state: DelegationState,
    /// Set if people have ended it.
    by_hand: bool,
    since: UnixTime,
    not_after: Option<UnixTime>,
    /// None in older records.
    detail: Option<Sha256>,
}

impl Slots {
    pub(super) fn follow(&mut self, record: &Record, replays: &Replays, found: &mut Found) {
        let entry = &record.entry;
        let state = match entry.action {
            Action::ImportDelegation => DelegationState::Next,
            Action::ActivateDelegation => DelegationState::Active,
            Action::DrainDelegation => DelegationState::Draining,
            Action::EndDelegation => DelegationState::Gone,
            Action::ShareDelegation => {
                self.certificates.extend(entry.credential_sha256);
                return;
            }
            _ => return,
        };
        let (Some(zone), Some(certificate)) = (&entry.zone, entry.credential_sha256) else {
            return;
        };
        self.certificates.insert(certificate);
        if let Some(not_after) = entry.expires {
            let end = self.ends.entry(zone.clone()).or_insert(not_after);
            *end = not_after.max(*end);
        }
        // What it says of itself is so, wherever that was.
        if replays.is_elsewhere(record.seq) {
            let slot = self.slots.get_mut(&(zone.clone(), certificate));
            if let Some(slot) = slot.filter(|_| entry.ends_by_hand()) {
                (slot.seq, slot.state, slot.since) = (record.seq, state, entry.time);
                slot.by_hand = true;
            }
            return;
        }
        let of_zone = self.slots.keys().filter(|(other, _)| other == zone).count();
        let number = u32::try_from(of_zone).unwrap_or(u32::MAX).saturating_add(1);
        let key = (zone.clone(), certificate);
        if let Some(before) = self.slots.get(&key)
            && replays.is_here(before.here)
            && replays.is_here(record.seq)
        {
            before.check_step(record, zone, state, found);
        }
        let slot = self.slots.entry(key).or_insert(Slot {
            seq: record.seq,
            here: record.seq,
            number,
            state,
            by_hand: false,
            since: entry.time,
            not_after: None,
            detail: None,
        });
        (slot.seq, slot.state, slot.since) = (record.seq, state, entry.time);
        slot.here = record.seq;
        slot.by_hand = entry.ends_by_hand();
        (slot.not_after, slot.detail) = (entry.expires, entry.detail_sha256);
    }

    /// A credential ends with the last certificate that its zone has, and a week after it was issued.
    pub(super) fn check_end(&self, record: &Record, found: &mut Found) {
        let entry = &record.entry;
        let (Action::Issue | Action::IssueClient, Some(expires), Some(name)) =
            (entry.action, entry.expires, &entry.name)
        else {
            return;
        };
        let week = entry.time.as_secs().saturating_add(LONGEST.as_secs());
        let zone = entry.zone.as_deref().and_then(|zone| self.ends.get(zone));
        let latest = zone.map_or(week, |end| end.as_secs().min(week));
        if expires.as_secs() > latest {
            found.add(Mismatch::IssueTooLong {
                name: name.clone(),
                seq: record.seq,
                expires: expires.as_secs(),
                latest,
            });
        }
    }

    pub(super) async fn check(
        mut self,
        session: &mut Session,
        replays: &Replays,
        found: &mut Found,
    ) -> Result<(), Error> {
        for zone in zones::all(session).await? {
            for slot in &zone.delegations {
                let name = zone.zone.to_string();
                let key = (name.clone(), slot.certificate_sha256);
                match self.slots.remove(&key) {
                    Some(said) if replays.is_here(said.here) => said.check(&zone.zone, slot, found),
                    Some(_) => {}
                    None => {
                        let name = format!("{} of {name}", slot.number);
                        let what = "the delegation certificate";
                        found.add(Mismatch::NoRecord { what, name });
                    }
                }
            }
        }
        for ((zone, _), said) in self.slots {
            if replays.is_here(said.here) {
                let (what, name) = ("slot", format!("{} of {zone}", said.number));
                let seq = said.seq;
                found.add(Mismatch::Removed { what, name, seq });
            }
        }
        let sql = "SELECT certificate_sha256 FROM shared_delegations ORDER BY certificate_sha256";
        for row in session.fetch(sql, Vec::new()).await? {
            let sha256 = row.hash("certificate_sha256")?;
            if !self.certificates.contains(&sha256) {
                let (what, name) = ("the shared delegation certificate", sha256.to_string());
                found.add(Mismatch::NoRecord { what, name });
            }
        }
        Ok(())
    }
}

/// True if signers move a slot from one state to another.
const fn is_step(from: DelegationState, to: DelegationState) -> bool {
    use DelegationState::{Active, Draining, Gone, Next};
    matches!(
        (from, to),
        (Next, Active | Gone) | (Active, Draining) | (Draining, Active | Gone)
    )
}

impl Slot {
    /// Finds a record by which it moves as no signer moves a slot.
    fn check_step(&self, record: &Record, zone: &str, to: DelegationState, found: &mut Found) {
        if self.ends_for_now(to) || is_step(self.state, to) {
            return;
        }
        found.add(Mismatch::Forbidden {
            name: format!("slot {} of {zone}", self.number),
            seq: record.seq,
            action: record.entry.action,
            state: self.state.as_str(),
            since: self.seq,
        });
    }

    /// True if a signer has ended it, by a clock that may have been wrong, and people use it again.
    const fn ends_for_now(&self, to: DelegationState) -> bool {
        use DelegationState::{Active, Draining, Gone};
        matches!(self.state, Gone) && !self.by_hand && matches!(to, Active | Draining)
    }

    fn check(&self, zone: &ZoneName, slot: &ZoneDelegation, found: &mut Found) {
        let row = format!("{} of {zone}", slot.number);
        let mut compare = |column, expected: String, there: String| {
            if expected != there {
                found.add(Mismatch::Changed {
                    table: "slots",
                    row: row.clone(),
                    column,
                    seq: self.seq,
                    expected,
                    found: there,
                });
            }
        };
        let secs = |time: UnixTime| time.as_secs().to_string();
        compare("number", self.number.to_string(), slot.number.to_string());
        compare("state", self.state.to_string(), slot.state.to_string());
        compare("since", secs(self.since), secs(slot.since));
        let not_after = self.not_after.map_or(String::new(), secs);
        compare("not_after", not_after, secs(slot.not_after));
        // The number and the end are said above.
        if let Some(detail) = self.detail
            && (self.number, self.not_after) == (slot.number, Some(slot.not_after))
            && detail != slot.commitment(zone)
        {
            let expected = format!("another, with the hash {detail}");
            compare("not_before", expected, secs(slot.not_before));
        }
    }
}
