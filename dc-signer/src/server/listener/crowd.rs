//! A crowd of which somebody can be sent away: the oldest of the address that most have come from, so that a flood from one
//! host costs nobody but that host.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::address::Prefix;

/// Those who may be sent away, by age and by where they come from.
#[derive(Debug)]
pub(super) struct Crowd<V> {
    places: HashMap<Prefix, BTreeMap<u64, V>>,
    /// The same places, the fullest last; of those that are as full, the one with the oldest in it.
    order: BTreeSet<(usize, Reverse<u64>, Prefix)>,
    len: usize,
}

impl<V> Default for Crowd<V> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            order: BTreeSet::new(),
            len: 0,
        }
    }
}

impl<V> Crowd<V> {
    /// One more, older than whoever comes with a higher number.
    pub(super) fn insert(&mut self, prefix: Prefix, number: u64, value: V) {
        self.change(prefix, |place| place.insert(number, value));
        self.len += 1;
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, prefix: Prefix, number: u64) -> Option<V> {
        let removed = self.change(prefix, |place| place.remove(&number));
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Takes the oldest of one address out.
    pub(super) fn oldest_of(&mut self, prefix: Prefix) -> Option<V> {
        let oldest = self.change(prefix, BTreeMap::pop_first);
        self.len -= usize::from(oldest.is_some());
        oldest.map(|(_, value)| value)
    }

    /// Takes the oldest of the fullest address out.
    pub(super) fn oldest_of_fullest(&mut self) -> Option<V> {
        let (_, _, prefix) = *self.order.last()?;
        self.oldest_of(prefix)
    }

    /// The number of the fullest address.
    pub(super) fn fullest(&self) -> usize {
        self.order.last().map_or(0, |(len, _, _)| *len)
    }

    /// The number of one address, or else of the fullest.
    pub(super) fn most(&self, prefix: Option<Prefix>) -> usize {
        match prefix {
            Some(prefix) => self.places.get(&prefix).map_or(0, BTreeMap::len),
            None => self.fullest(),
        }
    }

    /// The number of all.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn change<T>(&mut self, prefix: Prefix, change: impl FnOnce(&mut BTreeMap<u64, V>) -> T) -> T {
        let place = self.places.entry(prefix).or_default();
        if let Some(key) = key(prefix, place) {
            self.order.remove(&key);
        }
        let changed = change(place);
        match key(prefix, place) {
            Some(key) => drop(self.order.insert(key)),
            None => drop(self.places.remove(&prefix)),
        }
        changed
    }
}

fn key<V>(prefix: Prefix, place: &BTreeMap<u64, V>) -> Option<(usize, Reverse<u64>, Prefix)> {
    let (oldest, _) = place.first_key_value()?;
    Some((place.len(), Reverse(*oldest), prefix))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn prefix(host: u8) -> Prefix {
        IpAddr::from([127, 0, 0, host]).into()
    }

    #[test]
    fn the_oldest_of_the_fullest_address_goes_first_and_among_equals_the_oldest_of_all() {
        let mut crowd = Crowd::default();
        for (number, host) in [(0, 1), (1, 2), (2, 2), (3, 3), (4, 2)] {
            crowd.insert(prefix(host), number, number);
        }
        let order: Vec<u64> = std::iter::from_fn(|| crowd.oldest_of_fullest()).collect();
        assert_eq!(order, [1, 2, 0, 3, 4]);
        assert_eq!((crowd.len(), crowd.fullest()), (0, 0));
        assert!(crowd.places.is_empty() && crowd.order.is_empty());
    }

    proptest! {
        #[test]
        fn what_it_keeps_in_order_is_what_is_in_it(acts in proptest::collection::vec((0..4_u8, 0..3_u8, 0..20_u64), 0..60)) {
            let mut crowd = Crowd::default();
            let mut plain = BTreeMap::new();
            for (act, host, number) in acts {
                match act {
                    0 | 1 if !plain.contains_key(&number) => {
                        crowd.insert(prefix(host), number, number);
                        plain.insert(number, host);
                    }
                    2 => {
                        let there = plain.get(&number) == Some(&host);
                        prop_assert_eq!(crowd.remove(prefix(host), number).is_some(), there);
                        if there {
                            plain.remove(&number);
                        }
                    }
                    _ => {
                        let of = |host: u8| plain.values().filter(|of| **of == host).count();
                        let expected = plain.iter().max_by_key(|(number, host)| (of(**host), Reverse(**number)));
                        let expected = expected.map(|(number, _)| *number);
                        prop_assert_eq!(crowd.oldest_of_fullest(), expected);
                        if let Some(number) = expected {
                            plain.remove(&number);
                        }
                    }
                }
                prop_assert_eq!(crowd.len(), plain.len());
            }
        }
    }
}
