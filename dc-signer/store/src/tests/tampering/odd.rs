//! Values that nobody writes: they are found, and nothing goes on for ever because of them.

use super::forge::{append, entry, wrong};
use super::*;

on_both! {
    a_record_without_a_hash_behind_one_that_has_one_is_found,
    a_record_with_the_last_number_ends_the_walk,
    a_retirement_is_counted_by_the_log,
    a_version_is_not_made_twice,
}

async fn a_record_with_the_last_number_ends_the_walk(db: &Database) {
    let store = &*db.store;
    active(store, 1).await;
    change(store, 1, Change::Suspend, NOW).await;
    change(store, 1, Change::Resume, NOW + 1).await;
    db.tamper("UPDATE audit SET seq = 9223372036854775807 WHERE seq = 3")
        .await;
    let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    assert_eq!(found.first[0].place.kind, "log-record-missing");
}

async fn a_retirement_is_counted_by_the_log(db: &Database) {
    let store = &*db.store;
    for number in [1, 2, 3] {
        active(store, number).await;
        change(store, number, Change::Retire, NOW + 1).await;
    }
    db.tamper("DELETE FROM retired").await;
    let counted = store.retired_lately("tester", at(NOW + 2)).await;
    assert_eq!(counted.unwrap(), 3);
    let other = store.retired_lately("operator:bob", at(NOW + 2)).await;
    assert_eq!(other.unwrap(), 0);
    let later = store.retired_lately("tester", at(NOW + 2 * 86_400));
    assert_eq!(later.await.unwrap(), 0);
}

async fn a_version_is_not_made_twice(db: &Database) {
    let store = &*db.store;
    store.claim_secrets(&[secret(1, None)]).await.unwrap();
    let second = SecretChange {
        before: vec![secret(1, None)],
        after: vec![secret(1, Some(NOW + 9)), secret(2, None)],
        delegations: Vec::new(),
        without: Vec::new(),
        records: vec![(Action::RotateSecret, Some(secret(2, None)))],
    };
    store.change_secrets(&second, &by(NOW)).await.unwrap();
    assert_eq!(store.secret_behind_log().await.unwrap(), None);
    store.verify_audit().await.unwrap();
    let mut forged = entry(Action::RotateSecret, "operator:alice", NOW + 1);
    forged.name = Some("codes".to_owned());
    forged.detail_sha256 = Some(secret(1, None).commitment());
    let seq = append(db, forged).await;
    db.tamper(
        "DELETE FROM shared_secrets WHERE version = 2; UPDATE shared_secrets SET until = NULL",
    )
    .await;
    let behind = store.secret_behind_log().await.unwrap();
    assert_eq!(behind.map(|(_, seq)| seq), Some(seq));
    let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    let is_it = |one: &Finding| one.place.kind == "secret-changed";
    assert!(found.first.iter().any(is_it), "{:?}", found.first);
}

async fn a_record_without_a_hash_behind_one_that_has_one_is_found(db: &Database) {
    let store = &*db.store;
    active(store, 1).await;
    let mut bare = entry(Action::NewZone, "tester", NOW);
    bare.zone = Some("bare.example.com".to_owned());
    let seq = append(db, bare).await;
    let found = wrong(store, Beside::default()).await;
    let words = format!("record {seq} of the audit log (new-zone) has no hash of what it set");
    assert!(found.iter().any(|one| one.contains(&words)), "{found:?}");
}
