//! The state of checkpoints, for the API, pages and tests.

use std::sync::{Arc, Mutex, PoisonError};

/// The last checkpoint of this signer, and what became of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// The key to verify with, as C2SP writes it.
    pub key: String,
    /// How many records the last checkpoint has.
    pub size: u64,
    /// When it was signed, in seconds since 1970; 0 if there is none.
    pub at: u64,
    /// The checkpoint, with the cosignatures that it has got.
    pub note: Option<String>,
    /// The reason that nothing is signed, if nothing is.
    pub failure: Option<String>,
    /// Set if that is because somebody changed the log.
    pub refused: bool,
    /// The places that it is sent to.
    pub places: Vec<PlaceStatus>,
}

/// A place that checkpoints are sent to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlaceStatus {
    /// Its path or URL.
    pub name: String,
    /// How many checkpoints it has not got yet.
    pub waiting: usize,
    /// The reason that it did not take the last one, if it did not.
    pub failure: Option<String>,
}

/// The status as it was told last; none if nobody signs here.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<Option<Status>>>);

impl Told {
    pub(super) fn set(&self, status: Status) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    /// The status.
    #[must_use]
    pub fn get(&self) -> Option<Status> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
