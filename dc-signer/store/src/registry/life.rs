//! The life of a device by the audit log, and what that forbids: acts and credentials that it must not have got in the state in which
//! the log has it then.
//!
//! Whoever changes a device's row, lets it get a credential, and puts the row back, leaves no row that is wrong, but a record that
//! cannot be.

use std::collections::BTreeSet;

use super::{Action, Mismatch, Record, Sha256, State};

/// A name by its records, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    now: Now,
    /// The record that says so.
    since: u64,
    key: Option<Sha256>,
    /// The key of a switch that is not finished.
    next: Option<Sha256>,
    /// The codes that were made for it, as their records commit to them.
    codes: BTreeSet<Sha256>,
    /// Set if a record that made a code says not which.
    old_codes: bool,
}

/// The state of a name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Now {
    /// No device has had it.
    #[default]
    Nobodys,
    /// Its device is in this state.
    In(State),
    /// Its device has another one.
    Left,
}

/// The end of what is uncertain, because a newer log was applied to a restored backup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certain {
    /// The last record that says so; 0 if there is none.
    pub(crate) replayed: u64,
}

impl Life {
    /// Goes on with a record about the name; says what is wrong with it. `is_renamed` is set if the device got another name with it.
    pub(crate) fn follow(
        &mut self,
        record: &Record,
        is_renamed: bool,
        certain: Certain,
    ) -> Option<Mismatch> {
        let wrong = match self.allows(record) {
            true => None,
            false => self.forbidden(record, certain),
        };
        let wrong = wrong.or_else(|| self.code_of_nobody(record));
        self.go_on(record, is_renamed);
        wrong
    }

    fn allows(&self, record: &Record) -> bool {
        let key = record.entry.spki_sha256;
        match (record.entry.action, self.now) {
            // That a name is given once is looked at elsewhere, and what it is without that too.
            (Action::Add | Action::NewName, _) | (_, Now::Nobodys) => true,
            (Action::Issue | Action::IssueClient, now) => now == Now::In(State::Active),
            (Action::Enrol, Now::In(State::Active)) => key == self.key,
            (Action::Enrol | Action::NewCode, now) => now == Now::In(State::Preregistered),
            (Action::Resume, now) => now == Now::In(State::Suspended),
            (Action::Suspend, now) => {
                matches!(now, Now::In(State::Active | State::Preregistered))
            }
            (Action::FinishSwitch, now) => now == Now::In(State::Active) && self.next == key,
            (Action::SwitchKey, now) => now == Now::In(State::Active),
            (Action::Retire | Action::Replace | Action::TakeName, now) => {
                !matches!(now, Now::In(State::Retired) | Now::Left)
            }
            _ => true,
        }
    }

    /// Records of a newer log were not done here one by one, so those that follow may stand on something else.
    fn forbidden(&self, record: &Record, certain: Certain) -> Option<Mismatch> {
        let is_kept_out = matches!(self.now, Now::In(State::Suspended | State::Retired));
        let is_known = self.since > certain.replayed || record.seq <= certain.replayed;
        let state = match self.now {
            Now::In(state) => state.as_str(),
            Now::Left | Now::Nobodys => "no device's any more",
        };
        (is_kept_out || is_known).then(|| Mismatch::Forbidden {
            name: record.entry.name.clone().unwrap_or_default(),
            seq: record.seq,
            action: record.entry.action,
            state,
            since: self.since,
        })
    }

    /// A code that enrols a device has been made for it before.
    fn code_of_nobody(&self, record: &Record) -> Option<Mismatch> {
        let (seq, entry) = (record.seq, &record.entry);
        let code = entry
            .detail_sha256
            .filter(|_| entry.action == Action::Enrol)?;
        let is_made = self.old_codes || self.codes.contains(&code) || self.now == Now::Nobodys;
        (!is_made).then(|| Mismatch::CodeOfNobody {
            name: entry.name.clone().unwrap_or_default(),
            seq,
        })
    }

    fn go_on(&mut self, record: &Record, is_renamed: bool) {
        let (seq, entry) = (record.seq, &record.entry);
        let key = entry.spki_sha256;
        let is_new = matches!(entry.action, Action::Add | Action::NewName);
        if self.now == Now::In(State::Retired) && !is_new {
            // Nothing brings it back, and all that follows is wrong too.
            return;
        }
        match entry.action {
            Action::Add | Action::NewName => {
                *self = Self::default();
                self.be_with(key, seq);
            }
            Action::Enrol => self.be_with(key, seq),
            Action::FinishSwitch => (self.key, self.next) = (key, None),
            Action::SwitchKey => self.next = key,
            Action::Suspend => (self.now, self.since) = (Now::In(State::Suspended), seq),
            Action::Retire => (self.now, self.since) = (Now::In(State::Retired), seq),
            Action::Resume => {
                (self.now, self.since) = (Now::In(state_with(self.key)), seq);
            }
            Action::Replace => {
                self.be_with(key, seq);
                if is_renamed {
                    self.now = Now::Left;
                }
            }
            Action::NewCode => {
                self.codes.extend(entry.detail_sha256);
                self.old_codes |= entry.detail_sha256.is_none();
            }
            _ => {}
        }
    }

    fn be_with(&mut self, key: Option<Sha256>, seq: u64) {
        (self.now, self.since) = (Now::In(state_with(key)), seq);
        (self.key, self.next) = (key, None);
    }
}

const fn state_with(key: Option<Sha256>) -> State {
    match key {
        Some(_) => State::Active,
        None => State::Preregistered,
    }
}
