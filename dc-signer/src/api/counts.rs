//! Counts of refused requests since the database was last told, by reason.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts that wait to be stored: once a minute is enough for numbers that people look at.
#[derive(Debug, Default)]
pub(super) struct RefusedCounts(Mutex<BTreeMap<&'static str, u64>>);

impl RefusedCounts {
    pub(super) fn add(&self, reason: &'static str) {
        self.add_many(reason, 1);
    }

    pub(super) fn add_many(&self, reason: &'static str, count: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(reason).or_default() += count;
    }

    /// Takes all of them out.
    pub(super) fn take(&self) -> Vec<(&'static str, u64)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *counts).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_taken_once() {
        let counts = RefusedCounts::default();
        counts.add("bad-csr");
        counts.add("bad-csr");
        counts.add("conflict");
        assert_eq!(counts.take(), [("bad-csr", 2), ("conflict", 1)]);
        assert!(counts.take().is_empty());
    }
}
