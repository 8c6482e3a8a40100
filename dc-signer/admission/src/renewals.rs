//! Renewals that wait, by the end of what the device holds, and the reservations of those that were sent away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::book::Book;
use crate::id::Id;

/// How long the credential that a device holds is valid. The one who asks must not be who says it: look it up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Left {
    /// It ends after so long.
    For(Duration),
    /// It has ended, or there never was one.
    Ended,
}

/// A device that asks for its next credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Renewal {
    /// Its number, such as a part of the hash of its key.
    pub(crate) device: u64,
    pub(crate) left: Left,
}

/// First those who come at the time that they were told and those whose credential is about to end, then the others; within each
/// those whose credential ends first.
pub(crate) type Rank = (bool, Duration, Id);

/// The waiting room of renewals, and their book.
#[derive(Debug)]
pub(crate) struct Renewals {
    waiting: BTreeSet<Rank>,
    book: Book,
    /// The time that each device that was sent away was told to come at.
    told: HashMap<u64, Duration>,
    /// The same devices, by when that does not count any more.
    forget: BTreeMap<Duration, Vec<u64>>,
}

impl Renewals {
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            waiting: BTreeSet::new(),
            book: Book::new(rate),
            told: HashMap::new(),
            forget: BTreeMap::new(),
        }
    }

    /// Another rate, with a new book.
    pub(crate) fn change_rate(&mut self, rate: f64) {
        self.book = Book::new(rate);
    }

    /// One more waits.
    pub(crate) fn enter(&mut self, id: Id, renewal: Renewal, now: Duration) -> Rank {
        let in_time = self.is_expected(renewal.device, now);
        let (end, is_urgent) = match renewal.left {
            Left::For(left) => (now.saturating_add(left), left < URGENT),
            // What is lost can wait for what can still be saved, but not for what has days.
            Left::Ended => (now.saturating_add(URGENT), false),
        };
        let rank = (!(in_time || is_urgent), end, id);
        self.waiting.insert(rank);
        rank
    }

    /// The first, who waits no more.
    pub(crate) fn first(&mut self) -> Option<Id> {
        self.waiting.pop_first().map(|(_, _, id)| id)
    }

    /// The last, who stays.
    pub(crate) fn last(&self) -> Option<Id> {
        self.waiting.last().map(|(_, _, id)| *id)
    }

    pub(crate) fn take_out(&mut self, rank: &Rank) {
        self.waiting.remove(rank);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Reservations that are still to come.
    pub(crate) fn outstanding(&self) -> u64 {
        self.book.outstanding()
    }

    /// Somebody else has told a device to come at a time. It is kept as if it had been told here, but takes no slot.
    pub(crate) fn hear(&mut self, device: u64, at: Duration, now: Duration) {
        self.forget(now);
        if self.told.get(&device).is_none_or(|known| *known < at) {
            self.remember(device, at, now);
        }
    }

    /// True if the time that a device was told has come.
    pub(crate) fn is_expected(&self, device: u64, now: Duration) -> bool {
        let told = self.told.get(&device);
        told.is_some_and(|at| *at <= now.saturating_add(EARLY))
    }

    /// It is served, so that its reservation has done its part.
    pub(crate) fn served(&mut self, device: u64) {
        self.told.remove(&device);
    }

    /// The time for a device that cannot be served now to come, and whether that is too late for what it holds. Whoever comes before its
    /// time is told the same again.
    ///
    /// It is the latest free slot that costs the device nothing, among those that are as soon as the service can be through
    /// with the others: so whoever comes later and has less time finds an earlier one free. Wherever slots can be given so
    /// that all devices are in time, this gives them so.
    pub(crate) fn reserve(
        &mut self,
        renewal: Renewal,
        now: Duration,
        rate: f64,
    ) -> (Duration, bool) {
        self.forget(now);
        let told = self.told.get(&renewal.device);
        if let Some(at) = told.copied().filter(|at| *at > now.saturating_add(EARLY)) {
            return (at, false);
        }
        let soon = now.saturating_add(LEAST_WAIT);
        let limit = now.saturating_add(most_wait(renewal.left));
        let backlog = count(self.book.outstanding() + 1) / rate.max(f64::MIN_POSITIVE);
        let backlog = Duration::try_from_secs_f64(backlog * LOOSE).unwrap_or(Duration::MAX);
        let horizon = now.saturating_add(backlog.max(LEAST_HORIZON));
        let slot = self.book.latest(soon, limit.min(horizon), rate);
        let at = slot.unwrap_or_else(|| self.book.earliest(limit.min(horizon), rate));
        self.remember(renewal.device, at, now);
        (at, at > limit)
    }

    fn remember(&mut self, device: u64, at: Duration, now: Duration) {
        if self.told.len() >= MOST_TOLD {
            return;
        }
        self.told.insert(device, at);
        // A tenth of the wait later is what a cautious client makes of it.
        let grace = (at.saturating_sub(now) / 8).max(LEAST_GRACE);
        let until = Duration::from_secs(at.saturating_add(grace).as_secs());
        self.forget.entry(until).or_default().push(device);
    }

    fn forget(&mut self, now: Duration) {
        self.book.forget(now);
        while let Some(entry) = self
            .forget
            .first_entry()
            .filter(|entry| *entry.key() <= now)
        {
            for device in entry.remove() {
                // It may have been told another time since.
                if self.told.get(&device).is_some_and(|at| *at < now) {
                    self.told.remove(&device);
                }
            }
        }
    }
}

/// The longest that a device can be sent away for without harm: half of what it has left, which is also the longest that it
/// obeys.
fn most_wait(left: Left) -> Duration {
    match left {
        Left::For(left) => (left / 2).clamp(LEAST_MOST, DAY),
        Left::Ended => ENDED_MOST,
    }
}

fn count(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Less than this is never obeyed.
const LEAST_WAIT: Duration = Duration::from_secs(60);
const LEAST_MOST: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);
const ENDED_MOST: Duration = Duration::from_secs(4 * 3600);
/// A device with less left is not sent away for anybody who has more.
const URGENT: Duration = Duration::from_secs(1800);
/// Clocks are not the same to the second.
const EARLY: Duration = Duration::from_secs(1);
const LEAST_GRACE: Duration = Duration::from_secs(120);
const LEAST_HORIZON: Duration = Duration::from_secs(300);
/// Reservations are spread over so many times the time that they take, so that most of it stays free for devices in a hurry and for
/// those that come meanwhile, which are then served with one request.
const LOOSE: f64 = 3.0;
/// About 60 MB. Those beyond are given a slot that nobody remembers.
const MOST_TOLD: usize = 1_000_000;
