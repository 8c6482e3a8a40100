//! `[certificate_renewal]`: when delegation certificates are ordered from their zones' CAs, and for which keys.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::values;
use dc_pki::names::ZoneName;

/// `[certificate_renewal]`: the order of the next delegation certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Renewal {
    /// The service orders by itself in zones that have a CA.
    pub automatic: bool,
    /// After how many percent of a certificate's life.
    #[serde(deserialize_with = "percent")]
    pub order_after: u32,
    /// A new key is made for each certificate.
    pub new_key: bool,
    /// Zones for which something else counts.
    pub zones: Vec<RenewalOfZone>,
}

/// `[[certificate_renewal.zones]]`: the same for one zone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct RenewalOfZone {
    /// The zone.
    #[serde(deserialize_with = "zone")]
    pub zone: ZoneName,
    /// After how many percent of a certificate's life.
    #[serde(default, deserialize_with = "some_percent")]
    pub order_after: Option<u32>,
    /// A new key is made for each certificate.
    #[serde(default)]
    pub new_key: Option<bool>,
}

impl Default for Renewal {
    fn default() -> Self {
        Self {
            automatic: true,
            order_after: 66,
            new_key: true,
            zones: Vec::new(),
        }
    }
}

fn percent<'de, D: Deserializer<'de>>(value: D) -> Result<u32, D::Error> {
    let percent = u32::try_from(values::count::<D, 1, 90>(value)?);
    percent.map_err(|_| D::Error::custom("it is too large"))
}

fn some_percent<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    percent(value).map(Some)
}

fn zone<'de, D: Deserializer<'de>>(value: D) -> Result<ZoneName, D::Error> {
    ZoneName::parse(&values::text(value)?).map_err(D::Error::custom)
}
