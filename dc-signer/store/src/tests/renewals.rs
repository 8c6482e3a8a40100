//! Renewals of delegation certificates: one process at a time.

use super::*;
use crate::registry::Action;
use crate::{Noted, Renewal};

on_both! {
    one_process_at_a_time_holds_a_renewal,
    one_that_has_lost_a_renewal_writes_nothing,
    a_renewal_is_read_as_it_was_written,
    a_hold_from_the_future_keeps_nobody_out,
    a_zone_that_was_removed_meanwhile_gets_no_row,
}

const MINUTES: Duration = Duration::from_secs(600);

fn by(now: UnixTime) -> Act {
    Act::new("signer", now)
}

async fn one_process_at_a_time_holds_a_renewal(db: &Database) {
    let (store, other) = (&*db.store, db.other().await);
    add_zone(store).await;
    let (zone, now) = (zone(), dc_pki::clock::now().unwrap());
    let held = store.hold_renewal(&zone, [1; 16], MINUTES, now).await;
    assert_eq!(held.unwrap().unwrap().holder.unwrap().node, "node-1");
    let refused = other.hold_renewal(&zone, [2; 16], MINUTES, now).await;
    assert_eq!(refused.unwrap(), None);
    // It may go on.
    let held = store.hold_renewal(&zone, [1; 16], MINUTES, now).await;
    assert!(held.unwrap().is_some());
    // It was killed.
    db.tamper("UPDATE renewals SET held_until = held_until - 601")
        .await;
    let taken = other.hold_renewal(&zone, [2; 16], MINUTES, now).await;
    assert_eq!(taken.unwrap().unwrap().holder.unwrap().node, "node-2");
    let (one, two) = tokio::join!(
        store.hold_renewal(&zone, [3; 16], MINUTES, now),
        other.hold_renewal(&zone, [2; 16], MINUTES, now)
    );
    assert_eq!(
        (one.unwrap().is_some(), two.unwrap().is_some()),
        (false, true)
    );
    other.close().await;
}

async fn one_that_has_lost_a_renewal_writes_nothing(db: &Database) {
    add_zone(&db.store).await;
    let (zone, now) = (zone(), dc_pki::clock::now().unwrap());
    let by = by(now);
    let hold = async |id| {
        let held = db.store.hold_renewal(&zone, id, MINUTES, now).await;
        held.unwrap().unwrap()
    };
    let mut mine = hold([1; 16]).await;
    db.tamper("UPDATE renewals SET held_until = held_until - 601")
        .await;
    mine.attempts = 9;
    let note = async |renewal: &Renewal, id, free| {
        let noted = Some(Noted::Ordered);
        let written = db.store.note_renewal(renewal, id, free, noted, &by);
        written.await.unwrap()
    };
    // Nobody has taken it yet, and its time is over.
    assert!(!note(&mine, [1; 16], false).await);
    let theirs = hold([2; 16]).await;
    assert!(!note(&mine, [1; 16], false).await);
    assert_eq!(theirs.attempts, 0);
    assert_eq!(db.store.audit_head().await.unwrap().seq, 1);
    assert!(note(&theirs, [2; 16], true).await);
    assert!(!note(&theirs, [2; 16], true).await, "it is free");
    assert_eq!(db.store.audit_head().await.unwrap().seq, 2);
}

async fn a_renewal_is_read_as_it_was_written(db: &Database) {
    add_zone(&db.store).await;
    let (zone, now) = (zone(), dc_pki::clock::now().unwrap());
    let by = by(now);
    let held = db.store.hold_renewal(&zone, [1; 16], MINUTES, now).await;
    let written = Renewal {
        certificate_sha256: Some(key("certificate")),
        order_at: at(NOW),
        ask_at: Some(at(NOW + 1)),
        try_at: Some(at(NOW + 2)),
        attempts: 3,
        failing_since: Some(at(NOW + 4)),
        tried: Some(at(NOW + 5)),
        error: Some("the CA is closed".to_owned()),
        ..held.unwrap().unwrap()
    };
    let failed = Some(Noted::Failed);
    let noted = db
        .store
        .note_renewal(&written, [1; 16], false, failed, &by)
        .await;
    assert!(noted.unwrap());
    assert_eq!(db.store.renewals().await.unwrap(), [written]);
    let record = db.store.audit_from(2, 1).await.unwrap().remove(0).entry;
    assert_eq!(record.action, Action::FailOrder);
    assert_eq!(record.actor, "signer");
    assert_eq!(record.credential_sha256, Some(key("certificate")));
    assert_eq!(record.detail_sha256, Some(Sha256::of(b"the CA is closed")));
    db.store.verify_audit().await.unwrap();
}

async fn a_hold_from_the_future_keeps_nobody_out(db: &Database) {
    add_zone(&db.store).await;
    let (zone, now) = (zone(), dc_pki::clock::now().unwrap());
    let held = db.store.hold_renewal(&zone, [1; 16], MINUTES, now).await;
    assert!(held.unwrap().is_some());
    db.tamper("UPDATE renewals SET held_until = held_until + 1000000")
        .await;
    let taken = db.store.hold_renewal(&zone, [2; 16], MINUTES, now).await;
    assert!(taken.unwrap().is_some());
}

async fn a_zone_that_was_removed_meanwhile_gets_no_row(db: &Database) {
    add_zone(&db.store).await;
    let (zone, now) = (zone(), dc_pki::clock::now().unwrap());
    let hold = async || db.store.hold_renewal(&zone, [1; 16], MINUTES, now).await;
    assert!(hold().await.unwrap().is_some());
    let why = by(now).because("a mistake".parse().ok());
    db.store.remove_zone(&zone, &why).await.unwrap();
    assert_eq!(hold().await.unwrap(), None);
    assert_eq!(db.store.renewals().await.unwrap(), []);
}
