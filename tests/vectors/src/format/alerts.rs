//! Sets of alerts.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of AlertDescriptions (RFC 8446 §6), each below 128; in the files, a list in ascending order.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Alerts(u128);

impl Alerts {
    /// These; what is not below 128 is no alert of TLS and left out.
    #[must_use]
    pub fn new(alerts: &[u8]) -> Self {
        let bits = alerts.iter().filter_map(|alert| bit(*alert));
        Self(bits.fold(0, |all, bit| all | bit))
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// True if this one is among them.
    #[must_use]
    pub fn contains(self, alert: u8) -> bool {
        bit(alert).is_some_and(|bit| self.0 & bit != 0)
    }

    /// The same without one.
    #[must_use]
    pub fn without(self, alert: u8) -> Self {
        Self(self.0 & !bit(alert).unwrap_or_default())
    }

    /// All of them, the least first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..128).filter(move |alert| self.contains(*alert))
    }
}

fn bit(alert: u8) -> Option<u128> {
    1_u128.checked_shl(alert.into())
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Alerts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Alerts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let alerts = Vec::deserialize(deserializer)?;
        let read = Self::new(&alerts);
        match read.iter().eq(alerts.iter().copied()) {
            true => Ok(read),
            false => Err(D::Error::custom("not ascending alerts of TLS")),
        }
    }
}
