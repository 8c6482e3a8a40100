//! The server that is used now.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::Semaphore;

use super::witness::Witness;
use crate::postgres::pool;

/// The server that is used.
pub(super) struct Chosen {
    pub(super) place: usize,
    pub(super) pool: PgPool,
    /// Set if it may not be the primary any more.
    pub(super) is_doubted: AtomicBool,
    /// That its standby has what it shows; of one server alone nobody asks for that.
    pub(super) witness: Witness,
    /// Has no permit, and is closed once another server is used.
    pub(super) replaced: Semaphore,
}

impl Chosen {
    /// Connects when it is first used.
    pub(super) fn new(place: usize, options: PgConnectOptions, is_only: bool) -> Self {
        let witness = Witness::default();
        Self {
            place,
            pool: pool::open(options, is_only, witness.counter()),
            is_doubted: false.into(),
            witness,
            replaced: Semaphore::new(0),
        }
    }

    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }
}
