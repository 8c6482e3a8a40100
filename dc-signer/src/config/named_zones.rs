//! The zones that a configuration names, and what is wrong while one of them is not there.

use std::fmt;

use super::Config;
use dc_pki::names::ZoneName;

/// A zone that a table of the configuration names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedZone {
    table: String,
    zone: String,
}

impl NamedZone {
    /// True if this is the zone.
    #[must_use]
    pub fn is(&self, zone: &ZoneName) -> bool {
        self.zone == zone.to_string()
    }
}

impl fmt::Display for NamedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, zone } = self;
        write!(
            f,
            "{table} names zone {zone}, which is not there: add it with 'dc-signer zones add {zone} --reason WHY --config FILE', or name another one in the configuration of every signer"
        )
    }
}

impl Config {
    /// The zones that its tables name, in their order.
    #[must_use]
    pub fn named_zones(&self) -> Vec<NamedZone> {
        let manufacturers = self.manufacturers.iter().filter_map(|one| {
            let table = format!("the table [[manufacturers]] of {}", one.name);
            Some((table, one.zone.clone()?))
        });
        let acme = self.acme.iter().flat_map(|acme| {
            let table = format!("the table [[acme]] of {}", acme.directory);
            let zones = acme.zones.iter();
            zones.map(move |zone| (table.clone(), zone.to_string()))
        });
        let commands = self.order_command.iter().flat_map(|order| {
            let program = order.command.first().map_or("no program", String::as_str);
            let table = format!("the table [[order_command]] of {program}");
            let zones = order.zones.iter();
            zones.map(move |zone| (table.clone(), zone.to_string()))
        });
        let named = manufacturers.chain(acme).chain(commands);
        named
            .map(|(table, zone)| NamedZone { table, zone })
            .collect()
    }
}
