//! Limits on how often a device or an operator may come: devices all signers together, strangers and operators each signer alone.

use std::time::{Duration, Instant};

use super::buckets::{Buckets, Passing, Quota};
use super::together::{Among, Together};
use crate::config::Limits;
use dc_store::LimitsUsed;
use dc_store::registry::Sha256;

/// The buckets. Devices that are known here have theirs apart from those of keys that anybody can invent.
#[derive(Debug)]
pub struct RateLimits {
    configured: Limits,
    devices: Together,
    strangers: Passing<Sha256>,
    given_back: Passing<Sha256>,
    operators: Buckets<String>,
}

/// The kind of bucket that a key was counted in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Counted {
    AsDevice,
    AsStranger,
}

impl RateLimits {
    /// Empty buckets, as large as a configuration says.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let device = Quota {
            period: limits.device_period,
            burst: limits.device_burst.get(),
        };
        let operator = Quota {
            period: Duration::from_secs(1) / limits.operator_rate.get(),
            burst: limits.operator_rate.get(),
        };
        Self {
            configured: *limits,
            devices: Together::new(device),
            strangers: Passing::new(device, MAX_STRANGERS),
            given_back: Passing::new(
                Quota {
                    period: GIVE_BACK,
                    ..device
                },
                MAX_STRANGERS,
            ),
            operators: Buckets::new(operator),
        }
    }

    /// The configuration they were made from.
    #[must_use]
    pub fn configured(&self) -> &Limits {
        &self.configured
    }

    /// Lets the holder of an enrolment key through, or says after how many seconds to come again.
    pub(super) fn device(&self, key: &Sha256, now: Instant) -> Result<Counted, u64> {
        if let Some(wait) = self.given_back.wait(key, now) {
            return Err(seconds(wait));
        }
        let counted = match self.devices.count_if_here(key, now) {
            Some(counted) => counted.map(|()| Counted::AsDevice),
            None => self
                .strangers
                .count(*key, now)
                .map(|()| Counted::AsStranger),
        };
        counted.map_err(seconds)
    }

    /// Remembers that the holder of a key, counted as a stranger's, is a device.
    pub(super) fn remember_device(&self, key: &Sha256, now: Instant) {
        // It was let through, so whether it may come once more is for the next time.
        let _ = self.devices.count(*key, now);
    }

    /// Gives back what the holder of a key was counted for when the service itself failed. After a burst of that they come once a minute:
    /// a device that asks without a pause is held off from a service that has its own troubles.
    pub(super) fn give_back(&self, key: &Sha256, counted: Counted, now: Instant) {
        // Those that were under way together are all given back.
        let _ = self.given_back.count(*key, now);
        match counted {
            Counted::AsDevice => self.devices.give_back(key, now),
            Counted::AsStranger => self.strangers.give_back(key, now),
        }
    }

    /// Lets an operator through, or says after how many seconds to come again.
    pub(super) fn operator(&self, name: &str, now: Instant) -> Result<(), u64> {
        self.operators.count(name.to_owned(), now).map_err(seconds)
    }

    /// The uses of devices that the other signers are to be told, and the last exchange that was heard of.
    pub(super) fn untold(&self) -> (Vec<(Sha256, u32)>, i64) {
        self.devices.untold()
    }

    /// They were told, and have told.
    pub(super) fn exchanged(
        &self,
        told: &[(Sha256, u32)],
        heard: &LimitsUsed,
        among: Among,
        now: Instant,
    ) {
        let LimitsUsed { number, lasts } = heard;
        self.devices.exchanged(told, lasts, *number, among, now);
    }

    /// Forgets those who may come anyway.
    pub(super) fn tidy(&self, now: Instant) {
        self.devices.tidy(now);
        self.strangers.tidy(now);
        self.given_back.tidy(now);
        self.operators.tidy(now);
    }
}

/// Rounded up, because whoever comes too early is told to wait again.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// How often they come then.
const GIVE_BACK: Duration = Duration::from_secs(60);
/// About 10 MB.
const MAX_STRANGERS: usize = 100_000;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limits(burst: u32) -> RateLimits {
        RateLimits::new(&Limits {
            device_period: Duration::from_secs(3600),
            device_burst: NonZeroU32::new(burst).unwrap(),
            operator_rate: NonZeroU32::new(1).unwrap(),
        })
    }

    #[test]
    fn a_device_may_come_as_often_as_the_burst_and_then_once_in_a_period() {
        let (limits, now) = (limits(3), Instant::now());
        let (one, other) = (Sha256::of(b"one"), Sha256::of(b"other"));
        for _ in 0..3 {
            limits.device(&one, now).unwrap();
        }
        assert_eq!(limits.device(&one, now).unwrap_err(), 3600);
        limits.device(&other, now).unwrap();
        limits.tidy(now);
        assert!(limits.device(&one, now).is_err());
    }

    #[test]
    fn a_million_invented_keys_take_neither_a_devices_limit_away_nor_their_own_nor_much_memory() {
        let (limits, now) = (limits(3), Instant::now());
        let device = Sha256::of(b"device");
        assert_eq!(limits.device(&device, now).unwrap(), Counted::AsStranger);
        limits.remember_device(&device, now);
        for _ in 0..2 {
            assert_eq!(limits.device(&device, now).unwrap(), Counted::AsDevice);
        }
        for number in 0..1_100_000_u32 {
            let invented = Sha256::of(&number.to_be_bytes());
            limits.device(&invented, now).unwrap();
        }
        limits.tidy(now);
        assert!(limits.device(&device, now).is_err());
        let last = Sha256::of(&1_099_999_u32.to_be_bytes());
        limits.device(&last, now).unwrap();
        limits.device(&last, now).unwrap();
        assert!(limits.device(&last, now).is_err());
        assert!(limits.strangers.len() <= MAX_STRANGERS);
    }

    #[test]
    fn what_the_service_could_not_do_is_given_back_and_whoever_hammers_is_held_off() {
        let (limits, now) = (limits(3), Instant::now());
        let (device, stranger) = (Sha256::of(b"device"), Sha256::of(b"stranger"));
        limits.remember_device(&device, now);
        // It has come once already.
        for (key, left) in [(device, 2), (stranger, 3)] {
            let failing = |at| {
                let counted = limits.device(&key, at);
                counted.map(|counted| limits.give_back(&key, counted, at))
            };
            for _ in 0..3 {
                failing(now).unwrap();
            }
            assert_eq!(failing(now), Err(60));
            let later = now + GIVE_BACK;
            failing(later).unwrap();
            assert_eq!(failing(later), Err(60));
            // All that it may itself is left.
            let well = later + GIVE_BACK;
            for _ in 0..left {
                limits.device(&key, well).unwrap();
            }
            assert!(limits.device(&key, well).unwrap_err() > 3000);
        }
    }

    #[test]
    fn an_operator_has_a_bucket_of_its_own() {
        let (limits, now) = (limits(1), Instant::now());
        limits.operator("alice", now).unwrap();
        assert!(limits.operator("alice", now).is_err());
        limits.operator("bob", now).unwrap();
    }
}
