//! Counts since the process began, for its status.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use dc_pki::keys::Refusal;

/// Counts since the process began.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    issued: BTreeMap<String, u64>,
    refused: BTreeMap<&'static str, u64>,
    checkpoints: u64,
}

impl Counts {
    pub(super) fn issued(&self, zone: &str) {
        *self.inner().issued.entry(zone.to_owned()).or_default() += 1;
    }

    pub(super) fn refused(&self, reason: Refusal) {
        *self.inner().refused.entry(reason.as_str()).or_default() += 1;
    }

    pub(super) fn checkpoint(&self) {
        self.inner().checkpoints += 1;
    }

    pub(super) fn issued_in(&self, zone: &str) -> u64 {
        self.inner().issued.get(zone).copied().unwrap_or(0)
    }

    pub(super) fn json(&self) -> Value {
        let inner = self.inner();
        let issued: u64 = inner.issued.values().sum();
        let (refused, checkpoints) = (&inner.refused, inner.checkpoints);
        json!({ "issued": issued, "refused": refused, "checkpoints": checkpoints })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
