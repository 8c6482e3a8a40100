//! A zone moves on to other certificates while its devices renew.

use super::bench::{Bench, zone};
use super::device::{Cpe, delegation, renewal};
use crate::desk::Refusal;
use crate::names::Zone;
use crate::policy::Denied;
use crate::protocol::Credentials;
use crate::registry::{self, SlotState};
use crate::store::testing::{Database, on_both};

on_both! {
    nobody_is_refused_while_a_zone_moves_on_for_a_year,
    without_a_newer_certificate_nothing_is_issued_under_the_last_eight_days,
    an_operator_moves_a_zone_on_at_once,
    a_key_that_is_not_on_this_machine_is_missed_and_brought,
    a_certificate_for_other_names_is_not_imported,
    a_certificate_that_ends_soon_is_not_imported,
    the_self_test_tries_every_key,
}

const DAY: u64 = 86_400;

/// What every answer must be, whenever it was given.
fn check(answer: &Credentials) {
    let certificate = delegation(answer);
    let left = certificate.not_after().as_secs() - answer.issued;
    assert!(left >= 8 * DAY, "issued {left} s before the end");
    assert!(answer.expires < certificate.not_after().as_secs());
    super::device::forms(answer);
}

async fn nobody_is_refused_while_a_zone_moves_on_for_a_year(database: &Database) {
    let bench = Bench::new(database).await;
    let other = bench.other(database).await;
    let mut cpes = Vec::new();
    for number in 0..3 {
        let code = bench.add_with_code(&format!("customer-{number}")).await;
        let (cpe, code) = (Cpe::new(), code.code.unwrap().code);
        let held = cpe.enrol_with(&bench.desk, &code, bench.now).await.unwrap();
        cpes.push((cpe, held));
    }
    let mut used = std::collections::BTreeSet::new();
    for half_day in 1..730 {
        let now = bench.after(half_day * DAY / 2);
        for desk in [&bench.desk, &other] {
            desk.accept_clock(now);
        }
        // A certificate every 60 days, brought to both machines, each valid for 90.
        if half_day % 120 == 0 {
            let folder = bench.vendor(&zone(), now);
            for desk in [&bench.desk, &other] {
                desk.import_slot(&zone(), &folder, &bench.by(now))
                    .await
                    .unwrap();
            }
        }
        bench.desk.keep_zones(now).await.unwrap();
        other.keep_zones(now).await.unwrap();
        let place = usize::try_from(half_day).unwrap() % cpes.len();
        let (cpe, held) = &mut cpes[place];
        let mut certificates = Vec::new();
        for desk in [&bench.desk, &other] {
            let request = renewal(held, &format!("{half_day}-{}", certificates.len()));
            *held = cpe.renew(desk, &request, now).await.unwrap();
            check(held);
            certificates.push(held.chain.clone());
        }
        assert_eq!(certificates[0], certificates[1], "the two signers agree");
        used.insert(held.chain.clone());
    }
    assert_eq!(used.len(), 7);
    let zones = bench.store.zones().await.unwrap();
    let states: Vec<SlotState> = zones[0].slots.iter().map(|slot| slot.state).collect();
    let active = states.iter().filter(|state| **state == SlotState::Active);
    assert_eq!((active.count(), states.len()), (1, 7));
    assert!(states.contains(&SlotState::Gone));
    // What is gone has no key any more.
    let gone = zones[0]
        .slots
        .iter()
        .find(|slot| slot.state == SlotState::Gone);
    let folder = bench.config.data.join("delegations");
    let folder = folder.join(gone.unwrap().certificate_sha256.to_string());
    assert!(folder.join("chain.pem").exists() && !folder.join("key.pem").exists());
}

async fn without_a_newer_certificate_nothing_is_issued_under_the_last_eight_days(
    database: &Database,
) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let held = cpe.enrol_with(&bench.desk, &code, bench.now).await.unwrap();
    let last = bench.after(82 * DAY);
    bench.desk.accept_clock(last);
    let held = cpe
        .renew(&bench.desk, &renewal(&held, "1"), last)
        .await
        .unwrap();
    check(&held);
    let late = bench.after(82 * DAY + 1);
    let refusal = cpe
        .renew(&bench.desk, &renewal(&held, "2"), late)
        .await
        .unwrap_err();
    assert!(
        matches!(refusal, Refusal::Denied(Denied::TooLittleLeft { .. })),
        "{refusal}"
    );
    assert!(refusal.is_temporary());
    // A new certificate mends it at once, soaked or not.
    bench.import(late).await;
    bench.desk.keep_zones(late).await.unwrap();
    let held = cpe
        .renew(&bench.desk, &renewal(&held, "3"), late)
        .await
        .unwrap();
    check(&held);
}

async fn an_operator_moves_a_zone_on_at_once(database: &Database) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    let refusal = bench.desk.rollover(&zone(), &by).await;
    assert!(
        matches!(refusal, Err(Refusal::NoNextSlot { .. })),
        "{refusal:?}"
    );
    let next = bench.import(bench.now).await;
    bench.desk.keep_zones(bench.now).await.unwrap();
    let waiting = bench.store.zones().await.unwrap();
    assert_eq!(waiting[0].active().unwrap().number, 1);
    let moved = bench.desk.rollover(&zone(), &by).await.unwrap();
    assert_eq!(moved.active().unwrap().number, next);
    assert_eq!(moved.slots[0].state, SlotState::Draining);
}

async fn a_key_that_is_not_on_this_machine_is_missed_and_brought(database: &Database) {
    let bench = Bench::new(database).await;
    let other = bench.other(database).await;
    let folder = bench.vendor(&zone(), bench.now);
    let by = bench.by(bench.now);
    bench.desk.import_slot(&zone(), &folder, &by).await.unwrap();
    bench.desk.rollover(&zone(), &by).await.unwrap();
    other.keep_zones(bench.now).await.unwrap();
    let missing = other.missing();
    assert_eq!((missing.len(), missing[0].slot), (1, 2));
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let refusal = cpe.enrol_with(&other, &code, bench.now).await.unwrap_err();
    assert!(matches!(refusal, Refusal::KeyNotHere { .. }), "{refusal}");
    let brought = other.import_slot(&zone(), &folder, &by).await.unwrap();
    assert!(brought.known && other.missing().is_empty());
    cpe.enrol_with(&other, &code, bench.now).await.unwrap();
    // It is there, so it is not imported again.
    let refusal = other.import_slot(&zone(), &folder, &by).await;
    let exists = Refusal::from(registry::Error::SlotExists { number: 2 }).to_string();
    assert_eq!(refusal.unwrap_err().to_string(), exists);
}

async fn a_certificate_for_other_names_is_not_imported(database: &Database) {
    let bench = Bench::new(database).await;
    let other = Zone::parse("other.example.com").unwrap();
    let folder = bench.vendor(&other, bench.now);
    let by = bench.by(bench.now);
    let refusal = bench.desk.import_slot(&zone(), &folder, &by).await;
    assert!(
        matches!(
            refusal,
            Err(Refusal::Internal(crate::Error::NameOutsideZone { .. }))
        ),
        "{refusal:?}"
    );
    let refusal = bench.desk.import_slot(&other, &folder, &by).await;
    let unknown = Refusal::from(registry::Error::UnknownZone).to_string();
    assert_eq!(refusal.unwrap_err().to_string(), unknown);
    let kept = std::fs::read_dir(bench.config.data.join("delegations")).unwrap();
    assert_eq!(kept.count(), 1);
}

async fn a_certificate_that_ends_soon_is_not_imported(database: &Database) {
    let bench = Bench::new(database).await;
    let folder = bench.vendor(&zone(), bench.now);
    let late = bench.by(bench.after(83 * DAY));
    let refusal = bench.desk.import_slot(&zone(), &folder, &late).await;
    let text = refusal.unwrap_err().to_string();
    assert!(text.contains("must have begun and have 8 d left"), "{text}");
}

async fn the_self_test_tries_every_key(database: &Database) {
    let bench = Bench::new(database).await;
    bench.import(bench.now).await;
    assert_eq!(bench.desk.self_test(bench.now).unwrap(), 2);
    assert_eq!(bench.desk.self_test(bench.after(0)).unwrap(), 2);
    assert!(bench.desk.self_test(bench.after(91 * DAY)).is_err());
}
