//! Who was asked for something, how often, and at which time of a device's life: counted by the code that asks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Whom a device, or somebody for it, depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Party {
    /// A CA that clients trust as they are delivered.
    PublicCa,
    /// The device vendor's service, or its own CA.
    Vendor,
    /// A CA or a service in the home.
    Home,
    /// A person in the home.
    User,
}

/// A time of a device's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// The fleet's, before its first device and whenever the vendor's own certificate is renewed.
    Fleet,
    FirstIssue,
    Renewal,
    /// The device asks for news, which bring it no identity.
    News,
    Replacement,
    Theft,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    /// An HTTP request to the party; of a user, a step that a person does.
    Request,
    /// A certificate or credential that the party signed.
    Signature,
}

/// The counts of a world.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    phase: Option<Phase>,
    of: BTreeMap<(Party, Phase, Act), u64>,
}

impl Ledger {
    /// Says which time of life is next; what is counted from now on belongs to it.
    pub(crate) fn enter(&self, phase: Phase) {
        self.counts().phase = Some(phase);
    }

    /// Counts one.
    pub(crate) fn count(&self, party: Party, act: Act) {
        self.add(party, act, 1);
    }

    pub(crate) fn add(&self, party: Party, act: Act, number: u64) {
        let mut counts = self.counts();
        let phase = counts.phase.unwrap_or(Phase::Fleet);
        *counts.of.entry((party, phase, act)).or_default() += number;
    }

    /// Everything that was counted.
    pub(crate) fn all(&self) -> BTreeMap<(Party, Phase, Act), u64> {
        self.counts().of.clone()
    }

    /// How many there were.
    #[cfg(test)]
    pub(crate) fn get(&self, party: Party, phase: Phase, act: Act) -> u64 {
        let key = (party, phase, act);
        self.counts().of.get(&key).copied().unwrap_or_default()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
