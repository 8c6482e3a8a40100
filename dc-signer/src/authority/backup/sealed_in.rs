//! The number of things that a database has sealed, so that whoever has a copy of it knows.

use serde::{Deserialize, Serialize};

use dc_store::Store;

/// The number of things that a database has sealed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SealedIn {
    /// How many versions of secrets.
    pub secrets: usize,
    /// How many keys of delegation certificates.
    pub delegations: usize,
}

impl SealedIn {
    pub(super) async fn of(store: &Store) -> Result<Self, dc_store::Error> {
        let secrets = store.secrets().await?;
        let delegations = store.shared_delegations().await?;
        Ok(Self {
            secrets: secrets.iter().filter(|row| row.sealed.is_some()).count(),
            delegations: delegations
                .iter()
                .filter(|one| one.sealed.is_some())
                .count(),
        })
    }

    /// True if it has nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
