//! The solutions, a file each.

pub(crate) mod acme_delegated;
pub(crate) mod delegated;
pub(crate) mod device_key;
pub(crate) mod home_ca;
pub(crate) mod key_hash;
#[cfg(test)]
pub(crate) mod lab;
pub(crate) mod local_ca;
pub(crate) mod matter;
pub(crate) mod name_constraints;
pub(crate) mod normal;
pub(crate) mod raw_keys;
pub(crate) mod referee;
pub(crate) mod self_signed;

mod fleet;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::Result;
use crate::solution::Solution;
use crate::world::World;
use home_ca::Limits;
use local_ca::Thing;
use matter::Naming;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// As `--row` takes it.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) group: Group,
    make: fn(&World) -> Result<Box<dyn Solution>>,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Group {
    /// One of the draft's.
    Draft,
    /// A variant of the row above, for comparison.
    Variant,
    /// Proposed later, in the IETF's SETTLE working group.
    Newer,
}

impl Group {
    /// Whether the tables that come from reading have such a row; a variant is judged with the row that it belongs to.
    pub(crate) fn is_judged(self) -> bool {
        self != Self::Variant
    }
}

impl Row {
    /// The solution, in this world, with nothing founded.
    pub(crate) fn make(&self, world: &World) -> Result<Box<dyn Solution>> {
        (self.make)(world)
    }
}

/// All, in the table's order.
pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "normal",
        title: "Normal certificates",
        group: Group::Draft,
        make: |world| Ok(Box::new(normal::Normal::new(world.clone()))),
    },
    Row {
        id: "named",
        title: "Delegated credentials, unique name",
        group: Group::Draft,
        make: |world| Ok(Box::new(delegated::Delegated::named(world)?)),
    },
    Row {
        id: "rfc9345",
        title: "Delegated credentials, RFC 9345",
        group: Group::Draft,
        make: |world| Ok(Box::new(delegated::Delegated::rfc9345(world)?)),
    },
    Row {
        id: "name-constraints",
        title: "Name constraints",
        group: Group::Draft,
        make: |world| {
            Ok(Box::new(name_constraints::NameConstraints::new(
                world.clone(),
            )))
        },
    },
    Row {
        id: "acme-delegated",
        title: "ACME delegated certificates",
        group: Group::Draft,
        make: |world| Ok(Box::new(acme_delegated::AcmeDelegated::new(world))),
    },
    Row {
        id: "raw-keys",
        title: "Raw public keys",
        group: Group::Draft,
        make: |world| {
            Ok(Box::new(raw_keys::RawKeys::new(
                world,
                raw_keys::Meeting::Label,
            )))
        },
    },
    Row {
        id: "raw-keys-first-use",
        title: "Raw public keys, trust on first use",
        group: Group::Variant,
        make: |world| {
            Ok(Box::new(raw_keys::RawKeys::new(
                world,
                raw_keys::Meeting::FirstUse,
            )))
        },
    },
    Row {
        id: "self-signed",
        title: "Self-signed certificate",
        group: Group::Draft,
        make: |world| Ok(Box::new(self_signed::SelfSigned::new(world))),
    },
    Row {
        id: "local-ca",
        title: "Local CA in the CPE, a printer",
        group: Group::Draft,
        make: |world| {
            Ok(Box::new(local_ca::LocalCa::new(
                world,
                Thing::Printer,
                Limits::OwnZone,
            )))
        },
    },
    Row {
        id: "local-ca-router",
        title: "Local CA in the CPE, the CPE itself",
        group: Group::Variant,
        make: |world| {
            Ok(Box::new(local_ca::LocalCa::new(
                world,
                Thing::Router,
                Limits::OwnZone,
            )))
        },
    },
    Row {
        id: "local-ca-unconstrained",
        title: "Local CA in the CPE, the CPE itself, unconstrained",
        group: Group::Variant,
        make: |world| {
            Ok(Box::new(local_ca::LocalCa::new(
                world,
                Thing::Router,
                Limits::Unconstrained,
            )))
        },
    },
    Row {
        id: "matter",
        title: "Matter",
        group: Group::Draft,
        make: |world| Ok(Box::new(matter::Matter::new(world, Naming::None))),
    },
    Row {
        id: "matter-named",
        title: "Matter with a dNSName",
        group: Group::Variant,
        make: |world| Ok(Box::new(matter::Matter::new(world, Naming::DnsName))),
    },
    Row {
        id: "key-hash",
        title: "Public key hash in the name",
        group: Group::Newer,
        make: |world| Ok(Box::new(key_hash::KeyHash::new(world))),
    },
    Row {
        id: "referee",
        title: "Referee",
        group: Group::Newer,
        make: |world| Ok(Box::new(referee::Referees::new(world))),
    },
];
