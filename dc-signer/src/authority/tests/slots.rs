//! Acts on one slot: going back to a certificate that drains, and ending one before its time.

use super::bench::{Bench, zone};
use crate::authority::{Authority, Error};
use crate::testing::{Database, on_both};
use dc_pki::Roles;
use dc_store::registry::{self, DelegationState};

on_both! {
    a_certificate_for_servers_alone_is_not_gone_back_to_by_a_zone_for_clients,
    a_slot_that_is_ended_has_no_key_on_any_signer_and_never_comes_back,
    a_zone_goes_back_only_to_what_can_be_signed_with_here,
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
