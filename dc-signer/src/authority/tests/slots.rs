//! Acts on one slot: going back to a certificate that drains, and ending one before its time.

use super::bench::{Bench, zone};
use super::device::Cpe;
use crate::authority::{Authority, Error};
use crate::testing::{Database, on_both};
use dc_pki::Roles;
use dc_store::registry::{self, Change, DelegationState};

on_both! {
    a_certificate_for_servers_alone_is_not_gone_back_to_by_a_zone_for_clients,
    a_slot_that_a_row_alone_has_ended_keeps_its_key_and_is_said,
    a_slot_that_is_over_loses_its_key_a_day_later,
    a_signer_that_did_not_see_a_slot_drain_forgets_its_key_a_week_later,
    a_slot_that_is_ended_has_no_key_on_any_signer_and_never_comes_back,
    a_zone_goes_back_only_to_what_can_be_signed_with_here,
    a_zone_with_devices_whose_certificates_have_ended_is_a_fault,
}

fn refused(error: Error) -> registry::Error {
    match error {
        Error::Store(dc_store::Error::Refused { source }) => source,
        other => panic!("{other:?}"),
    }
}

/// The number of keys in the data folder of a signer.
fn keys(authority: &Authority, slots: &[registry::ZoneDelegation]) -> usize {
    let folder =
        |slot: &registry::ZoneDelegation| authority.delegations.folder(&slot.certificate_sha256);
    let keys = slots.iter().map(|slot| folder(slot).join("key.pem"));
    keys.filter(|key| key.exists()).count()
}

async fn a_slot_that_is_ended_has_no_key_on_any_signer_and_never_comes_back(database: &Database) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    let next = bench.import(bench.now).await;
    let other = bench.other(database).await;
    other.report(bench.now).await.unwrap();
    let active = bench.authority.end_slot(&zone(), 1, &by).await;
    assert_eq!(
        refused(active.unwrap_err()),
        registry::Error::SlotIsActive { number: 1 }
    );
    bench.authority.rollover(&zone(), false, &by).await.unwrap();
    let ended = bench.authority.end_slot(&zone(), 1, &by).await.unwrap();
    assert_eq!(ended.delegations[0].state, DelegationState::Gone);
    assert_eq!(keys(&bench.authority, &ended.delegations), 1);
    // The other one hears of it.
    assert_eq!(keys(&other, &ended.delegations), 2);
    other.keep_zones(bench.now).await.unwrap();
    assert_eq!(keys(&other, &ended.delegations), 1);
    let back = bench.authority.rollover_to(&zone(), 1, false, &by).await;
    assert!(matches!(
        refused(back.unwrap_err()),
        registry::Error::DelegationOrder { .. }
    ));
    // Asked again, it is so.
    bench.authority.end_slot(&zone(), 1, &by).await.unwrap();
    let same = bench.authority.rollover_to(&zone(), next, false, &by).await;
    assert_eq!(same.unwrap().active().unwrap().number, next);
    let none = bench.authority.end_slot(&zone(), 9, &by).await;
    assert_eq!(
        refused(none.unwrap_err()),
        registry::Error::UnknownDelegation { number: 9 }
    );
}

async fn a_zone_goes_back_only_to_what_can_be_signed_with_here(database: &Database) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    bench.import(bench.now).await;
    let zones = bench.authority.rollover(&zone(), false, &by).await.unwrap();
    let first = zones.delegations[0].certificate_sha256;
    let key = bench.authority.delegations.folder(&first).join("key.pem");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    bench
        .authority
        .rollover_to(&zone(), 1, false, &by)
        .await
        .unwrap_err();
    let active = async || {
        bench.store.zones().await.unwrap()[0]
            .active()
            .unwrap()
            .number
    };
    assert_eq!(active().await, 2);
    let file = dc_pki::files::NewFile {
        name: "key.pem",
        contents: &kept,
        access: dc_pki::files::Access::Owner,
    };
    let folder = key.parent().unwrap();
    dc_pki::files::stage(folder, &file)
        .unwrap()
        .replace()
        .unwrap();
    bench
        .authority
        .rollover_to(&zone(), 1, false, &by)
        .await
        .unwrap();
    assert_eq!(active().await, 1);
    // And it stays, whatever lasts longer.
    let later = bench.after(3 * 86_400);
    let kept = bench.authority.delegations.keep(&bench.store, later);
    kept.await.unwrap();
    assert_eq!(active().await, 1);
}

async fn a_certificate_for_servers_alone_is_not_gone_back_to_by_a_zone_for_clients(
    database: &Database,
) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    let folder = super::clients::for_servers_alone(&bench);
    let of = zone();
    let import = bench.authority.import_delegation(&of, &folder, &by);
    let alone = import.await.unwrap().slot;
    let to = async |slot| bench.authority.rollover_to(&zone(), slot, false, &by).await;
    to(alone).await.unwrap();
    to(1).await.unwrap();
    let both = bench.authority.set_roles(&zone(), Roles::Both, &by).await;
    both.unwrap();
    let refusal = to(alone).await.unwrap_err();
    assert!(matches!(refusal, Error::NotForClients { .. }), "{refusal}");
}

async fn a_slot_that_a_row_alone_has_ended_keeps_its_key_and_is_said(database: &Database) {
    let bench = Bench::new(database).await;
    let next = bench.import(bench.now).await;
    let slots = bench.store.zones().await.unwrap().remove(0).delegations;
    assert_eq!(keys(&bench.authority, &slots), 2);
    let fine = bench.authority.issuing_status(bench.now).await.unwrap();
    assert_eq!(fine.faults(), Vec::<String>::new());
    database.tamper("UPDATE slots SET state = 'gone'").await;
    bench.authority.keep_zones(bench.now).await.unwrap();
    let now = bench.after(9 * 86_400);
    bench.authority.accept_clock(now);
    bench.authority.keep_zones(now).await.unwrap();
    assert_eq!(keys(&bench.authority, &slots), 2);
    let faults = bench.authority.cached_issuing_status(now).faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
    for words in ["slot 1", "no record", "Audit mismatch"] {
        assert!(faults[0].contains(words), "{faults:?}");
    }
    let (looked, ..) = Authority::look(&bench.config, &bench.store).await.unwrap();
    assert_eq!(looked.ended_by_nobody.len(), 2);
    // Put back, all is as it was.
    let sql =
        format!("UPDATE slots SET state = CASE number WHEN {next} THEN 'next' ELSE 'active' END");
    database.tamper(&sql).await;
    bench.authority.keep_zones(now).await.unwrap();
    let fine = bench.authority.issuing_status(now).await.unwrap();
    assert_eq!(fine.faults(), Vec::<String>::new());
    bench.store.verify_audit().await.unwrap();
}

async fn a_signer_that_did_not_see_a_slot_drain_forgets_its_key_a_week_later(database: &Database) {
    let bench = Bench::new(database).await;
    bench.import(bench.now).await;
    let by = bench.by(bench.now);
    bench.authority.rollover(&zone(), false, &by).await.unwrap();
    // As if it had drained for as long by times that somebody wrote.
    let over = 7 * 86_400 + 3600;
    for (seconds, expected) in [
        (over, 2),
        (over + 86_400, 2),
        (2 * over - 1, 2),
        (2 * over, 1),
    ] {
        let now = bench.after(seconds);
        bench.authority.accept_clock(now);
        bench.authority.keep_zones(now).await.unwrap();
        let slots = bench.store.zones().await.unwrap().remove(0).delegations;
        assert_eq!(slots[0].state, DelegationState::Gone, "{seconds}");
        assert_eq!(keys(&bench.authority, &slots), expected, "{seconds}");
    }
}

async fn a_zone_with_devices_whose_certificates_have_ended_is_a_fault(database: &Database) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    let next = bench.import(bench.now).await;
    let code = bench.add_with_code("d1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let enrolled = cpe.enrol_with(&bench.authority, &code, bench.now);
    enrolled.await.unwrap();
    let faults = async || {
        bench.authority.keep_zones(bench.now).await.unwrap();
        let status = bench.authority.issuing_status(bench.now).await.unwrap();
        let in_service = status.zones.len();
        (in_service, status.faults().len())
    };
    bench.authority.rollover(&zone(), false, &by).await.unwrap();
    bench.authority.end_slot(&zone(), 1, &by).await.unwrap();
    assert_eq!(faults().await, (1, 0));
    // A restored backup ends what people have ended since, also the one that was active then.
    let sql = format!("UPDATE slots SET state = 'draining' WHERE number = {next}");
    database.tamper(&sql).await;
    bench.authority.end_slot(&zone(), next, &by).await.unwrap();
    assert_eq!(faults().await, (1, 1));
    let found = bench.find("d1").await;
    let retired = bench.store.change_device(found.id, &Change::Retire, &by);
    retired.await.unwrap();
    assert_eq!(faults().await, (0, 0));
}

async fn a_slot_that_is_over_loses_its_key_a_day_later(database: &Database) {
    let bench = Bench::new(database).await;
    bench.import(bench.now).await;
    let by = bench.by(bench.now);
    bench.authority.rollover(&zone(), false, &by).await.unwrap();
    bench.authority.keep_zones(bench.now).await.unwrap();
    let over = 7 * 86_400 + 3600;
    for (seconds, state, expected) in [
        (over - 60, DelegationState::Draining, 2),
        (over, DelegationState::Gone, 2),
        (over + 86_399, DelegationState::Gone, 2),
        (over + 86_400, DelegationState::Gone, 1),
    ] {
        let now = bench.after(seconds);
        bench.authority.accept_clock(now);
        bench.authority.keep_zones(now).await.unwrap();
        let slots = bench.store.zones().await.unwrap().remove(0).delegations;
        assert_eq!(slots[0].state, state, "{seconds}");
        assert_eq!(keys(&bench.authority, &slots), expected, "{seconds}");
    }
    bench.store.verify_audit().await.unwrap();
}
