//! Acts that wait for a second operator.

use std::fmt;
use std::str::FromStr;

use pki_types::UnixTime;

use super::fields::Fields;
use super::{Error, OperatorName, Reason, Sha256};

/// An act that one operator has asked for and another has to agree to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approval {
    /// That of the audit record that asks.
    pub number: u64,
    /// Exactly what is to be done, as JSON.
    pub what: String,
    /// The reason, in the words of whoever asked.
    pub reason: Reason,
    /// The operator who asked.
    pub asked_by: OperatorName,
    /// When.
    pub asked: UnixTime,
    /// When it can be agreed to no more.
    pub ends: UnixTime,
    /// Its state.
    pub state: ApprovalState,
    /// The operator who agreed or did not, if anybody has.
    pub decided_by: Option<OperatorName>,
}

/// The state of an act that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApprovalState {
    /// Nobody has said anything.
    Waiting,
    /// Another operator agreed, and it is not done: it is being done, or something was in its way.
    Approved,
    /// An operator did not agree.
    Refused,
    /// It was done.
    Done,
}

impl Approval {
    /// SHA-256 of what was asked, which the records that ask, agree and refuse have: the text `dc-approval-v1`, what is to be done,
    /// who asked, and when it ends in 8 bytes; each with its length in 8 bytes in front.
    #[must_use]
    pub fn commitment(&self) -> Sha256 {
        Self::commit(&self.what, &self.asked_by, self.ends)
    }

    pub(crate) fn commit(what: &str, asked_by: &OperatorName, ends: UnixTime) -> Sha256 {
        let ends = ends.as_secs().to_be_bytes();
        let fields: [&[u8]; 3] = [what.as_bytes(), asked_by.as_str().as_bytes(), &ends];
        Fields::hash("dc-approval-v1", &fields)
    }

    /// Checks that an operator may agree to it now.
    ///
    /// Fails with [`Error::ApprovalOver`], and with [`Error::OwnApproval`] for whoever asked.
    pub fn may_approve(&self, who: &OperatorName, now: UnixTime) -> Result<(), Error> {
        let state = self.state;
        match state {
            _ if self.asked_by == *who => Err(Error::OwnApproval),
            // Whoever agreed before this was done may say so again, so that it is done.
            ApprovalState::Waiting | ApprovalState::Approved if now < self.ends => Ok(()),
            _ => Err(Error::ApprovalOver),
        }
    }

    /// Checks that it can be refused now, which whoever asked may do too, and whoever agreed.
    ///
    /// Fails with [`Error::ApprovalOver`].
    pub fn may_refuse(&self, now: UnixTime) -> Result<(), Error> {
        match self.state {
            // What was agreed to and could not be done would wait for its time else, and could be done at any moment until then.
            ApprovalState::Waiting | ApprovalState::Approved if now < self.ends => Ok(()),
            _ => Err(Error::ApprovalOver),
        }
    }
}

impl ApprovalState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Approved, Self::Refused, Self::Done];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Done => "done",
        }
    }
}

impl FromStr for ApprovalState {
    type Err = Error;

    /// Fails with [`Error::BadState`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.into_iter();
        all.find(|state| state.as_str() == text)
            .ok_or(Error::BadState)
    }
}

impl fmt::Display for ApprovalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
