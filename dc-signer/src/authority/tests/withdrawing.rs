//! The signed list of withdrawn names.

use std::sync::Arc;

use dc_core::{ListKey, NameHash, WithdrawnNames};

use super::bench::{Bench, zone};
use super::device::Cpe;
use crate::authority::{CompactList, SignedList, WithdrawnList};
use crate::testing::{Database, on_both};
use dc_pki::names::ZoneName;
use dc_store::registry::Change;

on_both! {
    a_suspended_device_is_on_the_list_until_it_is_resumed,
    a_list_that_was_changed_is_refused,
    an_unknown_zone_has_no_list,
    clients_load_the_names_of_the_list,
    the_same_state_is_the_same_list_for_an_hour,
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

/// The list for clients, verified as they do.
async fn compact(bench: &Bench, after: u64) -> (CompactList, WithdrawnNames) {
    let now = bench.after(after);
    bench.authority.accept_clock(now);
    let list = bench.authority.withdrawn_compact(&zone(), now).await;
    let list = list.unwrap();
    let (signed, _) = self::list(bench, after).await;
    let key = ListKey::try_from(signed.key.as_str()).unwrap();
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let names = WithdrawnNames::verify(list.bytes.to_vec(), &[key], algorithms.all);
    (list, names.unwrap())
}

fn hash(name: &str) -> NameHash {
    let sha256 = |bytes: &[u8]| {
        let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
        hash.as_ref().try_into().unwrap()
    };
    NameHash::new(&name.try_into().unwrap(), sha256)
}

async fn clients_load_the_names_of_the_list(database: &Database) {
    let bench = Bench::new(database).await;
    let added = bench.add_with_code("customer-1").await;
    let (_, empty) = compact(&bench, 0).await;
    assert_eq!((empty.len(), empty.zone().as_str()), (0, "cpe.example.com"));
    let device = bench.find("customer-1").await;
    let change = async |change, after| {
        let by = bench.by(bench.after(after));
        let changed = bench.store.change_device(device.id, &change, &by);
        changed.await.unwrap();
    };
    change(Change::Suspend, 1).await;
    // Nobody asks the database more often than each ten seconds.
    assert!(compact(&bench, 9).await.1.is_empty());
    let (_, full) = compact(&bench, 11).await;
    assert!(full.contains(hash(&added.name)) && full.len() == 1);
    assert!(empty.is_older_than(&full));
    // Until no client takes its credential, even with a clock that is four hours behind.
    let hours = |hours: u64| hours * 3600;
    assert_eq!(compact(&bench, hours(7 * 24 + 4)).await.1.len(), 1);
    assert!(compact(&bench, hours(7 * 24 + 6)).await.1.is_empty());
    change(Change::Resume, hours(8 * 24)).await;
    let (_, restored) = compact(&bench, hours(8 * 24 + 1)).await;
    assert!(restored.is_empty() && full.is_older_than(&restored));
}

async fn the_same_state_is_the_same_list_for_an_hour(database: &Database) {
    let bench = Bench::new(database).await;
    let begin = 3600 - bench.now.as_secs() % 3600;
    let (first, names) = compact(&bench, begin).await;
    assert_eq!(names.issued(), bench.after(begin));
    assert_eq!(names.expires(), bench.after(begin + 24 * 3600));
    let (last, _) = compact(&bench, begin + 3599).await;
    assert_eq!((&first.etag, &first.bytes), (&last.etag, &last.bytes));
    assert!(Arc::ptr_eq(&first.bytes, &last.bytes), "made once");
    // What was made is good for ten seconds.
    let (next, later) = compact(&bench, begin + 3610).await;
    assert_ne!(next.etag, first.etag);
    assert!(names.is_older_than(&later));
    let other = ZoneName::parse("other.example.com").unwrap();
    let unknown = bench.authority.withdrawn_compact(&other, bench.now).await;
    assert!(unknown.is_err());
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
