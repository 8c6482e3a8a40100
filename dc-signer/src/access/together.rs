//! Limits on how often devices come, which all signers of a database have together.
//!
//! Each counts for itself, so that no request waits for it, and they tell each other every few seconds. Meanwhile each has a share of
//! what is left of a device's limit: so all of them together never let a device come more often than it may, however it spreads
//! its requests, as long as each knows how many they are. A share that is used up is back five exchanges later.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::buckets::Quota;
use dc_store::registry::Sha256;

/// Devices that are known here, with what all signers have counted of them.
#[derive(Debug)]
pub(super) struct Together {
    quota: Quota,
    hasher: RandomState,
    shards: [Mutex<HashMap<Sha256, Count>>; SHARDS],
    /// The last exchange that this signer has heard of.
    since: AtomicI64,
    signers: AtomicU32,
    place: AtomicU32,
}

/// How often one device came.
#[derive(Clone, Copy, Debug)]
struct Count {
    /// When nothing of it matters any more, as far as this signer knows.
    full: Instant,
    /// Times that the others do not know of yet.
    untold: u32,
    /// Times that they were told of in the last exchanges. After two of these all others know of them; after four this signer knows of all
    /// that anybody has counted without knowing of what others had counted meanwhile, and so of what is left to share.
    told: [u32; 4],
}

impl Count {
    fn new(now: Instant) -> Self {
        Self {
            full: now,
            untold: 0,
            told: [0; 4],
        }
    }

    /// Times that not all others may know of.
    fn own(&self) -> u32 {
        let told = self
            .told
            .iter()
            .fold(0_u32, |sum, one| sum.saturating_add(*one));
        told.saturating_add(self.untold)
    }
}

/// The place of a signer among those that share a database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Among {
    /// How many they are.
    pub(crate) signers: u32,
    /// How many of them come before this one.
    pub(crate) place: u32,
}

impl Together {
    pub(super) fn new(quota: Quota) -> Self {
        Self {
            quota,
            hasher: RandomState::new(),
            shards: Default::default(),
            since: 0.into(),
            signers: 1.into(),
            place: 0.into(),
        }
    }

    /// Counts one more of whoever it is, or says how long they have to wait.
    pub(super) fn count(&self, key: Sha256, now: Instant) -> Result<(), Duration> {
        let mut shard = self.shard(&key);
        let counted = self.one_more(&key, shard.get(&key), now)?;
        shard.insert(key, counted);
        Ok(())
    }

    /// The same of those alone who are here already; none of others.
    pub(super) fn count_if_here(&self, key: &Sha256, now: Instant) -> Option<Result<(), Duration>> {
        let mut shard = self.shard(key);
        let count = shard.get_mut(key)?;
        let counted = self.one_more(key, Some(count), now);
        Some(counted.map(|counted| *count = counted))
    }

    /// Counts one fewer, unless the others know of it already.
    pub(super) fn give_back(&self, key: &Sha256, now: Instant) {
        let mut shard = self.shard(key);
        if let Some(count) = shard.get_mut(key).filter(|count| count.untold > 0) {
            count.untold -= 1;
            count.full = self.quota.one_fewer(count.full, now);
        }
    }

    fn one_more(
        &self,
        key: &Sha256,
        count: Option<&Count>,
        now: Instant,
    ) -> Result<Count, Duration> {
        let count = count.copied().unwrap_or_else(|| Count::new(now));
        let full = self.quota.count(Some(count.full), now)?;
        match count.own() < self.share(key, &count, now) {
            true => Ok(Count {
                full,
                untold: count.untold.saturating_add(1),
                ..count
            }),
            false => Err(FIVE_EXCHANGES),
        }
    }

    /// This signer's share of what was left before it counted what the others may not know.
    fn share(&self, key: &Sha256, count: &Count, now: Instant) -> u32 {
        let signers = self.signers.load(Ordering::Relaxed).max(1);
        if signers == 1 {
            return u32::MAX;
        }
        let lasts = count.full.saturating_duration_since(now);
        let own = self.quota.period.saturating_mul(count.own());
        let others = lasts.saturating_sub(own);
        let room = self.quota.period.saturating_mul(self.quota.burst);
        let left = room.saturating_sub(others).as_nanos() / self.quota.period.as_nanos().max(1);
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        // What does not come out even goes to others for each device.
        let turn = u32::from(key.as_bytes()[0]).wrapping_add(self.place.load(Ordering::Relaxed));
        left / signers + u32::from(turn % signers < left % signers)
    }

    /// The uses that the others are to be told, and the last exchange that was heard of.
    pub(super) fn untold(&self) -> (Vec<(Sha256, u32)>, i64) {
        let mut untold = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            let some = shard.iter().filter(|(_, count)| count.untold > 0);
            untold.extend(some.map(|(key, count)| (*key, count.untold)));
        }
        (untold, self.since.load(Ordering::Relaxed))
    }

    /// They were told, and have told: when nothing of each device matters any more, in the exchange of this number.
    pub(super) fn exchanged(
        &self,
        told: &[(Sha256, u32)],
        heard: &[(Sha256, Duration)],
        number: i64,
        among: Among,
        now: Instant,
    ) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            for count in shard.values_mut() {
                let [first, second, third, _] = count.told;
                count.told = [0, first, second, third];
            }
        }
        for (key, times) in told {
            if let Some(count) = self.shard(key).get_mut(key) {
                count.untold = count.untold.saturating_sub(*times);
                count.told[0] = *times;
            }
        }
        let room = self.quota.period.saturating_mul(self.quota.burst);
        for (key, lasts) in heard {
            let mut shard = self.shard(key);
            let count = shard.entry(*key).or_insert_with(|| Count::new(now));
            // Nobody has counted more: what says so is of a clock that was wrong.
            let lasts = *lasts.min(&room);
            count.full = now + lasts + self.quota.period.saturating_mul(count.untold);
        }
        self.since.store(number, Ordering::Relaxed);
        self.signers.store(among.signers, Ordering::Relaxed);
        self.place.store(among.place, Ordering::Relaxed);
    }

    /// Forgets those who may come as often as if they had never come, once the others know that they came.
    pub(super) fn tidy(&self, now: Instant) {
        for shard in &self.shards {
            lock(shard).retain(|_, count| count.full > now || count.untold > 0);
        }
    }

    fn shard(&self, key: &Sha256) -> MutexGuard<'_, HashMap<Sha256, Count>> {
        let hash = self.hasher.hash_one(key);
        let place = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let [first, ..] = &self.shards;
        lock(self.shards.get(place).unwrap_or(first))
    }
}

/// Nothing that can panic is done while it is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 16;
/// An exchange comes every five seconds.
const FIVE_EXCHANGES: Duration = Duration::from_secs(25);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(3600);

    fn one_of(signers: u32, place: u32, burst: u32) -> Together {
        let together = Together::new(Quota {
            period: PERIOD,
            burst,
        });
        let among = Among { signers, place };
        together.exchanged(&[], &[], 0, among, Instant::now());
        together
    }

    /// The same as the database does: see the tests of `exchange_limits`.
    #[derive(Default)]
    struct Table {
        number: i64,
        rows: HashMap<Sha256, (Instant, i64)>,
    }

    impl Table {
        fn exchange(&mut self, signer: &Together, among: Among, now: Instant) {
            let (untold, since) = signer.untold();
            self.number += 1;
            for (key, times) in &untold {
                let (full, number) = self.rows.entry(*key).or_insert((now, 0));
                *full = (*full).max(now) + PERIOD * *times;
                *number = self.number;
            }
            let heard = self.rows.iter().filter(|(_, (_, number))| *number > since);
            let heard: Vec<_> = heard
                .map(|(key, (full, _))| (*key, full.saturating_duration_since(now)))
                .collect();
            signer.exchanged(&untold, &heard, self.number, among, now);
        }
    }

    #[test]
    fn one_signer_alone_lets_a_device_come_as_often_as_it_may_and_remembers_it_when_it_starts_anew()
    {
        let (signer, now) = (one_of(1, 0, 5), Instant::now());
        let key = Sha256::of(b"device");
        for _ in 0..5 {
            signer.count(key, now).unwrap();
        }
        assert_eq!(signer.count(key, now), Err(PERIOD));
        let (mut table, among) = (
            Table::default(),
            Among {
                signers: 1,
                place: 0,
            },
        );
        table.exchange(&signer, among, now);
        let next = one_of(1, 0, 5);
        table.exchange(&next, among, now);
        assert_eq!(next.count(key, now), Err(PERIOD));
        next.count(key, now + PERIOD).unwrap();
        assert!(next.count(key, now + PERIOD).is_err());
    }

    #[test]
    fn a_device_that_keeps_to_one_of_three_gets_on_from_exchange_to_exchange() {
        let signers: Vec<Together> = (0..3).map(|place| one_of(3, place, 9)).collect();
        let (mut table, mut now) = (Table::default(), Instant::now());
        let key = Sha256::of(b"device");
        let mut times = 0;
        for _ in 0..20 {
            while signers[0].count(key, now).is_ok() {
                times += 1;
            }
            for (place, signer) in (0..).zip(&signers) {
                table.exchange(signer, Among { signers: 3, place }, now);
            }
            now += Duration::from_secs(5);
        }
        assert!((7..=9).contains(&times), "{times}");
    }

    #[test]
    fn nobody_waits_longer_than_for_what_may_be_counted_whatever_another_signer_says() {
        let (signer, now) = (one_of(2, 0, 5), Instant::now());
        let key = Sha256::of(b"device");
        let among = Among {
            signers: 2,
            place: 0,
        };
        let heard = [(key, Duration::from_secs(40 * 86_400))];
        signer.exchanged(&[], &heard, 1, among, now);
        assert_eq!(signer.count(key, now), Err(PERIOD));
    }

    proptest! {
        /// With exchanges each five seconds or a little later, at moments of its own for each signer, and requests wherever the
        /// device likes.
        #[test]
        fn all_together_never_let_a_device_come_more_often_than_it_may(
            burst in 1..8_u32,
            offsets in proptest::collection::vec(0..5000_u64, 1..5),
            late in proptest::collection::vec(0..2000_u64, 17),
            requests in proptest::collection::vec((0..4000_u64, 0..5_usize), 1..80),
        ) {
            let count = u32::try_from(offsets.len()).unwrap();
            let signers: Vec<Together> = (0..count).map(|place| one_of(count, place, burst)).collect();
            let mut exchanges: Vec<(u64, u32)> = Vec::new();
            for (place, offset) in (0..).zip(&offsets) {
                let times = (0..70).zip(late.iter().cycle().skip(usize::try_from(place).unwrap()));
                exchanges.extend(times.map(|(number, late)| (number * 5000 + offset + late, place)));
            }
            exchanges.sort_unstable();
            let mut exchanges = exchanges.into_iter().peekable();
            let (mut table, began, mut clock) = (Table::default(), Instant::now(), 0);
            let (key, mut let_in) = (Sha256::of(b"device"), 0_u32);
            for (pause, wants) in requests {
                clock += pause;
                while let Some((at, place)) = exchanges.next_if(|(at, _)| *at <= clock) {
                    let now = began + Duration::from_millis(at);
                    let signer = &signers[usize::try_from(place).unwrap()];
                    table.exchange(signer, Among { signers: count, place }, now);
                }
                let now = began + Duration::from_millis(clock);
                let_in += u32::from(signers[wants % signers.len()].count(key, now).is_ok());
            }
            // All of it takes less than a period.
            prop_assert!(let_in <= burst, "{let_in} of {burst}");
        }
    }
}
