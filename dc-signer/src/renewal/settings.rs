//! The settings of the renewal, as a reload may change them.

use crate::config::Config;
use dc_pki::names::ZoneName;

/// When to order in each zone, and for which key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    all: OfZone,
    zones: Vec<(ZoneName, OfZone)>,
}

/// The same for one zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OfZone {
    /// After how many percent of a certificate's life the next one is ordered.
    pub order_after: u32,
    /// A new key is made for each certificate; otherwise the one before is used again.
    pub new_key: bool,
}

impl Settings {
    /// As the configuration says.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let renewal = &config.certificate_renewal;
        let all = OfZone {
            order_after: renewal.order_after,
            new_key: renewal.new_key,
        };
        let zones = renewal.zones.iter().map(|zone| {
            let of = OfZone {
                order_after: zone.order_after.unwrap_or(all.order_after),
                new_key: zone.new_key.unwrap_or(all.new_key),
            };
            (zone.zone.clone(), of)
        });
        Self {
            all,
            zones: zones.collect(),
        }
    }

    /// Of a zone.
    #[must_use]
    pub fn of(&self, zone: &ZoneName) -> OfZone {
        let found = self.zones.iter().find(|(name, _)| name == zone);
        found.map_or(self.all, |(_, of)| *of)
    }
}
