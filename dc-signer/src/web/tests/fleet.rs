//! A fleet to look at: two zones, and a few hundred devices in every state there is.

use std::time::Duration;

use pki_types::UnixTime;

use crate::authority::approvals::Asked;
use crate::authority::tests::bench::first_operator;
use crate::testing::Database;
use dc_pki::Forms;
use dc_pki::names::{self, ZoneName};
use dc_store::registry::{
    Access, Change, DelegationState, Device, DeviceId, Manufactured, Operator, Role, Sha256,
};
use dc_store::{Act, Find, Issuance, Location, NewDelegation, NewDevice, NewZone, Store};

pub(super) const TOKEN: &str = "dcs_token-of-alice";
pub(super) const VIEWER: &str = "dcs_token-of-victor";
pub(super) const HOSTILE: &str =
    "\"><script>alert(document.domain)</script><img src=x onerror='x'>&amp;";

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const LIFE: u64 = 164 * HOUR;

/// Alice manages devices, Victor may look, and Dora is kept out.
pub(super) async fn operators(store: &Store, now: UnixTime) {
    first_operator(store, now).await;
    for (name, role, token, disabled) in [
        ("alice", Role::Operator, TOKEN, false),
        ("victor", Role::Viewer, VIEWER, false),
        ("dora", Role::Admin, "dcs_token-of-dora", true),
    ] {
        let access = Access::Token(Sha256::of(token.as_bytes()));
        let operator = Operator {
            disabled,
            ..Operator::new(name.parse().unwrap(), role, access, None)
        };
        store
            .put_operator(&operator, &by("operator:tester", now))
            .await
            .unwrap();
    }
}

/// One active device under one zone.
pub(super) async fn one(store: &Store, external_id: &str, now: UnixTime) -> Device {
    zone(
        store,
        "cpe.example.com",
        &[(DelegationState::Active, 60)],
        now,
    )
    .await;
    let new = new_device(1, external_id, "cpe.example.com", true);
    store
        .add_devices(std::slice::from_ref(&new), &by("operator:alice", now))
        .await
        .unwrap();
    by_id(store, new.id).await
}

/// Three hundred of them.
pub(super) async fn many(store: &Store, now: UnixTime) {
    operators(store, now).await;
    let slots = [
        (DelegationState::Gone, 1),
        (DelegationState::Draining, 9),
        (DelegationState::Active, 74),
        (DelegationState::Next, 164),
    ];
    zone(store, "cpe.example.com", &slots, now).await;
    zone(
        store,
        "s07.lab.example.net",
        &[(DelegationState::Active, 21)],
        now,
    )
    .await;
    let devices: Vec<NewDevice> = (0..300).map(some_device).collect();
    store
        .add_devices(&devices, &by("operator:alice", before(now, 40 * DAY)))
        .await
        .unwrap();
    for (number, new) in (0..).zip(&devices) {
        if new.key.is_some() {
            issued(store, number, new.id, now).await;
        }
        changed(store, number, new.id, now).await;
    }
    let refused = [
        ("device-suspended", 41),
        ("code-refused", 7),
        ("rate-limited", 1203),
        ("bad-csr", 2),
    ];
    store.count_refused(&refused, now).await.unwrap();
}

/// A hundred thousand, whose credentials end over the week that comes; says the enrolment key and the name of one of them.
pub(super) async fn hundred_thousand(database: &Database, now: UnixTime) -> [String; 2] {
    let store = &*database.store;
    for name in ["cpe.example.com", "s07.lab.example.net"] {
        zone(store, name, &[(DelegationState::Active, 60)], now).await;
    }
    let some = |number: u32| {
        let zone = match number % 100 {
            7 => "s07.lab.example.net",
            _ => "cpe.example.com",
        };
        let external_id = format!("customer-{number:05}");
        new_device(number, &external_id, zone, !number.is_multiple_of(20))
    };
    for thousand in 0..100 {
        let new: Vec<NewDevice> = (0..1000).map(|one| some(thousand * 1000 + one)).collect();
        store
            .add_devices(&new, &by("operator:alice", now))
            .await
            .unwrap();
    }
    // As a day's work would leave them, without its records.
    let (begin, life) = (now.as_secs() - 3600, 7 * DAY);
    let numbered = |table| format!("CAST(substr({table}.external_id, 10) AS INTEGER)");
    let end = format!("{begin} + {} * 37 % {life}", numbered("devices"));
    database
        .tamper(&format!(
            "UPDATE devices SET issued = {end} - {LIFE}, expires = {end}, held_until = {end}, \
             credential_sha256 = enrolment_key, credential_spki = enrolment_key WHERE state = 'active'; \
             UPDATE devices SET state = 'suspended' WHERE {number} % 1000 = 3; \
             UPDATE devices SET possible_clone = 1 WHERE {number} % 5000 = 1",
            number = numbered("devices"),
        ))
        .await;
    // A server does so by itself, sooner or later; nobody does for a file.
    if let Location::Postgres(_) = database.location {
        database.tamper("ANALYZE").await;
    }
    let one = some(77_777);
    [one.key.unwrap().to_string(), one.name.to_string()]
}

/// Two retirements that take a second operator: one waits, and one was taken back.
pub(super) async fn approvals(store: &Store, now: UnixTime) {
    let (alice, by) = ("alice".parse().unwrap(), by("operator:alice", now));
    let mut last = 0;
    for number in [1, 2] {
        let what = Asked::Retire {
            devices: vec![some_device(number).id.to_string()],
        };
        let what = serde_json::to_string(&what).unwrap();
        let asked = store
            .ask_approval(&what, &alice, later(now, DAY), &by)
            .await;
        last = asked.unwrap().number;
    }
    store.refuse_approval(last, &alice, &by).await.unwrap();
}

fn some_device(number: u32) -> NewDevice {
    let external_id = match number {
        3 => HOSTILE.to_owned(),
        number => format!("customer-{:05}/{}", 10_000 + number * 37, number % 2),
    };
    let zone = match number % 7 {
        6 => "s07.lab.example.net",
        _ => "cpe.example.com",
    };
    let mut new = new_device(number, &external_id, zone, !number.is_multiple_of(5));
    new.manufactured = number.is_multiple_of(3).then(|| Manufactured {
        manufacturer: "acme".into(),
        serial: format!("SN-{number:06}"),
    });
    new
}

/// Most renewed in the last days; some have not for a week.
async fn issued(store: &Store, number: u32, id: DeviceId, now: UnixTime) {
    let device = by_id(store, id).await;
    let number = u64::from(number);
    let age = match number % 29 {
        0 => LIFE + 5 * HOUR,
        1 => LIFE - 3 * HOUR,
        2 => LIFE - 10 * HOUR,
        3 => LIFE - 20 * HOUR,
        4 => LIFE - 40 * HOUR,
        _ => number * 977 % (88 * HOUR),
    };
    // Every tenth has a history.
    let rounds = if number % 10 == 1 { 6 } else { 1 };
    for round in (0..rounds).rev() {
        let issued = before(now, age + round * 83 * HOUR);
        let name = format!("credential {round} of {id}");
        let issuance = Issuance {
            device: id,
            name: device.name.clone(),
            key: device.key.unwrap(),
            spki_sha256: Sha256::of(format!("key {name}").as_bytes()),
            credentials: vec![Sha256::of(name.as_bytes())],
            client: None,
            delegation_sha256: Sha256::of(b"delegation"),
            issued,
            expires: later(issued, LIFE),
            shown: None,
            idempotency: None,
            answer: vec![],
            by: by("device", issued),
        };
        store.record(issuance).await.unwrap();
    }
}

async fn changed(store: &Store, number: u32, id: DeviceId, now: UnixTime) {
    let changes: &[Change] = match number {
        1 | 51 | 101 => &[Change::FlagClone],
        2 => &[Change::FlagClone, Change::Suspend],
        21 => &[
            Change::FlagClone,
            Change::ClearClone,
            Change::Suspend,
            Change::Resume,
        ],
        number if number % 23 == 7 => &[Change::Suspend],
        number if number % 31 == 9 => &[Change::Suspend, Change::Retire],
        _ => &[],
    };
    for (change, hours) in changes.iter().zip([30, 20, 5, 1]) {
        let actor = match change {
            Change::FlagClone => "device",
            _ => "operator:alice",
        };
        store
            .change_device(id, change, &by(actor, before(now, hours * HOUR)))
            .await
            .unwrap();
    }
}

fn new_device(number: u32, external_id: &str, zone: &str, enrolled: bool) -> NewDevice {
    let mut id = [0; 16];
    id.copy_from_slice(&Sha256::of(&number.to_be_bytes()).as_bytes()[..16]);
    let id = DeviceId::from_bytes(id);
    NewDevice {
        id,
        external_id: external_id.parse().unwrap(),
        zone: ZoneName::parse(zone).unwrap(),
        name: names::parse(&format!("{id}.{zone}")).unwrap(),
        slot: number % 2,
        epoch: 0,
        key: enrolled.then(|| Sha256::of(format!("enrolment {number}").as_bytes())),
        manufactured: None,
    }
}

/// A zone whose slots are in these states and have so many days left.
async fn zone(store: &Store, name: &str, slots: &[(DelegationState, u64)], now: UnixTime) {
    let zone = ZoneName::parse(name).unwrap();
    let (new, by) = (
        NewZone {
            zone: zone.clone(),
            forms: Forms::Named,
            roles: dc_pki::Roles::Server,
        },
        by("operator:tester", before(now, 45 * DAY)),
    );
    store.add_zone(&new, &by).await.unwrap();
    for (number, (state, days)) in (1..).zip(slots) {
        let slot = NewDelegation {
            zone: zone.clone(),
            certificate_sha256: Sha256::of(format!("{name} {number}").as_bytes()),
            not_before: before(now, 60 * DAY),
            not_after: later(now, days * DAY + 7 * HOUR),
        };
        store.import_delegation(&slot, &by).await.unwrap();
        for step in [
            DelegationState::Active,
            DelegationState::Draining,
            DelegationState::Gone,
        ] {
            if step <= *state {
                let moved = store.move_delegation(&zone, number, step, &by).await;
                moved.unwrap_or_else(|error| panic!("{name} {number} {step}: {error}"));
            }
        }
    }
}

pub(super) async fn by_id(store: &Store, id: DeviceId) -> Device {
    store.find_device(&Find::Id(id)).await.unwrap().unwrap()
}

fn by(actor: &str, at: UnixTime) -> Act {
    Act::new(actor, at).because("a test".parse().ok())
}

fn before(now: UnixTime, seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() - seconds))
}

fn later(now: UnixTime, seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + seconds))
}
