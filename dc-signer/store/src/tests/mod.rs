//! The tests of the store, each on both databases.
//!
//! A test is a function over a [`Database`], named once in the list of its file: so it runs on
//! SQLite and on PostgreSQL, and never on one alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pki_types::UnixTime;

use super::testing::{Database, on_both};
use super::*;
use crate::registry::{
    self, Access, Change, CodeId, DelegationState, Device, DeviceId, Head, Operator, PendingCode,
    Sha256, Zone,
};
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};

mod actors;
mod addresses;
mod approvals;
mod archiving;
mod audit;
mod codes;
mod committed;
mod crash;
mod devices;
mod disk;
mod evidence;
mod far;
mod fleet;
mod indexes;
mod issuing;
mod limits;
mod listing;
mod names;
mod older;
mod promises;
mod reasons;
mod renewals;
mod replicas;
mod schema;
mod searching;
mod shape;
mod shared_secrets;
mod tampering;
mod together;
mod turns;
mod upgrade;
mod zones;

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn by(seconds: u64) -> Act {
    Act::new("tester", at(seconds)).because("a test".parse().ok())
}

fn key(text: &str) -> Sha256 {
    Sha256::of(text.as_bytes())
}

fn zone() -> ZoneName {
    ZoneName::parse("cpe.example.com").unwrap()
}

/// A device whose names and ids all come from its number.
fn new_device(number: u32) -> NewDevice {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    NewDevice {
        id: DeviceId::from_bytes(id),
        external_id: format!("customer-{number:04}").parse().unwrap(),
        zone: zone(),
        name: dc_pki::names::parse(&format!("d{number}.cpe.example.com")).unwrap(),
        slot: 0,
        epoch: 0,
        key: None,
        manufactured: None,
    }
}

fn with_key(number: u32) -> NewDevice {
    NewDevice {
        key: Some(key(&format!("enrolment {number}"))),
        ..new_device(number)
    }
}

async fn add_zone(store: &Store) {
    let new = NewZone {
        zone: zone(),
        forms: Forms::Named,
        roles: Roles::Server,
    };
    store.add_zone(&new, &by(NOW)).await.unwrap();
}

/// Adds an active device with its zone.
async fn active(store: &Store, number: u32) -> Device {
    if store.zones().await.unwrap().is_empty() {
        add_zone(store).await;
    }
    let new = with_key(number);
    let added = store
        .add_devices(std::slice::from_ref(&new), &by(NOW))
        .await
        .unwrap();
    assert_eq!(added, [Added::New]);
    by_id(store, new.id).await
}

async fn by_id(store: &Store, id: DeviceId) -> Device {
    store.find_device(&Find::Id(id)).await.unwrap().unwrap()
}

/// Credentials for a device, the `number`th that it asks for.
fn issuance(device: &Device, number: u64) -> Issuance {
    let now = NOW + number;
    Issuance {
        device: device.id,
        name: device.name.clone(),
        key: device.key.unwrap(),
        spki_sha256: key(&format!("key {number} of {}", device.id)),
        credentials: vec![key(&format!("credential {number} of {}", device.id))],
        client: None,
        delegation_sha256: key("delegation"),
        issued: at(now),
        expires: at(now + 164 * 3600),
        shown: None,
        idempotency: Some(Idempotency {
            key: key(&format!("idempotency {number}")),
            request: key(&format!("request {number}")),
        }),
        answer: format!("answer {number}").into_bytes(),
        by: Act::new("device", at(now)),
    }
}

fn refused(error: Error) -> registry::Error {
    match error {
        Error::Refused { source } => source,
        other => panic!("{other:?}"),
    }
}
