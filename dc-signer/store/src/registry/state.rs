//! The states of a device, and of a zone's delegation certificate.

use std::fmt;

/// Where a device is in its life: `preregistered → active → suspended → retired`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// Known, but no key of it is: it gets credentials once it has enrolled.
    Preregistered,
    /// It has an enrolment key and gets credentials.
    Active,
    /// It gets none until it is resumed.
    Suspended,
    /// It never gets any again. Its name stays taken.
    Retired,
}

impl State {
    /// All of them, in the order of a device's life.
    pub const ALL: [Self; 4] = [
        Self::Preregistered,
        Self::Active,
        Self::Suspended,
        Self::Retired,
    ];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preregistered => "preregistered",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The use of a zone's delegation certificate: `next → active → draining → gone`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DelegationState {
    /// Imported, so that replicas can load it; nothing is signed with it.
    Next,
    /// New credentials are signed with it. A zone has one such delegation at most.
    Active,
    /// Not used any more, but credentials under it still live.
    Draining,
    /// Nothing under it lives; its key can be destroyed.
    Gone,
}

impl DelegationState {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Next, Self::Active, Self::Draining, Self::Gone];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for DelegationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
