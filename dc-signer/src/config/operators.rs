//! The keys that concern operators: how long they are let in, and what takes two of them.

use std::time::Duration;

use serde::Deserialize;
use serde::de::Deserializer;

use super::values;

/// `[operators]`: how long tokens and certificates of operators are good.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Operators {
    /// The lifetime of a token for which nobody says another.
    #[serde(deserialize_with = "values::time::<_, HOUR, { 366 * DAY }>")]
    pub valid: Duration,
    /// The longest lifetime that somebody may say, a year at most.
    #[serde(deserialize_with = "values::time::<_, HOUR, { 366 * DAY }>")]
    pub max_valid: Duration,
    /// How long before the end it is warned of.
    #[serde(deserialize_with = "values::time::<_, 0, { 366 * DAY }>")]
    pub warn: Duration,
    /// How long the token before is good beside a new one.
    #[serde(deserialize_with = "values::time::<_, 0, { 30 * DAY }>")]
    pub overlap: Duration,
}

impl Default for Operators {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self {
            valid: days(90),
            max_valid: days(366),
            warn: days(14),
            overlap: days(1),
        }
    }
}

/// `[approval]`: acts that a second operator has to agree to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Approval {
    /// Moving a zone on to its next delegation certificate by hand takes two.
    pub rollover: bool,
    /// Retiring more devices than this, by one operator within a day or two, takes two; none if it never does.
    #[serde(deserialize_with = "some_count")]
    pub retire_above: Option<usize>,
    /// Ending a slot of a zone takes two.
    pub zones_end: bool,
    /// How long an act waits for the second operator.
    #[serde(deserialize_with = "values::time::<_, MINUTE, { 30 * DAY }>")]
    pub valid: Duration,
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            rollover: false,
            retire_above: None,
            zones_end: false,
            valid: Duration::from_secs(86_400),
        }
    }
}

impl Approval {
    /// True if anything takes two operators: then making one of who may agree does too.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        let Self {
            rollover,
            retire_above,
            zones_end,
            valid: _,
        } = self;
        *rollover || retire_above.is_some() || *zones_end
    }
}

fn some_count<'de, D: Deserializer<'de>>(value: D) -> Result<Option<usize>, D::Error> {
    values::count::<D, 0, 1_000_000_000>(value).map(Some)
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
