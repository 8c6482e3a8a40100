//! The signed list of withdrawn names.

use std::sync::Arc;

use super::bench::{Bench, zone};
use super::device::Cpe;
use crate::authority::{SignedList, WithdrawnList};
use crate::testing::{Database, on_both};
use dc_pki::names::ZoneName;
use dc_store::registry::Change;

on_both! {
    a_suspended_device_is_on_the_list_until_it_is_resumed,
    a_list_that_was_changed_is_refused,
    an_unknown_zone_has_no_list,
    all_who_ask_while_a_list_is_made_get_the_same,
    devices_are_told_when_to_renew_early,
}

async fn list(bench: &Bench, after: u64) -> (SignedList, WithdrawnList) {
    let now = bench.after(after);
    let bytes = bench.authority.withdrawn(&zone(), now).await.unwrap();
    let signed: SignedList = serde_json::from_slice(&bytes).unwrap();
    let key = data_encoding::BASE64.decode(signed.key.as_bytes()).unwrap();
    let list = signed.verify(&key).unwrap();
    (signed, list)
}

async fn a_suspended_device_is_on_the_list_until_it_is_resumed(database: &Database) {
    let bench = Bench::new(database).await;
    let added = bench.add_with_code("customer-1").await;
    let code = added.code.unwrap().code;
    let answer = Cpe::new()
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let (_, empty) = list(&bench, 0).await;
    assert_eq!(
        (empty.names.len(), empty.zone.as_str()),
        (0, "cpe.example.com")
    );
    let device = bench.find("customer-1").await;
    let by = bench.by(bench.now);
    bench
        .store
        .change_device(device.id, &Change::Suspend, &by)
        .await
        .unwrap();
    let (_, full) = list(&bench, 11).await;
    assert_eq!(full.names.len(), 1);
    assert_eq!(full.names[0].name, added.name);
    assert!(full.names[0].until >= answer.expires);
    assert!(full.sequence > empty.sequence && full.expires > full.issued);
    bench
        .store
        .change_device(device.id, &Change::Resume, &by)
        .await
        .unwrap();
    let (_, again) = list(&bench, 22).await;
    assert_eq!(again.names, []);
    assert!(again.sequence > full.sequence);
}

async fn a_list_that_was_changed_is_refused(database: &Database) {
    let bench = Bench::new(database).await;
    let (signed, _) = list(&bench, 0).await;
    let key = data_encoding::BASE64.decode(signed.key.as_bytes()).unwrap();
    let changed = SignedList {
        list: signed.list.replace("cpe", "abc"),
        ..signed.clone()
    };
    assert!(changed.verify(&key).is_err());
    let other = [key[1..].to_vec(), vec![0]].concat();
    assert!(signed.verify(&other).is_err());
    let unsigned = SignedList {
        signature: "nonsense".to_owned(),
        ..signed
    };
    assert!(unsigned.verify(&key).is_err());
}

async fn all_who_ask_while_a_list_is_made_get_the_same(database: &Database) {
    let bench = Arc::new(Bench::new(database).await);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let bench = bench.clone();
        asking.spawn(async move { bench.authority.withdrawn(&zone(), bench.now).await.unwrap() });
    }
    let lists = asking.join_all().await;
    let same = |list: &Arc<[u8]>| Arc::ptr_eq(list, &lists[0]);
    assert!(lists.iter().all(same), "each copy is memory of its own");
}

async fn an_unknown_zone_has_no_list(database: &Database) {
    let bench = Bench::new(database).await;
    let other = ZoneName::parse("other.example.com").unwrap();
    assert!(bench.authority.withdrawn(&other, bench.now).await.is_err());
    assert!(bench.authority.renewal_info(&other).await.is_err());
}

async fn devices_are_told_when_to_renew_early(database: &Database) {
    let bench = Bench::new(database).await;
    let info = bench.authority.renewal_info(&zone()).await.unwrap();
    assert_eq!(info.renew_issued_before, 0);
    assert!(info.certificate_sha256.is_some());
    let by = bench.by(bench.now);
    let before = Some(bench.now);
    bench
        .store
        .pull_renewals(&zone(), before, &by)
        .await
        .unwrap();
    bench.authority.keep_zones(bench.now).await.unwrap();
    let info = bench.authority.renewal_info(&zone()).await.unwrap();
    assert_eq!(info.renew_issued_before, bench.now.as_secs());
}
