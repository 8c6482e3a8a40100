//! Adding devices.

use std::collections::BTreeSet;

use super::bench::Bench;
use super::device::Cpe;
use crate::authority::json::NewDevice;
use crate::authority::{Authority, Error};
use crate::config::NameMode;
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_store::Conflict;

on_both! {
    adding_twice_changes_nothing,
    a_bad_line_stops_no_other,
    names_follow_from_the_external_id_unless_they_are_random,
    a_zone_must_be_named_when_there_are_two,
    a_load_that_is_sent_again_voids_no_code,
}

pub(super) fn new(external_id: &str) -> NewDevice {
    NewDevice {
        external_id: external_id.to_owned(),
        ..NewDevice::default()
    }
}

async fn adding_twice_changes_nothing(database: &Database) {
    let bench = Bench::new(database).await;
    let first = bench.add(new("customer-1")).await.unwrap();
    let records = bench.records().await;
    let again = bench.add(new("customer-1")).await.unwrap();
    assert!(first.created && !again.created);
    assert_eq!((first.id, first.name), (again.id, again.name));
    // Only that it was shown.
    assert_eq!(bench.records().await, records + 1);
    let other = NewDevice {
        slot: 1,
        ..new("customer-1")
    };
    let conflict = bench.add(other).await;
    assert!(
        matches!(conflict, Err(Error::Conflict(Conflict::ExternalId))),
        "{conflict:?}"
    );
}

async fn a_bad_line_stops_no_other(database: &Database) {
    let bench = Bench::new(database).await;
    let lines = [
        new(""),
        new("customer-1"),
        NewDevice {
            zone: Some("nowhere.example.com".to_owned()),
            ..new("customer-2")
        },
        NewDevice {
            zone: Some("no zone".to_owned()),
            ..new("customer-3")
        },
        NewDevice {
            enrolment_key: Some("key".to_owned()),
            ..new("customer-4")
        },
        NewDevice {
            serial: Some("1".to_owned()),
            ..new("customer-5")
        },
        NewDevice {
            manufacturer: Some("nobody".to_owned()),
            serial: Some("1".to_owned()),
            ..new("customer-6")
        },
        new("customer-7"),
    ];
    let lines: Vec<&NewDevice> = lines.iter().collect();
    let by = bench.by(bench.now);
    let added = bench.authority.add_devices(&lines, &by).await.unwrap();
    let good: Vec<bool> = added.iter().map(Result::is_ok).collect();
    let expected = [false, true, false, false, false, false, false, true];
    assert_eq!(good, expected, "{added:#?}");
    assert_eq!(added[7].as_ref().unwrap().external_id, "customer-7");
}

async fn names_follow_from_the_external_id_unless_they_are_random(database: &Database) {
    let mut bench = Bench::new(database).await;
    let slots = (0..4).map(|slot| NewDevice {
        slot,
        ..new(&format!("customer-{slot}"))
    });
    let mut names = BTreeSet::new();
    for device in slots {
        let name = bench.add(device).await.unwrap().name;
        let (label, zone) = name.split_once('.').unwrap();
        assert_eq!((label.len(), zone), (26, "cpe.example.com"));
        names.insert(name);
    }
    assert_eq!(names.len(), 4);
    let mut config = bench.config.clone();
    config.names.mode = NameMode::Random;
    bench.authority = Authority::open(&config, bench.store.clone()).await.unwrap();
    let name = bench.add(new("customer-9")).await.unwrap().name;
    assert!(names.insert(name));
}

async fn a_zone_must_be_named_when_there_are_two(database: &Database) {
    let bench = Bench::new(database).await;
    bench.add_zone("s02.example.com", Forms::Named).await;
    let refusal = bench.add(new("customer-1")).await;
    assert!(matches!(refusal, Err(Error::WhichZone)), "{refusal:?}");
    let named = NewDevice {
        zone: Some("s02.example.com".to_owned()),
        ..new("customer-1")
    };
    let name = bench.add(named).await.unwrap().name;
    assert!(name.ends_with(".s02.example.com"), "{name}");
}

async fn a_load_that_is_sent_again_voids_no_code(database: &Database) {
    let bench = Bench::new(database).await;
    let first = bench.add_with_code("customer-1").await;
    let records = bench.records().await;
    let again = bench.add_with_code("customer-1").await;
    // Only that it was shown.
    assert_eq!(bench.records().await, records + 1);
    let code = first.code.unwrap();
    assert_eq!(
        (again.code, again.earlier_code_until),
        (None, Some(code.expires))
    );
    let enrolled = Cpe::new()
        .enrol_with(&bench.authority, &code.code, bench.now)
        .await;
    assert_eq!(enrolled.unwrap().name, first.name);
    // A load that broke off before its codes were made gets them.
    bench.add(new("customer-2")).await.unwrap();
    let again = bench.add_with_code("customer-2").await;
    assert!(again.code.is_some() && !again.created);
}
