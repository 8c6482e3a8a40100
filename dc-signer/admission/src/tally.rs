//! How many of each group wait and are inside, in the orders that decide who is next and who has to go.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// The counts of a group.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) waiting: usize,
    pub(crate) inside: usize,
    /// When it had its last turn.
    pub(crate) turn: u64,
    /// Its number among those that have begun to wait, while somebody of it waits.
    came: u64,
}

impl Counts {
    const fn in_turn<K>(self, key: K) -> (usize, u64, u64, K) {
        (self.inside, self.turn, self.came, key)
    }

    const fn by_waiting<K>(self, key: K) -> (usize, u64, K) {
        (self.waiting, self.came, key)
    }

    const fn by_inside<K>(self, key: K) -> (usize, Reverse<u64>, K) {
        (self.inside, Reverse(self.turn), key)
    }
}

/// Groups, such as addresses or networks. Those that are alike go by when they came: nothing that a group is called, such as an
/// address, is better than another.
#[derive(Debug)]
pub(crate) struct Tally<K> {
    counts: HashMap<K, Counts>,
    changes: u64,
    /// Of those with somebody waiting: fewest inside first, then the longest without a turn, then the first to come.
    next: BTreeSet<(usize, u64, u64, K)>,
    /// Of those with somebody waiting: the most waiting last, and of these the last to come.
    waiting: BTreeSet<(usize, u64, K)>,
    /// Of those with somebody inside: the most inside last, and of these the longest without a turn.
    inside: BTreeSet<(usize, Reverse<u64>, K)>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self {
            counts: HashMap::new(),
            changes: 0,
            next: BTreeSet::new(),
            waiting: BTreeSet::new(),
            inside: BTreeSet::new(),
        }
    }
}

impl<K: Copy + Eq + Hash + Ord> Tally<K> {
    /// Changes the counts of a group, which is forgotten when nobody of it is left.
    pub(crate) fn change(&mut self, key: K, change: impl FnOnce(&mut Counts)) {
        let before = self.of(key);
        let mut after = before;
        change(&mut after);
        self.changes += 1;
        if before.waiting == 0 {
            after.came = self.changes;
        }
        if before.waiting > 0 {
            self.next.remove(&before.in_turn(key));
            self.waiting.remove(&before.by_waiting(key));
        }
        self.inside.remove(&before.by_inside(key));
        if after.waiting > 0 {
            self.next.insert(after.in_turn(key));
            self.waiting.insert(after.by_waiting(key));
        }
        if after.inside > 0 {
            self.inside.insert(after.by_inside(key));
        }
        match after.waiting + after.inside {
            0 => drop(self.counts.remove(&key)),
            _ => drop(self.counts.insert(key, after)),
        }
    }

    /// The counts of a group.
    pub(crate) fn of(&self, key: K) -> Counts {
        self.counts.get(&key).copied().unwrap_or_default()
    }

    /// The group whose turn it is.
    pub(crate) fn next(&self) -> Option<K> {
        self.next.first().map(|(.., key)| *key)
    }

    /// The group of which most wait.
    pub(crate) fn most_waiting(&self) -> Option<K> {
        self.waiting.last().map(|(.., key)| *key)
    }

    /// The group of which most are inside.
    pub(crate) fn most_inside(&self) -> Option<K> {
        self.inside.last().map(|(.., key)| *key)
    }

    /// Nobody is in any group.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}
