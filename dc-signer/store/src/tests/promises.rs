//! The times that signers keep for devices, and tell each other.

use super::*;

on_both! {
    a_later_time_takes_the_place_of_the_one_before,
    signers_hear_of_the_times_that_others_keep_and_only_of_what_is_new,
    what_is_over_is_neither_told_nor_kept,
}

const MINUTE: Duration = Duration::from_secs(60);

async fn exchange(
    store: &Store,
    given: &[(Sha256, Duration)],
    since: i64,
) -> (i64, Vec<(Sha256, Duration)>) {
    let now = dc_pki::clock::now().unwrap();
    let done = store.exchange_promises(given, since, now).await;
    let Promised { number, after } = done.unwrap();
    (number, after)
}

/// The keys of what was told, all of which are after so long or a little less.
fn keys(told: Vec<(Sha256, Duration)>, after: Duration) -> Vec<Sha256> {
    let is_so = |it: Duration| it <= after && it + Duration::from_secs(20) > after;
    assert!(told.iter().all(|(_, it)| is_so(*it)), "{told:?}");
    told.into_iter().map(|(key, _)| key).collect()
}

async fn signers_hear_of_the_times_that_others_keep_and_only_of_what_is_new(db: &Database) {
    let (one, other) = (&*db.store, &*db.other().await);
    let (a, b) = (key("a"), key("b"));
    assert_eq!(exchange(one, &[], 0).await, (0, vec![]));
    let (first, _) = exchange(one, &[(a, 10 * MINUTE)], 0).await;
    let (seen, told) = exchange(other, &[], 0).await;
    assert_eq!((seen, keys(told, 10 * MINUTE)), (first, vec![a]));
    assert_eq!(exchange(other, &[], seen).await, (first, vec![]));
    let (second, _) = exchange(other, &[(b, 20 * MINUTE)], seen).await;
    assert!(second > first);
    let (_, told) = exchange(one, &[], first).await;
    assert_eq!(keys(told, 20 * MINUTE), [b]);
    // One that starts anew hears of all, the next one first.
    let (_, told) = exchange(one, &[], 0).await;
    let told: Vec<_> = told.into_iter().map(|(key, _)| key).collect();
    assert_eq!(told, [a, b]);
    other.close().await;
}

async fn a_later_time_takes_the_place_of_the_one_before(db: &Database) {
    let store = &*db.store;
    let a = key("a");
    let (first, _) = exchange(store, &[(a, MINUTE)], 0).await;
    exchange(store, &[(a, 30 * MINUTE)], first).await;
    let (_, told) = exchange(store, &[], first).await;
    assert_eq!(keys(told, 30 * MINUTE), [a]);
}

async fn what_is_over_is_neither_told_nor_kept(db: &Database) {
    let store = &*db.store;
    let (a, b) = (key("a"), key("b"));
    exchange(store, &[(a, MINUTE), (b, 10 * MINUTE)], 0).await;
    let over = db.blob(a.as_bytes());
    let sql = format!("UPDATE promises SET at = at - 86_500 WHERE key = {over}");
    db.tamper(&sql.replace("86_500", "86500")).await;
    let (_, told) = exchange(store, &[], 0).await;
    assert_eq!(keys(told, 10 * MINUTE), [b]);
    db.tamper("UPDATE promises_exchanges SET number = 99").await;
    exchange(store, &[(key("c"), MINUTE)], 0).await;
    db.tamper("UPDATE promises SET at = at + 90000").await;
    let (_, told) = exchange(store, &[], 0).await;
    assert!(told.iter().all(|(key, _)| *key != a), "{told:?}");
    assert_eq!(told.len(), 2);
}
