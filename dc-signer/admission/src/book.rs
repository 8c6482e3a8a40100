//! The book of reservations: so many for each slot of time, and the free slot that is latest or earliest.

use std::collections::BTreeMap;
use std::time::Duration;

/// Slots of some seconds, counted from the beginning of time.
#[derive(Debug)]
pub(crate) struct Book {
    /// Seconds of a slot.
    width: u64,
    taken: BTreeMap<u64, u32>,
    /// Runs of slots that are full, each from its first to the one after its last.
    full: BTreeMap<u64, u64>,
    outstanding: u64,
    /// Places of those who were served before, which stay taken.
    needless: BTreeMap<u64, u32>,
    all_needless: u64,
}

impl Book {
    /// With slots in which at least one fits, of so many a second.
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            width: width(rate),
            taken: BTreeMap::new(),
            full: BTreeMap::new(),
            outstanding: 0,
            needless: BTreeMap::new(),
            all_needless: 0,
        }
    }

    /// Reservations that are still to come.
    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Those of them that somebody waits for.
    pub(crate) fn awaited(&self) -> u64 {
        self.outstanding - self.all_needless
    }

    /// Whoever has a place at a time was served before, or waits for it after all.
    pub(crate) fn set_needless(&mut self, at: Duration, is_needless: bool) {
        let slot = at.as_secs() / self.width;
        let Some(taken) = self.taken.get(&slot) else {
            // It is over, or of the book of before.
            return;
        };
        let count = self.needless.entry(slot).or_default();
        if is_needless && *count < *taken {
            *count += 1;
            self.all_needless += 1;
        } else if !is_needless && *count > 0 {
            *count -= 1;
            self.all_needless -= 1;
        }
    }

    /// Takes the latest place between two times, while so many a second are given; none if all slots there are full.
    pub(crate) fn latest(
        &mut self,
        from: Duration,
        until: Duration,
        rate: f64,
    ) -> Option<Duration> {
        let (from, until) = (self.slot_from(from), until.as_secs() / self.width);
        let slot = match self.run_with(until) {
            Some((first, _)) => first.checked_sub(1)?,
            None => until,
        };
        (slot >= from).then(|| self.take(slot, rate))
    }

    /// Takes the earliest place from a time on.
    pub(crate) fn earliest(&mut self, from: Duration, rate: f64) -> Duration {
        let from = self.slot_from(from);
        let slot = self.run_with(from).map_or(from, |(_, after)| after);
        self.take(slot, rate)
    }

    /// Forgets what is over.
    pub(crate) fn forget(&mut self, now: Duration) {
        let slot = now.as_secs() / self.width;
        while let Some(entry) = self.taken.first_entry().filter(|entry| *entry.key() < slot) {
            let (slot, taken) = entry.remove_entry();
            self.outstanding -= u64::from(taken);
            let needless = self.needless.remove(&slot).unwrap_or_default();
            self.all_needless -= u64::from(needless);
        }
        while let Some(entry) = self.full.first_entry().filter(|entry| *entry.get() <= slot) {
            entry.remove();
        }
    }

    /// The first slot that begins at a time or later.
    fn slot_from(&self, from: Duration) -> u64 {
        from.as_secs().div_ceil(self.width)
    }

    fn run_with(&self, slot: u64) -> Option<(u64, u64)> {
        let (first, after) = self.full.range(..=slot).next_back()?;
        (*after > slot).then_some((*first, *after))
    }

    fn take(&mut self, slot: u64, rate: f64) -> Duration {
        let count = self.taken.entry(slot).or_default();
        *count += 1;
        self.outstanding += 1;
        // Rounded down: a slot with too many makes those of the next wait.
        let fit = (rate * seconds(self.width)).floor();
        if f64::from(*count) >= fit {
            self.fill(slot);
        }
        Duration::from_secs(slot * self.width)
    }

    fn fill(&mut self, slot: u64) {
        let after = self.full.remove(&(slot + 1)).unwrap_or(slot + 1);
        let before = self.full.range(..slot).next_back();
        let first = before.filter(|(_, after)| **after == slot);
        let first = first.map_or(slot, |(first, _)| *first);
        self.full.insert(first, after);
    }
}

/// The fewest whole seconds in which at least one is served, and at most a day.
fn width(rate: f64) -> u64 {
    let widths = 1..DAY;
    let fits = |width: &u64| rate * seconds(*width) >= 1.0;
    // Rates below one a second are those of very small fleets, and of simulations.
    match rate >= 1.0 {
        true => 1,
        false => widths.into_iter().find(fits).unwrap_or(DAY),
    }
}

fn seconds(width: u64) -> f64 {
    f64::from(u32::try_from(width).unwrap_or(u32::MAX))
}

const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_latest_free_slot_is_given_until_none_is_left() {
        let mut book = Book::new(2.0);
        let given: Vec<_> = (0..7).map(|_| book.latest(at(10), at(12), 2.0)).collect();
        let seconds = [12, 12, 11, 11, 10, 10].map(|s| Some(at(s)));
        assert_eq!(given[..6], seconds);
        assert_eq!(given[6], None);
        assert_eq!(book.earliest(at(10), 2.0), at(13));
        assert_eq!(book.outstanding(), 7);
        book.forget(at(12));
        assert_eq!(book.outstanding(), 3);
        book.forget(at(1_000));
        assert_eq!((book.outstanding(), book.full.len()), (0, 0));
    }

    #[test]
    fn a_slow_rate_has_long_slots_with_one_each() {
        let mut book = Book::new(0.1);
        let given = (0..3).map(|_| book.earliest(at(95), 0.1));
        assert_eq!(given.collect::<Vec<_>>(), [at(100), at(110), at(120)]);
    }

    #[test]
    fn a_place_that_nobody_waits_for_stays_taken_and_is_not_counted() {
        let mut book = Book::new(1.0);
        let given = [0, 0].map(|_| book.earliest(at(10), 1.0));
        book.set_needless(given[0], true);
        book.set_needless(at(500), true);
        assert_eq!((book.outstanding(), book.awaited()), (2, 1));
        assert_eq!(book.earliest(at(10), 1.0), at(12));
        book.set_needless(given[0], false);
        assert_eq!(book.awaited(), 3);
        book.set_needless(given[0], true);
        book.forget(at(11));
        assert_eq!((book.outstanding(), book.awaited()), (2, 2));
    }

    proptest! {
        #[test]
        fn no_slot_has_more_than_fit_and_none_is_passed_over(
            asks in proptest::collection::vec((any::<bool>(), 0..30_u64, 0..30_u64), 0..120),
        ) {
            let mut book = Book::new(3.0);
            let mut plain = BTreeMap::<u64, u32>::new();
            for (latest, from, len) in asks {
                let free = |plain: &BTreeMap<u64, u32>, slot: u64| plain.get(&slot).is_none_or(|n| *n < 3);
                let expected = match latest {
                    true => (from..=from + len).rev().find(|slot| free(&plain, *slot)),
                    false => (from..).find(|slot| free(&plain, *slot)),
                };
                let given = match latest {
                    true => book.latest(at(from), at(from + len), 3.0),
                    false => Some(book.earliest(at(from), 3.0)),
                };
                prop_assert_eq!(given, expected.map(at));
                if let Some(slot) = expected {
                    *plain.entry(slot).or_default() += 1;
                }
            }
        }
    }
}
