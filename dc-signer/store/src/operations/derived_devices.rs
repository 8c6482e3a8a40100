//! Comparing devices, their names and their activation codes with the audit log: each is as its records tell it.
//!
//! Records that came with a newer log to a restored backup were not done here one by one, so of devices from before that less is
//! compared: their standing, their keys, their ids, and that what is to be withdrawn is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use pki_types::UnixTime;

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, Device, Given, Mismatch, PendingCode, Retold, State};

use super::derived_part::{Name, Part};
use super::findings::Found;
use super::{derived_issues, rows, withdrawn};

/// Acts of the past after which records alone do not say how a device is.
#[derive(Clone, Copy, Default)]
pub(super) struct Past {
    /// The last record that says a newer log was applied; 0 if there is none.
    pub(super) replayed: u64,
    /// The last record that says an older copy was accepted; 0 if there is none.
    pub(super) accepted: u64,
}

/// Compares all devices; says how often the list of withdrawn names of each zone has changed because of them, at least.
pub(super) async fn check(
    session: &mut Session,
    past: Past,
    found: &mut Found,
) -> Result<BTreeMap<String, u64>, Error> {
    let mut changes = BTreeMap::new();
    let mut after: Vec<u8> = Vec::new();
    loop {
        let sql = format!(
            "SELECT {} FROM devices WHERE id > $1 ORDER BY id LIMIT 1000",
            rows::DEVICE
        );
        let rows = session.fetch(sql, vec![after.as_slice().into()]).await?;
        let Some(last) = rows.last() else {
            return Ok(changes);
        };
        let last = last.blob("id")?;
        let mut part = Part::load(session, &after, &last).await?;
        let mut devices = Vec::with_capacity(rows.len());
        for row in &rows {
            match rows::device(row) {
                Ok(device) => devices.push(device),
                Err(error) => found.add(error),
            }
        }
        part.unissued = derived_issues::unissued(session, &devices).await?;
        for device in devices {
            let mut told = Told::new(device, &mut part, past);
            told.compare();
            *changes.entry(told.device.zone.to_string()).or_default() += told.retold.list_changes;
            told.wrong.into_iter().for_each(|wrong| found.add(wrong));
        }
        after = last;
    }
}

/// A device beside what its records tell.
struct Told {
    device: Device,
    retold: Retold,
    names: Vec<Name>,
    codes: Vec<PendingCode>,
    past: Past,
    /// Its records may have come with a newer log.
    is_replayed: bool,
    is_unissued: bool,
    wrong: Vec<Error>,
}

impl Told {
    fn new(device: Device, part: &mut Part, past: Past) -> Self {
        let records = part.records.remove(&device.id).unwrap_or_default();
        let retold = Retold::of(&records);
        let added = retold.added.last().map_or(0, |(seq, _)| *seq);
        Self {
            names: part.names.remove(&device.id).unwrap_or_default(),
            codes: part.codes.remove(&device.id).unwrap_or_default(),
            is_replayed: added <= past.replayed,
            is_unissued: part.unissued.contains(&device.id),
            device,
            retold,
            past,
            wrong: Vec::new(),
        }
    }

    fn compare(&mut self) {
        let Some((seq, action, detail)) = self.retold.identity else {
            return self.no_record("the device");
        };
        if self.retold.added.is_empty() {
            return self.no_record("the device");
        }
        self.compare_added();
        self.compare_state();
        // A serial number that came with a newer log is not in it; ids do not change.
        let is_known =
            action == Action::Add || self.device.manufactured.is_some() || seq > self.past.replayed;
        // Nor how many names it had.
        let is_known = is_known && (action == Action::Add || !self.is_replayed);
        let detail = detail.filter(|_| is_known);
        if detail.is_some_and(|detail| detail != self.device.commitment()) {
            let name = self.device.name.to_string();
            self.wrong.push(Mismatch::Identity { name, seq }.into());
        }
        self.compare_keys();
        if !self.is_replayed {
            self.compare_rest();
            self.compare_wait();
            self.compare_codes();
        }
        self.compare_names();
    }

    fn no_record(&mut self, what: &'static str) {
        let name = self.device.name.to_string();
        self.wrong.push(Mismatch::NoRecord { what, name }.into());
    }

    fn changed(
        &mut self,
        (table, row): (&'static str, String),
        column: &'static str,
        seq: u64,
        (expected, found): (String, String),
    ) {
        let changed = Mismatch::Changed {
            table,
            row,
            column,
            seq,
            expected,
            found,
        };
        self.wrong.push(changed.into());
    }

    /// Compares one column of the device's own row.
    fn own<T: PartialEq>(
        &mut self,
        column: &'static str,
        seq: u64,
        (expected, found): (T, T),
        show: impl Fn(&T) -> String,
    ) {
        if expected != found {
            let row = ("devices", self.device.name.to_string());
            self.changed(row, column, seq, (show(&expected), show(&found)));
        }
    }

    fn compare_added(&mut self) {
        let added = self.retold.added.clone();
        for pair in added.windows(2) {
            let [(first, _), (second, _)] = pair else {
                continue;
            };
            // A device that a backup has lost may be added again.
            if *first > self.past.replayed {
                let (name, first, second) = (self.device.name.to_string(), *first, *second);
                let twice = Mismatch::GivenTwice {
                    name,
                    first,
                    second,
                };
                self.wrong.push(twice.into());
            }
        }
        if let Some((seq, at)) = added.last() {
            self.own("created", *seq, (*at, self.device.created), time);
            let zone = self.retold.zone.clone();
            let found = Some(self.device.zone.to_string());
            self.own("zone", *seq, (zone, found), maybe);
        }
    }

    fn compare_state(&mut self) {
        let Some((seq, state)) = self.retold.state else {
            return;
        };
        let kept_out = |state| matches!(state, State::Suspended | State::Retired);
        let found = self.device.state;
        if (kept_out(state) || kept_out(found)) && state != found {
            self.wrong.push(Error::StateNotInAudit {
                name: self.device.name.clone(),
                state: found,
            });
        } else if !self.is_replayed {
            self.own("state", seq, (state, found), State::to_string);
        }
    }

    fn compare_keys(&mut self) {
        let (seq, key) = self.retold.key;
        let is_replayed = self.is_replayed && self.device.key.is_none();
        if self.device.key != key && !is_replayed {
            let name = self.device.name.to_string();
            self.wrong.push(Mismatch::EnrolmentKey { name, seq }.into());
        }
        let next = self.device.next_key;
        match (self.retold.next, next) {
            (Some((seq, key, since)), Some(next)) => {
                self.own("next_key", seq, (key, next.spki_sha256), |key| {
                    key.to_string()
                });
                self.own("next_key_since", seq, (since, next.since), time);
            }
            (None, Some(_)) => self.no_record("the next key of"),
            (Some((seq, key, _)), None) if !self.is_replayed => {
                self.own("next_key", seq, (Some(key), None), maybe);
            }
            (_, None) => {}
        }
    }

    fn compare_rest(&mut self) {
        if self.is_unissued {
            self.no_record("the credential of");
        }
        let (seq, name) = self.retold.name.clone();
        let found = self.device.name.to_string();
        self.own("name", seq, (name, found), String::clone);
        let (seq, clone) = self.retold.clone;
        let found = self.device.possible_clone;
        self.own("possible_clone", seq, (clone, found), bool::to_string);
        if let Some((seq, at)) = self.retold.changed {
            self.own("changed", seq, (at, self.device.changed), time);
        }
    }

    /// A box that took a name over waits until the credentials of the box before are over.
    fn compare_wait(&mut self) {
        let Some((seq, from)) = self.retold.waits else {
            return;
        };
        let is_waiting = self
            .device
            .hold
            .free_from
            .is_some_and(|found| found >= from);
        let held = self.device.credential;
        let has_got_one = held.is_some_and(|held| held.issued >= from);
        // Then nothing is known of what it got.
        let is_forgotten = held.is_none() && self.past.accepted > seq;
        if !is_waiting && !has_got_one && !is_forgotten {
            let found = self.device.hold.free_from;
            let row = ("devices", self.device.name.to_string());
            let expected = format!("{}, or a credential since", time(&from));
            self.changed(row, "free_from", seq, (expected, maybe_time(&found)));
        }
    }

    fn compare_names(&mut self) {
        for row in std::mem::take(&mut self.names) {
            let Some(given) = self.retold.names.get(&row.name).cloned() else {
                if !self.is_replayed {
                    let (what, name) = ("the name", row.name);
                    self.wrong.push(Mismatch::NoRecord { what, name }.into());
                }
                continue;
            };
            let place = || ("names", row.name.clone());
            if row.given != given.at {
                let values = (time(&given.at), time(&row.given));
                self.changed(place(), "given", given.seq, values);
            }
            let zone = self.device.zone.to_string();
            if row.zone != zone {
                let values = (zone, row.zone.clone());
                self.changed(place(), "zone", given.seq, values);
            }
            self.compare_withdrawn(&row, &given);
        }
    }

    fn compare_withdrawn(&mut self, row: &Name, given: &Given) {
        let is_own = row.name == self.device.name.as_str();
        let must_be = !is_own || self.device.is_withdrawn();
        let said = given.withdrawn.last().copied();
        let seq = said.map_or(given.seq, |(seq, _)| seq);
        let place = || ("names", row.name.clone());
        let is_one_of = |at: UnixTime| given.withdrawn.iter().any(|(_, said)| *said == at);
        match (row.withdrawn, row.until) {
            (None, _) if must_be => {
                let expected = said.map_or_else(|| "withdrawn".to_owned(), |(_, at)| time(&at));
                self.changed(place(), "withdrawn", seq, (expected, maybe_time(&None)));
            }
            // A name that a backup had lost may have been withdrawn when it was given again.
            (Some(at), _) if self.past.replayed == 0 && (!must_be || !is_one_of(at)) => {
                let expected = said.filter(|_| must_be).map(|(_, at)| at);
                let values = (maybe_time(&expected), time(&at));
                self.changed(place(), "withdrawn", seq, values);
            }
            (Some(_), None) => {
                let values = ("a time".to_owned(), maybe_time(&None));
                self.changed(place(), "withdrawn_until", seq, values);
            }
            (Some(at), Some(until)) => {
                // With another box it is in the list until what was issued before is over, which is compared with that.
                let longest = at.as_secs().saturating_add(withdrawn::LONGEST.as_secs());
                if !given.is_ended && self.past.replayed == 0 && until.as_secs() < longest {
                    let expected = UnixTime::since_unix_epoch(Duration::from_secs(longest));
                    let values = (format!("{} or later", time(&expected)), time(&until));
                    self.changed(place(), "withdrawn_until", seq, values);
                }
            }
            (None, _) => {}
        }
    }

    fn compare_codes(&mut self) {
        for code in std::mem::take(&mut self.codes) {
            let row = || ("codes", code.id.to_string());
            let Some(said) = self.retold.codes.get(&code.commitment()).copied() else {
                self.compare_old_code(&code);
                continue;
            };
            if said.expires != Some(code.expires) {
                let values = (maybe_time(&said.expires), time(&code.expires));
                self.changed(row(), "expires", said.seq, values);
            }
            let used = said.used.map(|(_, key)| key);
            if used != code.used_by {
                let seq = said.used.map_or(said.seq, |(seq, _)| seq);
                let values = (maybe(&used), maybe(&code.used_by));
                self.changed(row(), "used_by", seq, values);
            }
        }
    }

    /// A code whose record does not say which it is.
    fn compare_old_code(&mut self, code: &PendingCode) {
        let last = self.retold.last_code;
        let is_last = last.is_some_and(|(_, expires)| expires == Some(code.expires));
        if !self.retold.old_codes || (code.used_by.is_none() && !is_last) {
            let (what, name) = ("the activation code", code.id.to_string());
            self.wrong.push(Mismatch::NoRecord { what, name }.into());
        }
    }
}

/// How often a list of withdrawn names can have changed because of one record, at most: also when another box gets its first
/// credential after it, and when the device is one that a restored backup has lost.
pub(super) const fn list_changes(action: Action) -> u64 {
    match action {
        Action::Suspend | Action::Retire => 1,
        Action::Add | Action::NewName | Action::Resume => 2,
        Action::Replace => 3,
        _ => 0,
    }
}

fn time(at: &UnixTime) -> String {
    at.as_secs().to_string()
}

fn maybe_time(at: &Option<UnixTime>) -> String {
    at.map_or("none".to_owned(), |at| time(&at))
}

fn maybe<T: Display>(value: &Option<T>) -> String {
    value
        .as_ref()
        .map_or_else(|| "none".to_owned(), T::to_string)
}
