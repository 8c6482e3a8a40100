//! `[renewals]`: how fast devices renew that are asked to before their time.

use std::time::Duration;

use serde::Deserialize;

use super::values;

/// `[renewals]`: how often devices ask whether they are to renew before their time, and how they spread it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Renewals {
    /// The interval at which each device asks, give or take a sixth.
    #[serde(deserialize_with = "values::time::<_, HOUR, { 24 * HOUR }>")]
    pub poll: Duration,
    /// The time over which devices that are asked to renew spread that: a fleet that comes at once is an outage.
    #[serde(deserialize_with = "values::time::<_, MINUTE, { 24 * HOUR }>")]
    pub spread: Duration,
}

impl Default for Renewals {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(12 * HOUR),
            spread: Duration::from_millis(6 * HOUR),
        }
    }
}

/// In milliseconds.
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
