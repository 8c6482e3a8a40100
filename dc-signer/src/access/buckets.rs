//! Rate limits for many callers: a generic cell rate algorithm (GCRA), one moment each.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So often at once, and once more after each period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    pub(super) period: Duration,
    pub(super) burst: u32,
}

impl Quota {
    /// Counts one more, or says how long to wait. `full` is when nothing that was counted matters any more.
    pub(super) fn count(&self, full: Option<Instant>, now: Instant) -> Result<Instant, Duration> {
        let next = full.map_or(now, |full| full.max(now)) + self.period;
        let room = self.period.saturating_mul(self.burst);
        match next.duration_since(now).checked_sub(room) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(next),
        }
    }

    /// When nothing that was counted matters any more, if one fewer had been.
    pub(super) fn one_fewer(&self, full: Instant, now: Instant) -> Instant {
        full.checked_sub(self.period)
            .map_or(now, |full| full.max(now))
    }
}

/// Those whom an attacker cannot invent: all of them are kept as long as they matter.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    quota: Quota,
    hasher: RandomState,
    shards: [Mutex<HashMap<K, Instant>>; SHARDS],
}

impl<K: Eq + Hash> Buckets<K> {
    pub(super) fn new(quota: Quota) -> Self {
        Self {
            quota,
            hasher: RandomState::new(),
            shards: Default::default(),
        }
    }

    /// Counts one more of whoever it is, or says how long they have to wait.
    pub(super) fn count(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut shard = self.shard(&key);
        let full = self.quota.count(shard.get(&key).copied(), now)?;
        shard.insert(key, full);
        Ok(())
    }

    /// Forgets those who may come as often as if they had never come.
    pub(super) fn tidy(&self, now: Instant) {
        for shard in &self.shards {
            lock(shard).retain(|_, full| *full > now);
        }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, Instant>> {
        let hash = self.hasher.hash_one(key);
        let place = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let [first, ..] = &self.shards;
        lock(self.shards.get(place).unwrap_or(first))
    }
}

/// Those whom anybody can invent: when there are too many, those who came first are forgotten. Whoever invents keys gains
/// nothing by that, because a new key may come anyway.
#[derive(Debug)]
pub(super) struct Passing<K> {
    quota: Quota,
    most: usize,
    generations: Mutex<[HashMap<K, Instant>; 2]>,
}

impl<K: Eq + Hash> Passing<K> {
    pub(super) fn new(quota: Quota, most: usize) -> Self {
        Self {
            quota,
            most,
            generations: Mutex::default(),
        }
    }

    /// Counts one more of whoever it is, or says how long they have to wait.
    pub(super) fn count(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut generations = lock(&self.generations);
        let [young, old] = &mut *generations;
        let full = young.get(&key).or_else(|| old.get(&key)).copied();
        let full = self.quota.count(full, now)?;
        if young.len() >= self.most / 2 {
            *old = std::mem::take(young);
        }
        young.insert(key, full);
        Ok(())
    }

    /// How long whoever it is would have to wait, if at all.
    pub(super) fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let generations = lock(&self.generations);
        let full = generations.iter().find_map(|one| one.get(key)).copied();
        self.quota.count(full, now).err()
    }

    /// Counts one fewer.
    pub(super) fn give_back(&self, key: &K, now: Instant) {
        for generation in &mut *lock(&self.generations) {
            if let Some(full) = generation.get_mut(key) {
                *full = self.quota.one_fewer(*full, now);
                return;
            }
        }
    }

    /// Forgets those who may come as often as if they had never come.
    pub(super) fn tidy(&self, now: Instant) {
        for generation in &mut *lock(&self.generations) {
            generation.retain(|_, full| *full > now);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.generations).iter().map(HashMap::len).sum()
    }
}

/// Nothing that can panic is done while it is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_burst_comes_at_once_and_then_one_in_a_period() {
        let buckets = Buckets::new(Quota {
            period: 10 * SECOND,
            burst: 3,
        });
        let now = Instant::now();
        for _ in 0..3 {
            buckets.count("a", now).unwrap();
        }
        assert_eq!(buckets.count("a", now), Err(10 * SECOND));
        assert_eq!(buckets.count("a", now + 4 * SECOND), Err(6 * SECOND));
        buckets.count("b", now).unwrap();
        buckets.count("a", now + 10 * SECOND).unwrap();
        assert!(buckets.count("a", now + 10 * SECOND).is_err());
        buckets.tidy(now + 39 * SECOND);
        assert!(buckets.shard(&"a").contains_key("a"));
        buckets.tidy(now + 60 * SECOND);
        assert!(!buckets.shard(&"a").contains_key("a"));
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_one_a_period(
            burst in 1..5_u32,
            pauses in proptest::collection::vec(0..15_u64, 1..60),
        ) {
            let period = 10 * SECOND;
            let buckets = Buckets::new(Quota { period, burst });
            let passing = Passing::new(Quota { period, burst }, 10);
            let (began, mut now) = (Instant::now(), Instant::now());
            let mut times: Vec<Instant> = Vec::new();
            for pause in pauses {
                now += Duration::from_secs(pause);
                let counted = buckets.count((), now);
                prop_assert_eq!(passing.count((), now), counted);
                match counted {
                    Ok(()) => times.push(now),
                    // Whoever waits as long as they are told to gets in.
                    Err(wait) => {
                        now += wait;
                        prop_assert_eq!(buckets.count((), now), Ok(()));
                        prop_assert_eq!(passing.count((), now), Ok(()));
                        times.push(now);
                    }
                }
            }
            for (place, first) in times.iter().enumerate() {
                for (later, last) in times.iter().enumerate().skip(place) {
                    let periods = last.duration_since(*first).as_secs() / period.as_secs();
                    prop_assert!((later - place) as u64 <= periods + u64::from(burst), "{began:?}");
                }
            }
        }
    }
}
