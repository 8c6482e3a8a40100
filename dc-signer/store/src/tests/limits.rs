//! Limits that signers share.

use super::*;

on_both! {
    signers_hear_of_what_others_have_counted_and_only_of_what_is_new,
    what_is_over_is_neither_told_nor_kept,
}

#[tokio::test]
async fn the_wrong_clock_of_one_signer_keeps_no_device_waiting_at_another() {
    let Some(db) = Database::postgres().await else {
        return;
    };
    let now = dc_pki::clock::now().unwrap();
    let ahead = at(now.as_secs() + 40 * 86_400);
    let exchange = async |used: &[(Sha256, u32)], now| {
        let done = db.store.exchange_limits(used, HOUR, 0, now).await;
        done.unwrap().lasts[0].1
    };
    exchange(&[(key("a"), 1)], ahead).await;
    let lasts = exchange(&[], now).await;
    assert!(lasts <= HOUR, "{lasts:?}");
}

const HOUR: Duration = Duration::from_secs(3600);

async fn exchange(
    store: &Store,
    used: &[(Sha256, u32)],
    since: i64,
    now: u64,
) -> (i64, Vec<(Sha256, u64)>) {
    let now = i64::try_from(now * 1000).unwrap();
    let done = store.exchange_limits_at(used, HOUR, since, now).await;
    let LimitsUsed { number, lasts } = done.unwrap();
    let lasts = lasts.into_iter().map(|(key, lasts)| (key, lasts.as_secs()));
    (number, lasts.collect())
}

async fn signers_hear_of_what_others_have_counted_and_only_of_what_is_new(db: &Database) {
    let (one, other) = (&*db.store, &*db.other().await);
    let (a, b) = (key("a"), key("b"));
    assert_eq!(exchange(one, &[], 0, NOW).await, (0, vec![]));
    let (first, told) = exchange(one, &[(a, 2), (b, 1)], 0, NOW).await;
    assert_eq!(told, [(a, 7200), (b, 3600)]);
    // What another has counted comes on top, from whenever it was counted on.
    let (second, told) = exchange(other, &[(a, 1)], 0, NOW + 600).await;
    assert!(second > first);
    assert_eq!(told, [(a, 6600 + 3600), (b, 3000)]);
    assert_eq!(
        exchange(one, &[], first, NOW + 600).await,
        (second, vec![(a, 10_200)])
    );
    assert_eq!(
        exchange(one, &[], second, NOW + 600).await,
        (second, vec![])
    );
    // One that has just started hears all, and it is nothing that was done to a device.
    let (_, told) = exchange(&*db.other().await, &[], 0, NOW + 600).await;
    assert_eq!(told, [(a, 10_200), (b, 3000)]);
    assert_eq!(one.audit_head().await.unwrap(), Head::EMPTY);
}

async fn what_is_over_is_neither_told_nor_kept(db: &Database) {
    let store = &*db.store;
    let (a, b) = (key("a"), key("b"));
    exchange(store, &[(a, 1)], 0, NOW).await;
    let (_, told) = exchange(store, &[(b, 1)], 0, NOW + 3600).await;
    assert_eq!(told, [(b, 3600)]);
    // A period of somebody who was away counts anew, and not on top of what is over.
    let (_, told) = exchange(store, &[(a, 1)], 0, NOW + 9000).await;
    assert_eq!(told, [(a, 3600)]);
    for _ in 0..100 {
        exchange(store, &[(a, 1)], 0, NOW + 9000).await;
    }
    // By a clock that is behind it would be told if it were there.
    let (_, told) = exchange(store, &[], 0, NOW).await;
    assert!(told.iter().all(|(key, _)| *key == a), "{told:?}");
}
