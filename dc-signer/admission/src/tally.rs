//! How many of each group wait and are inside, in the orders that decide who is next and who has to go.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// The counts of a group.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) waiting: usize,
    pub(crate) inside: usize,
    /// When it had its last turn.
    pub(crate) turn: u64,
}

/// Groups, such as addresses or networks.
#[derive(Debug)]
pub(crate) struct Tally<K> {
    counts: HashMap<K, Counts>,
    /// Of those with somebody waiting: fewest inside first, then the longest without a turn.
    next: BTreeSet<(usize, u64, K)>,
    /// Of those with somebody waiting: the most waiting last.
    waiting: BTreeSet<(usize, K)>,
    /// Of those with somebody inside: the most inside last.
    inside: BTreeSet<(usize, K)>,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self {
            counts: HashMap::new(),
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
        if before.waiting > 0 {
            self.next.remove(&(before.inside, before.turn, key));
            self.waiting.remove(&(before.waiting, key));
        }
        self.inside.remove(&(before.inside, key));
        if after.waiting > 0 {
            self.next.insert((after.inside, after.turn, key));
            self.waiting.insert((after.waiting, key));
        }
        if after.inside > 0 {
            self.inside.insert((after.inside, key));
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
        self.next.first().map(|(_, _, key)| *key)
    }

    /// The group of which most wait.
    pub(crate) fn most_waiting(&self) -> Option<K> {
        self.waiting.last().map(|(_, key)| *key)
    }

    /// The group of which most are inside.
    pub(crate) fn most_inside(&self) -> Option<K> {
        self.inside.last().map(|(_, key)| *key)
    }

    /// Nobody is in any group.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}
