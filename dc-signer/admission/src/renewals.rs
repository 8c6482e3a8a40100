//! Renewals that wait, by the end of what the device holds, and the reservations of those that were sent away.

use std::collections::BTreeSet;
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

/// First those who come at the time that they were told and those whose credential is about to end, then the others; within each
/// those whose credential ends first.
pub(crate) type Rank = (bool, Duration, Id);

/// The waiting room of renewals, and their book.
#[derive(Debug)]
pub(crate) struct Renewals {
    waiting: BTreeSet<Rank>,
    book: Book,
}

impl Renewals {
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            waiting: BTreeSet::new(),
            book: Book::new(rate),
        }
    }

    /// Another rate, with a new book.
    pub(crate) fn change_rate(&mut self, rate: f64) {
        self.book = Book::new(rate);
    }

    /// One more waits, who comes at the time that it was told or not.
    pub(crate) fn enter(&mut self, id: Id, left: Left, in_time: bool, now: Duration) -> Rank {
        let (end, is_urgent) = match left {
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

    /// Reservations that somebody waits for.
    pub(crate) fn awaited(&mut self, now: Duration) -> u64 {
        self.book.forget(now);
        self.book.awaited()
    }

    /// Whoever has a reservation for a time was served before, or waits for it after all.
    pub(crate) fn set_needless(&mut self, at: Duration, is_needless: bool) {
        self.book.set_needless(at, is_needless);
    }

    /// The time for a device that cannot be served now to come, and whether that is too late for what it holds.
    ///
    /// It is the latest free slot that costs the device nothing, among those that are as soon as the service can be through
    /// with the others: so whoever comes later and has less time finds an earlier one free. Wherever slots can be given so
    /// that all devices are in time, this gives them so.
    pub(crate) fn reserve(&mut self, left: Left, now: Duration, rate: f64) -> (Duration, bool) {
        self.book.forget(now);
        let soon = now.saturating_add(LEAST_WAIT);
        let limit = now.saturating_add(most_wait(left));
        let backlog = count(self.book.outstanding() + 1) / rate.max(f64::MIN_POSITIVE);
        let backlog = Duration::try_from_secs_f64(backlog * LOOSE).unwrap_or(Duration::MAX);
        let horizon = now.saturating_add(backlog.max(LEAST_HORIZON));
        let slot = self.book.latest(soon, limit.min(horizon), rate);
        let at = slot.unwrap_or_else(|| self.book.earliest(limit.min(horizon), rate));
        (at, at > limit)
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
const LEAST_HORIZON: Duration = Duration::from_secs(300);
/// Reservations are spread over so many times the time that they take, so that most of it stays free for devices in a hurry and for
/// those that come meanwhile, which are then served with one request.
const LOOSE: f64 = 3.0;
