//! How handshakes ended, in numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The fates of a listener's connections since it began, for metrics. Clones count the same.
///
/// On machines of 32 bits each begins anew after four thousand million.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    failed: AtomicUsize,
    timed_out: AtomicUsize,
    displaced: AtomicUsize,
    not_accepted: AtomicUsize,
}

impl Counters {
    pub(super) fn accepted(&self) {
        add(&self.0.accepted);
    }

    pub(super) fn failed(&self) {
        add(&self.0.failed);
    }

    pub(super) fn timed_out(&self) {
        add(&self.0.timed_out);
    }

    pub(super) fn displaced(&self) {
        add(&self.0.displaced);
    }

    pub(super) fn not_accepted(&self) {
        add(&self.0.not_accepted);
    }
}

/// The numbers.
impl Counters {
    /// Handshakes that ended well.
    #[must_use]
    pub fn handshakes(&self) -> u64 {
        read(&self.0.accepted)
    }

    /// Handshakes that failed, because of what the client sent or did not take.
    #[must_use]
    pub fn failures(&self) -> u64 {
        read(&self.0.failed)
    }

    /// Handshakes that took too long.
    #[must_use]
    pub fn timeouts(&self) -> u64 {
        read(&self.0.timed_out)
    }

    /// Handshakes that ended early because there were too many.
    #[must_use]
    pub fn displacements(&self) -> u64 {
        read(&self.0.displaced)
    }

    /// How often the system gave no connection: because too many files were open, as an example.
    #[must_use]
    pub fn accept_errors(&self) -> u64 {
        read(&self.0.not_accepted)
    }
}

fn add(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn read(count: &AtomicUsize) -> u64 {
    u64::try_from(count.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
}
