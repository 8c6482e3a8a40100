//! The times that are kept for devices, for the other signers: a balancer sends a device to any of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dc_store::registry::Sha256;

/// Those that the others do not know of yet.
#[derive(Debug, Default)]
pub(super) struct Promises {
    untold: Mutex<HashMap<Sha256, Instant>>,
    /// The last exchange that this signer has heard of.
    since: AtomicI64,
}

impl Promises {
    /// A device was told to come after so long.
    pub(super) fn give(&self, key: Sha256, after: Duration, now: Instant) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        // Those beyond are served by the end of what they hold, as all were before there was an exchange.
        if untold.len() < MOST {
            untold.insert(key, now + after);
        }
    }

    /// Takes out those that the others are to be told, and says the last exchange that was heard of.
    pub(super) fn take(&self, now: Instant) -> (Vec<(Sha256, Duration)>, i64) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        let given = std::mem::take(&mut *untold).into_iter();
        let given = given.map(|(key, at)| (key, at.saturating_duration_since(now)));
        (given.collect(), self.since.load(Ordering::Relaxed))
    }

    /// Nobody was told: they are told the next time.
    pub(super) fn put_back(&self, given: Vec<(Sha256, Duration)>, now: Instant) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, after) in given {
            untold.entry(key).or_insert(now + after);
        }
    }

    /// The number of the exchange in which they were told.
    pub(super) fn told(&self, number: i64) {
        self.since.store(number, Ordering::Relaxed);
    }
}

/// Few MB, and more than are given between two exchanges.
const MOST: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_is_told_the_next_time_and_the_newest_counts() {
        let (promises, now) = (Promises::default(), Instant::now());
        let (one, other) = (Sha256::of(b"one"), Sha256::of(b"other"));
        let seconds = Duration::from_secs;
        promises.give(one, seconds(60), now);
        let later = now + seconds(5);
        let (given, since) = promises.take(later);
        assert_eq!((&given[..], since), (&[(one, seconds(55))][..], 0));
        promises.give(one, seconds(90), later);
        promises.put_back(given, later);
        promises.put_back(vec![(other, seconds(70))], later);
        let (mut given, _) = promises.take(later);
        given.sort_by_key(|(_, after)| *after);
        assert_eq!(given, [(other, seconds(70)), (one, seconds(90))]);
        promises.told(3);
        assert_eq!(promises.take(later), (Vec::new(), 3));
    }
}
