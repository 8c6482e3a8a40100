//! How often a device or an operator may come: GCRA, one bucket each.

use std::hash::Hash;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::problem::Refused;
use crate::config::Limits;
use crate::protocol::Kind;
use crate::registry::Sha256;

/// The buckets. A limiter that cannot tell lets through: it protects the service, not its secrets.
#[derive(Debug)]
pub(super) struct RateLimits {
    configured: Limits,
    devices: DefaultKeyedRateLimiter<Sha256>,
    operators: DefaultKeyedRateLimiter<String>,
}

impl RateLimits {
    pub(super) fn new(limits: &Limits) -> Self {
        // A period of zero does not get through the configuration.
        let device = Quota::with_period(limits.device_period)
            .unwrap_or_else(|| Quota::per_hour(limits.device_burst))
            .allow_burst(limits.device_burst);
        Self {
            configured: *limits,
            devices: DefaultKeyedRateLimiter::keyed(device),
            operators: DefaultKeyedRateLimiter::keyed(Quota::per_second(limits.operator_rate)),
        }
    }

    /// What they were made from.
    pub(super) fn configured(&self) -> &Limits {
        &self.configured
    }

    /// Lets the holder of an enrolment key through, or says when to come again.
    pub(super) fn device(&self, key: &Sha256) -> Result<(), Refused> {
        check(&self.devices, key)
            .map_err(|seconds| too_often("this device has come too often", seconds))
    }

    /// The same for an operator.
    pub(super) fn operator(&self, name: &str) -> Result<(), Refused> {
        self.operator_wait(name)
            .map_err(|seconds| too_often("you have come too often", seconds))
    }

    /// The same; says after how many seconds to come again.
    pub(super) fn operator_wait(&self, name: &str) -> Result<(), u64> {
        check(&self.operators, &name.to_owned())
    }

    /// Forgets those who may come anyway.
    pub(super) fn tidy(&self) {
        self.devices.retain_recent();
        self.operators.retain_recent();
    }
}

/// Says after how many seconds to come again.
fn check<K: Clone + Eq + Hash>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), u64> {
    // Whoever invents keys must not fill the memory.
    if limiter.len() > MAX_KEYS {
        return Ok(());
    }
    limiter.check_key(key).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        wait.as_secs() + 1
    })
}

fn too_often(said: &str, seconds: u64) -> Refused {
    let detail = format!("{said}: come again in {seconds} s");
    Refused::new(Kind::RateLimited, detail).after(seconds)
}

/// About 100 MB.
const MAX_KEYS: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

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
        let limits = limits(3);
        let (one, other) = (Sha256::of(b"one"), Sha256::of(b"other"));
        for _ in 0..3 {
            limits.device(&one).unwrap();
        }
        let problem = limits.device(&one).unwrap_err().into_problem();
        assert_eq!(problem.kind(), Some(Kind::RateLimited));
        assert!(problem.detail.contains("come again in 3"), "{problem:?}");
        limits.device(&other).unwrap();
        limits.tidy();
        assert!(limits.device(&one).is_err());
    }

    #[test]
    fn an_operator_has_a_bucket_of_its_own() {
        let limits = limits(1);
        limits.operator("alice").unwrap();
        assert!(limits.operator("alice").is_err());
        limits.operator("bob").unwrap();
    }
}
