//! `[overload]`: how much is answered when more come than can be, and in which order.

use std::time::Duration;

use dc_admission::AdmissionLimits;
use serde::{Deserialize, Deserializer};

use super::listen::Listen;
use super::values;

/// `[overload]`: the admission of requests.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Overload {
    /// The most enrolments and renewals a second.
    #[serde(deserialize_with = "number")]
    pub rate: u32,
    /// The most of them at once.
    #[serde(deserialize_with = "count")]
    pub at_once: usize,
    /// The most of them that wait.
    #[serde(deserialize_with = "count")]
    pub waiting: usize,
    /// How long each waits at most.
    #[serde(deserialize_with = "time")]
    pub wait: Duration,
    /// The requests of operators that are answered at once whatever devices do.
    #[serde(deserialize_with = "places")]
    pub operator_requests: usize,
    /// How long an operator's request waits at most.
    #[serde(deserialize_with = "time")]
    pub operator_wait: Duration,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            rate: 2000,
            at_once: 256,
            waiting: 1000,
            wait: Duration::from_secs(2),
            operator_requests: 8,
            operator_wait: Duration::from_secs(10),
        }
    }
}

impl Overload {
    /// The limits that these make: what waits and what is answered is in progress, of which half stays for others.
    #[must_use]
    pub fn limits(&self, listen: &Listen) -> AdmissionLimits {
        let most = listen.most_requests();
        AdmissionLimits {
            rate: f64::from(self.rate),
            at_once: self.at_once.min(most.div_ceil(4)),
            waiting: self.waiting.min(most.div_ceil(2)),
            wait: self.wait,
            operators: self.operator_requests,
            operator_wait: self.operator_wait,
        }
    }
}

fn number<'de, D: Deserializer<'de>>(value: D) -> Result<u32, D::Error> {
    values::rate(value).map(Into::into)
}

fn count<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    values::count::<D, 1, 100_000>(value)
}

fn places<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    values::count::<D, 2, 1000>(value)
}

fn time<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    values::time::<D, 100, 20_000>(value)
}
