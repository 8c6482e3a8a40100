//! A device as the records of the audit log tell it, for whoever compares the registry with the log.

use std::collections::BTreeMap;

use pki_types::UnixTime;

use super::{Action, Record, Sha256, State};

/// The state of a device after its records, each with the record that says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retold {
    /// The records that added it, in order: it should be one.
    pub(crate) added: Vec<(u64, UnixTime)>,
    pub(crate) zone: Option<String>,
    /// The last record about its ids, with what that commits to, if it does.
    pub(crate) identity: Option<(u64, Action, Option<Sha256>)>,
    pub(crate) state: Option<(u64, State)>,
    pub(crate) key: (u64, Option<Sha256>),
    pub(crate) next: Option<(u64, Sha256, UnixTime)>,
    pub(crate) clone: (u64, bool),
    pub(crate) changed: Option<(u64, UnixTime)>,
    /// The name that it has now.
    pub(crate) name: (u64, String),
    /// All names that it has or had.
    pub(crate) names: BTreeMap<String, Given>,
    /// From when on its box gets credentials, unless it has got one since.
    pub(crate) waits: Option<(u64, UnixTime)>,
    /// Set if another box was put behind it, so that it may have waited by a clock that the log does not have.
    handed_over: bool,
    /// By what the record commits to, its activation codes.
    pub(crate) codes: BTreeMap<Sha256, Code>,
    /// The last record that made a code, and when that ends; none after the device was replaced.
    pub(crate) last_code: Option<(u64, Option<UnixTime>)>,
    /// Set if a record that made a code commits to none.
    pub(crate) old_codes: bool,
    /// How often the list of withdrawn names has changed because of it, at least.
    pub(crate) list_changes: u64,
}

/// An activation code, as its record tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code {
    pub(crate) seq: u64,
    pub(crate) expires: Option<UnixTime>,
    /// The record that used it up, and the key.
    pub(crate) used: Option<(u64, Sha256)>,
}

/// A name that a device has or had.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) seq: u64,
    pub(crate) at: UnixTime,
    /// The records that may have withdrawn it, of which one has unless `may_not`; none if it is not withdrawn.
    pub(crate) withdrawn: Vec<(u64, UnixTime)>,
    /// Set if it may have been restored since without a record of its own.
    pub(crate) may_not: bool,
    /// Set if it was said since until when it is withdrawn.
    pub(crate) is_ended: bool,
}

impl Retold {
    /// From all records about a device, of whichever name, in their order.
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut retold = Self::default();
        let mut records = records.iter().peekable();
        while let Some(record) = records.next() {
            // A new name is in the record behind that of the replacement.
            let is_renamed = records.peek().is_some_and(|next| {
                next.entry.action == Action::NewName && next.seq == record.seq + 1
            });
            retold.follow(record, is_renamed);
        }
        retold
    }

    fn follow(&mut self, record: &Record, is_renamed: bool) {
        let (seq, entry) = (record.seq, &record.entry);
        let (time, key) = (entry.time, entry.spki_sha256);
        match entry.action {
            Action::Add => self.add(record),
            Action::Enrol if key.is_some() && self.is_active_with(key) => {
                return self.use_code(seq, entry.detail_sha256, key);
            }
            Action::Enrol => {
                self.state = Some((seq, State::Active));
                (self.key, self.next) = ((seq, key), None);
                self.use_code(seq, entry.detail_sha256, key);
            }
            Action::FinishSwitch => (self.key, self.next) = ((seq, key), None),
            Action::SwitchKey => self.next = key.map(|key| (seq, key, time)),
            Action::Suspend => self.withdraw(seq, time, State::Suspended),
            Action::Retire => self.withdraw(seq, time, State::Retired),
            Action::Resume => self.resume(seq),
            Action::Replace => self.replace(record, is_renamed),
            Action::NewName => self.rename(record),
            Action::FlagClone => self.clone = (seq, true),
            Action::ClearClone => self.clone = (seq, false),
            Action::TakeName => self.waits = None,
            Action::NewCode => return self.new_code(record),
            // Nothing else changes a device.
            _ => return,
        }
        self.changed = Some((seq, time));
    }

    fn add(&mut self, record: &Record) {
        let (seq, entry) = (record.seq, &record.entry);
        let mut added = std::mem::take(&mut self.added);
        added.push((seq, entry.time));
        *self = Self {
            added,
            zone: entry.zone.clone(),
            identity: Some((seq, Action::Add, entry.detail_sha256)),
            key: (seq, entry.spki_sha256),
            ..Self::default()
        };
        self.state = Some((seq, self.state_with_key()));
        self.give(record);
    }

    fn give(&mut self, record: &Record) {
        let Some(name) = record.entry.name.clone() else {
            return;
        };
        self.name = (record.seq, name.clone());
        let given = Given {
            seq: record.seq,
            at: record.entry.time,
            withdrawn: Vec::new(),
            may_not: false,
            is_ended: false,
        };
        self.names.insert(name, given);
    }

    /// True if nothing but a code changes when it enrols with this key: it has that already, by another way.
    fn is_active_with(&self, key: Option<Sha256>) -> bool {
        self.key.1 == key && matches!(self.state, Some((_, State::Active)))
    }

    const fn state_with_key(&self) -> State {
        match self.key.1 {
            Some(_) => State::Active,
            None => State::Preregistered,
        }
    }

    fn withdraw(&mut self, seq: u64, time: UnixTime, state: State) {
        self.state = Some((seq, state));
        let Some(given) = self.names.get_mut(&self.name.1) else {
            return;
        };
        if given.withdrawn.is_empty() {
            self.list_changes += 1;
        }
        if given.withdrawn.is_empty() || given.may_not {
            given.withdrawn.push((seq, time));
        }
        given.may_not = false;
    }

    fn resume(&mut self, seq: u64) {
        self.state = Some((seq, self.state_with_key()));
        // One without a key waits too, once an older copy of the database was accepted.
        let waits = self.handed_over || self.key.1.is_none();
        let Some(given) = self.names.get_mut(&self.name.1) else {
            return;
        };
        match waits {
            // What another box was given stays withdrawn, unless this one has got something since.
            true => given.may_not = true,
            false => {
                given.withdrawn.clear();
                self.list_changes += 1;
            }
        }
    }

    fn replace(&mut self, record: &Record, is_renamed: bool) {
        let (seq, entry) = (record.seq, &record.entry);
        if let Some(given) = self.names.get_mut(&self.name.1) {
            if is_renamed {
                self.list_changes += u64::from(given.withdrawn.is_empty());
                if given.withdrawn.is_empty() || given.may_not {
                    given.withdrawn.push((seq, entry.time));
                }
                given.may_not = false;
            } else {
                // It stays so until the first credential of the other box, if there was one before.
                given.may_not = !given.withdrawn.is_empty();
                given.is_ended = given.may_not;
            }
        }
        (self.key, self.next) = ((seq, entry.spki_sha256), None);
        self.state = Some((seq, self.state_with_key()));
        self.clone = (seq, false);
        self.identity = Some((seq, Action::Replace, entry.detail_sha256));
        self.waits = entry.expires.filter(|_| !is_renamed).map(|at| (seq, at));
        self.handed_over = !is_renamed;
        self.codes.retain(|_, code| code.used.is_some());
        self.last_code = None;
    }

    fn rename(&mut self, record: &Record) {
        self.waits = None;
        self.give(record);
    }

    fn new_code(&mut self, record: &Record) {
        let (seq, entry) = (record.seq, &record.entry);
        self.codes.retain(|_, code| code.used.is_some());
        self.last_code = Some((seq, entry.expires));
        self.old_codes |= entry.detail_sha256.is_none();
        if let Some(commitment) = entry.detail_sha256 {
            let code = Code {
                seq,
                expires: entry.expires,
                used: None,
            };
            self.codes.insert(commitment, code);
        }
    }

    fn use_code(&mut self, seq: u64, commitment: Option<Sha256>, key: Option<Sha256>) {
        let code = commitment.and_then(|commitment| self.codes.get_mut(&commitment));
        if let (Some(code), Some(key)) = (code, key) {
            code.used = Some((seq, key));
        }
    }
}
