//! Enrolments that wait: fair turns by where they come from, because nothing else of them cannot be invented.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::book::Book;
use crate::id::Id;
use crate::whence::Whence;

/// First those who come at the time that they were told, then the others by the round that they are in; within it whoever came first.
pub(crate) type Turn = (bool, u64, Id);

/// The waiting room of enrolments, and their book.
#[derive(Debug)]
pub(crate) struct Enrolments {
    waiting: BTreeSet<Turn>,
    /// The latest round of each address that is not over.
    rounds: HashMap<Whence, u64>,
    round: u64,
    book: Book,
}

impl Enrolments {
    pub(crate) fn new(rate: f64) -> Self {
        Self {
            waiting: BTreeSet::new(),
            rounds: HashMap::new(),
            round: 0,
            book: Book::new(rate),
        }
    }

    /// Another rate, with a new book.
    pub(crate) fn change_rate(&mut self, rate: f64) {
        self.book = Book::new(rate);
    }

    /// One more waits, who comes at the time that it was told or not: each address is in a round once.
    pub(crate) fn enter(&mut self, id: Id, whence: Whence, in_time: bool) -> Turn {
        let turn = match in_time {
            true => (false, 0, id),
            false => (true, self.next_round(whence), id),
        };
        self.waiting.insert(turn);
        turn
    }

    fn next_round(&mut self, whence: Whence) -> u64 {
        if self.rounds.len() >= MOST_ROUNDS {
            self.rounds.retain(|_, round| *round > self.round);
        }
        let last = self.rounds.get(&whence).copied().unwrap_or(0);
        let round = last.max(self.round) + 1;
        self.rounds.insert(whence, round);
        round
    }

    /// The first, who waits no more.
    pub(crate) fn first(&mut self) -> Option<Id> {
        let (_, round, id) = self.waiting.pop_first()?;
        self.round = self.round.max(round.saturating_sub(1));
        Some(id)
    }

    /// The last, who stays.
    pub(crate) fn last(&self) -> Option<Id> {
        self.waiting.last().map(|(_, _, id)| *id)
    }

    pub(crate) fn take_out(&mut self, turn: &Turn) {
        self.waiting.remove(turn);
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

    /// The time for one that cannot be served now to come: as soon as possible, because a person waits beside the device.
    pub(crate) fn reserve(&mut self, now: Duration, rate: f64) -> Duration {
        self.book.forget(now);
        let latest = now.saturating_add(MOST_WAIT);
        self.book
            .earliest(now.saturating_add(LEAST_WAIT), rate)
            .min(latest)
    }
}

const LEAST_WAIT: Duration = Duration::from_secs(60);
const MOST_WAIT: Duration = Duration::from_secs(4 * 3600);
/// Few MB.
const MOST_ROUNDS: usize = 20_000;
