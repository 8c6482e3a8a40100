//! How many refusals are written down.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Refusals in the log: a caller that is refused in a loop does not fill the disk.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<(u64, usize)>, AtomicUsize);

impl Quiet {
    /// How many were left out before this one, if this one may be written.
    pub(super) fn may_tell(&self, minute: u64) -> Option<usize> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != minute {
            *told = (minute, 0);
        }
        if told.1 >= REFUSALS_A_MINUTE {
            self.1.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        told.1 += 1;
        Some(self.1.swap(0, Ordering::Relaxed))
    }
}

pub(super) const REFUSALS_A_MINUTE: usize = 600;
