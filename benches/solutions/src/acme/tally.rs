//! To whose account requests and signatures go.

use std::sync::Arc;

use crate::ledger::{Act, Ledger, Party};

/// A party's page in a ledger. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    ledger: Arc<Ledger>,
    party: Party,
}

impl Tally {
    /// Counts what this party is asked for and what it signs.
    pub(crate) fn new(ledger: &Arc<Ledger>, party: Party) -> Self {
        Self {
            ledger: Arc::clone(ledger),
            party,
        }
    }

    /// Counts an HTTP request to the party.
    pub(crate) fn request(&self) {
        self.ledger.count(self.party, Act::Request);
    }

    /// Counts a certificate that the party signed.
    pub(crate) fn signature(&self) {
        self.ledger.count(self.party, Act::Signature);
    }
}
