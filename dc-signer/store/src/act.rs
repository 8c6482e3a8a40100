//! An act: its actor, its time, its reason, and the address that it came from.

use std::net::IpAddr;

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
    /// The address that it came from, over HTTP; none on the command line, or if no record is to say it.
    pub from: Option<IpAddr>,
}

impl Act {
    /// Of an actor, at a time, without a reason.
    #[must_use]
    pub fn new(actor: impl Into<String>, at: UnixTime) -> Self {
        Self {
            actor: actor.into(),
            at,
            reason: None,
            from: None,
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

    /// The same from an address.
    #[must_use]
    pub fn coming_from(self, from: Option<IpAddr>) -> Self {
        Self { from, ..self }
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
