//! An act: its actor, its time, and its reason.

use pki_types::UnixTime;

use crate::registry::Reason;

/// An actor and a time, for the audit log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Act {
    /// For the audit log, such as `operator:alice` or `device`.
    pub actor: String,
    /// By the clock of whoever does it.
    pub at: UnixTime,
    /// Their reason; acts that take rights away or give them back need one.
    pub reason: Option<Reason>,
}

impl Act {
    /// Of an actor, at a time, without a reason.
    #[must_use]
    pub fn new(actor: impl Into<String>, at: UnixTime) -> Self {
        Self {
            actor: actor.into(),
            at,
            reason: None,
        }
    }

    /// The same for a reason.
    #[must_use]
    pub fn because(self, reason: impl Into<Option<Reason>>) -> Self {
        Self {
            reason: reason.into(),
            ..self
        }
    }

    /// True if somebody at the machine does it without a credential, which is on record and raises an alert.
    #[must_use]
    pub fn is_without_credential(&self) -> bool {
        self.actor.starts_with("root:")
    }

    /// True if an actor is a person, or a program in the name of one.
    pub(crate) fn is_somebodys(actor: &str) -> bool {
        !matches!(actor, "" | "device" | "signer")
    }
}
