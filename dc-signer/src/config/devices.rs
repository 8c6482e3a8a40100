//! The keys that concern devices: their names, credentials, ways in, and limits.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use dc_core::{DEFAULT_LIFETIME, MAX_VALIDITY};
use serde::Deserialize;

use super::values;
use dc_store::registry::ActivationCode;

/// `[names]`: how unique names are made.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Names {
    /// The source of the names.
    pub mode: NameMode,
}

/// The source of a device's name.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase", expecting = "\"hmac\" or \"random\"")]
pub enum NameMode {
    /// From the external id, with a secret key.
    #[default]
    Hmac,
    /// From nothing but chance.
    Random,
}

/// `[credentials]`: what is issued.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Credentials {
    /// The lifetime of credentials.
    #[serde(deserialize_with = "values::time::<_, HOUR, { MAX_VALIDITY.as_secs() * 1000 }>")]
    pub lifetime: Duration,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            lifetime: DEFAULT_LIFETIME,
        }
    }
}

/// `[enrolment]`: how devices get in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Enrolment {
    /// Activation codes are taken.
    pub codes: bool,
    /// The lifetime of a code.
    #[serde(deserialize_with = "values::time::<_, MINUTE, { 366 * DAY }>")]
    pub code_lifetime: Duration,
}

impl Default for Enrolment {
    fn default() -> Self {
        Self {
            codes: true,
            code_lifetime: ActivationCode::LIFETIME,
        }
    }
}

/// `[[manufacturers]]`: whose certificates devices may enrol with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Manufacturer {
    /// Its name in the audit log.
    #[serde(deserialize_with = "values::word")]
    pub name: String,
    /// The certificates that its devices' certificates lead to, in PEM.
    #[serde(deserialize_with = "values::path")]
    pub anchors: PathBuf,
    /// Which of its devices may enrol.
    #[serde(default)]
    pub serials: Serials,
    /// The zone that devices nobody registered come to; none if there is one zone only.
    #[serde(default, deserialize_with = "values::word")]
    pub zone: Option<String>,
}

/// The devices of a manufacturer that may enrol.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase", expecting = "\"registered\" or \"any\"")]
pub enum Serials {
    /// Those whose serial number an operator has registered.
    #[default]
    Registered,
    /// All.
    Any,
}

/// The addresses that the audit log keeps.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(
    rename_all = "lowercase",
    expecting = "\"all\", \"operators\" or \"none\""
)]
pub enum Addresses {
    /// Of devices that enrol or change their key, and of operators.
    #[default]
    All,
    /// No address.
    None,
    /// Of operators.
    Operators,
}

impl Addresses {
    /// True if those of devices are kept.
    #[must_use]
    pub fn of_devices(self) -> bool {
        match self {
            Self::All => true,
            Self::None | Self::Operators => false,
        }
    }

    /// True if those of operators are kept.
    #[must_use]
    pub fn of_operators(self) -> bool {
        match self {
            Self::All | Self::Operators => true,
            Self::None => false,
        }
    }
}

/// `[retention]`: how long history is kept. The audit log is kept for good.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Retention {
    /// Of what was issued to whom.
    #[serde(deserialize_with = "values::time::<_, { 7 * DAY }, { 3660 * DAY }>")]
    pub issues: Duration,
    /// Of the counts of refused requests.
    #[serde(deserialize_with = "values::time::<_, { 7 * DAY }, { 3660 * DAY }>")]
    pub refused: Duration,
    /// The addresses that records of the audit log have.
    pub addresses: Addresses,
}

impl Default for Retention {
    fn default() -> Self {
        let month = Duration::from_millis(30 * DAY);
        Self {
            issues: month,
            refused: month,
            addresses: Addresses::All,
        }
    }
}

/// `[limits]`: how often a device may come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Limits {
    /// After how long a device may come once more.
    #[serde(deserialize_with = "values::time::<_, 1, DAY>")]
    pub device_period: Duration,
    /// The most requests of a device at once.
    #[serde(deserialize_with = "values::rate")]
    pub device_burst: NonZeroU32,
    /// The most requests of an operator in a second.
    #[serde(deserialize_with = "values::rate")]
    pub operator_rate: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            device_period: Duration::from_secs(3600),
            device_burst: FIVE,
            operator_rate: HUNDRED,
        }
    }
}

/// In milliseconds.
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const FIVE: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");
const HUNDRED: NonZeroU32 = NonZeroU32::new(100).expect("100 is not 0");
