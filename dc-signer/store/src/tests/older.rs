//! A database that somebody has put back to an older copy.

use super::*;
use crate::registry::Action;

on_both! {
    a_log_that_does_not_reach_what_was_seen_leaves_the_way_back_open,
    an_older_copy_is_noticed_at_the_start_and_nothing_is_written_to_it,
    an_older_copy_that_is_put_there_while_others_work_is_noticed,
    an_older_copy_that_went_on_by_itself_is_noticed,
    nothing_is_added_to_a_copy_that_went_on_by_itself_while_others_work,
    lists_of_withdrawn_names_have_higher_numbers_after_every_older_copy,
    what_was_accepted_is_in_the_log_and_goes_on,
    what_may_have_been_issued_since_an_older_copy_is_taken_for_valid,
}

/// Like [`Database::other`], but it keeps how far the log was.
async fn knowing(db: &Database) -> Arc<Store> {
    let folder = db.folder.path();
    open_knowing(&db.location, "node-3", folder, None)
        .await
        .unwrap()
}

/// Takes the last records away, as an older copy does not have them.
async fn put_back(db: &Database, to: u64) {
    db.tamper(&format!(
        "UPDATE audit_head SET seq = {to}, hash = (SELECT prev_hash FROM audit WHERE seq = {})",
        to + 1
    ))
    .await;
    db.tamper(&format!("DELETE FROM audit WHERE seq > {to}"))
        .await;
}

fn is_older<T: fmt::Debug>(result: Result<T, Error>, seq: u64) {
    let error = result.unwrap_err();
    assert!(error.is_temporary());
    match error {
        Error::OlderThanSeen { known, .. } => assert_eq!(known, seq),
        other => panic!("{other:?}"),
    }
}

async fn an_older_copy_is_noticed_at_the_start_and_nothing_is_written_to_it(db: &Database) {
    let first = knowing(db).await;
    let device = active(&first, 1).await;
    let suspend = Change::Suspend;
    let suspended = first.change_device(device.id, &suspend, &by(NOW)).await;
    suspended.unwrap();
    let known = first.audit_head().await.unwrap().seq;
    first.close().await;
    put_back(db, known - 1).await;
    let store = knowing(db).await;
    is_older(store.is_newest().await, known);
    is_older(store.ping(0).await, known);
    is_older(store.record(issuance(&device, 1)).await, known);
    let by = by(NOW);
    let resumed = store.change_device(device.id, &Change::Resume, &by);
    is_older(resumed.await, known);
    is_older(store.withdrawn(&zone(), at(NOW)).await, known);
    // It can be looked at.
    store.verify_audit().await.unwrap_err();
    assert_eq!(store.audit_head().await.unwrap().seq, known - 1);
    // Whoever knows nothing of it is not kept from working.
    db.store.ping(0).await.unwrap();
    store.close().await;
}

async fn an_older_copy_that_is_put_there_while_others_work_is_noticed(db: &Database) {
    let store = knowing(db).await;
    let device = active(&store, 1).await;
    for number in 0..3 {
        store.record(issuance(&device, number)).await.unwrap();
    }
    store.ping(0).await.unwrap();
    let known = store.audit_head().await.unwrap().seq;
    put_back(db, known - 2).await;
    // The credential is made, and does not leave; nor does anything of it stay.
    is_older(store.record(issuance(&device, 7)).await, known);
    let head = db.store.audit_head().await.unwrap();
    assert_eq!(head.seq, known - 2, "a record was added");
    is_older(store.ping(0).await, known);
    store.close().await;
}

async fn an_older_copy_that_went_on_by_itself_is_noticed(db: &Database) {
    let store = knowing(db).await;
    let device = active(&store, 1).await;
    store.record(issuance(&device, 1)).await.unwrap();
    store.close().await;
    let known = db.store.audit_head().await.unwrap().seq;
    put_back(db, known - 1).await;
    for number in 10..13 {
        db.store.record(issuance(&device, number)).await.unwrap();
    }
    let store = knowing(db).await;
    is_older(store.is_newest().await, known);
    store.close().await;
}

async fn a_log_that_does_not_reach_what_was_seen_leaves_the_way_back_open(db: &Database) {
    let store = knowing(db).await;
    let device = active(&store, 1).await;
    for number in 0..5 {
        store.record(issuance(&device, number)).await.unwrap();
    }
    let known = store.audit_head().await.unwrap().seq;
    let newest = store.audit_from(1, 999).await.unwrap();
    store.close().await;
    put_back(db, known - 4).await;
    let store = knowing(db).await;
    let head = store.audit_head().await.unwrap();
    // The end itself, a log that stops too early, and one that does not even come as far.
    for wrong in [
        &newest[..newest.len() - 4],
        &newest[..newest.len() - 2],
        &[],
    ] {
        is_older(store.replay(wrong, &by(NOW + 9)).await, known);
        assert_eq!(store.audit_head().await.unwrap(), head);
    }
    store.replay(&newest, &by(NOW + 9)).await.unwrap();
    store.is_newest().await.unwrap();
    let head = store.audit_head().await.unwrap();
    assert_eq!(head.seq, known + 1);
    // There is nothing behind the end now.
    let all = store.audit_from(1, 999).await.unwrap();
    store.replay(&all, &by(NOW + 9)).await.unwrap();
    assert_eq!(store.audit_head().await.unwrap(), head);
    store.close().await;
}

async fn nothing_is_added_to_a_copy_that_went_on_by_itself_while_others_work(db: &Database) {
    let store = knowing(db).await;
    let device = active(&store, 1).await;
    store.record(issuance(&device, 1)).await.unwrap();
    store.ping(0).await.unwrap();
    let known = store.audit_head().await.unwrap().seq;
    for others in 1..3 {
        put_back(db, known - 1).await;
        for number in 0..others {
            let other = issuance(&device, 10 * others + number);
            db.store.record(other).await.unwrap();
        }
        let before = db.store.audit_head().await.unwrap();
        is_older(store.record(issuance(&device, 7)).await, known);
        assert_eq!(db.store.audit_head().await.unwrap(), before);
    }
    store.close().await;
}

async fn what_was_accepted_is_in_the_log_and_goes_on(db: &Database) {
    let store = knowing(db).await;
    let device = active(&store, 1).await;
    store.record(issuance(&device, 1)).await.unwrap();
    store.ping(0).await.unwrap();
    let known = store.audit_head().await.unwrap().seq;
    put_back(db, known - 1).await;
    is_older(store.ping(0).await, known);
    // In another process.
    let command = knowing(db).await;
    let head = command.accept_older(&by(NOW)).await.unwrap();
    command.close().await;
    let last = db.store.audit_from(head.seq, 1).await.unwrap().remove(0);
    assert_eq!(
        (last.entry.action, last.entry.actor.as_str()),
        (Action::AcceptOlder, "tester")
    );
    store.ping(0).await.unwrap();
    store.record(issuance(&device, 2)).await.unwrap();
    store.close().await;
}

async fn what_may_have_been_issued_since_an_older_copy_is_taken_for_valid(db: &Database) {
    let holding = active(&db.store, 1).await;
    db.store.record(issuance(&holding, 1)).await.unwrap();
    let new = new_device(2);
    let (news, who) = (std::slice::from_ref(&new), by(NOW));
    let added = db.store.add_devices(news, &who);
    assert_eq!(added.await.unwrap(), [Added::New]);
    db.store.accept_older(&by(NOW)).await.unwrap();
    let over = NOW + 7 * 86_400;
    let holding = by_id(&db.store, holding.id).await;
    assert_eq!(holding.held_until(at(NOW)), Some(at(over)));
    assert_eq!(holding.waits_until(at(NOW)), None);
    // It shows what it was given since, which nobody here knows.
    let newer = key("a credential since");
    let its = key("its key");
    assert!(!holding.looks_cloned(Some(&newer), &its, at(NOW + 86_400)));
    let waiting = by_id(&db.store, new.id).await;
    let enrol = Change::Enrol { key: key("it") };
    assert!(waiting.apply(&enrol, at(over + 3600)).is_err());
    assert!(waiting.apply(&enrol, at(over + 3601)).is_ok());
    // A clock that is behind makes nothing end earlier.
    db.store.accept_older(&by(NOW - 30 * 86_400)).await.unwrap();
    let device = by_id(&db.store, holding.id).await;
    assert_eq!(device.held_until(at(NOW)), Some(at(over)));
    let waiting = by_id(&db.store, new.id).await;
    assert_eq!(waiting.waits_until(at(NOW)), Some(at(over + 3601)));
}

async fn lists_of_withdrawn_names_have_higher_numbers_after_every_older_copy(db: &Database) {
    let store = knowing(db).await;
    let devices = [active(&store, 1).await.id, active(&store, 2).await.id];
    let before = store.audit_head().await.unwrap().seq;
    let suspend = Change::Suspend;
    for device in devices {
        let by = by(NOW);
        store.change_device(device, &suspend, &by).await.unwrap();
    }
    let mut signed = store.withdrawn_sequence(&zone()).await.unwrap();
    assert_eq!(signed, 2);
    store.close().await;
    put_back(db, before).await;
    db.tamper("UPDATE zones SET withdrawn_sequence = 0").await;
    let undo = "UPDATE names SET withdrawn = NULL, withdrawn_until = NULL";
    db.tamper(undo).await;
    db.tamper("UPDATE devices SET state = 'active'").await;
    // The same copy a second time has counted no further.
    for later in [1, 2] {
        let store = knowing(db).await;
        store.accept_older(&by(NOW + later)).await.unwrap();
        for number in [
            store.withdrawn_sequence(&zone()).await.unwrap(),
            store.withdrawn(&zone(), at(NOW)).await.unwrap().sequence,
            store
                .each_withdrawn(&zone(), at(NOW), |_| {})
                .await
                .unwrap(),
        ] {
            assert!(number > signed, "{number} after {signed}");
        }
        let by = by(NOW + later);
        store
            .change_device(devices[0], &suspend, &by)
            .await
            .unwrap();
        let next = store.withdrawn_sequence(&zone()).await.unwrap();
        assert!(next > signed && next < 1 << 62, "{next}");
        signed = next;
        store.close().await;
        put_back(db, before).await;
        db.tamper("UPDATE zones SET withdrawn_sequence = 0").await;
        db.tamper(undo).await;
        db.tamper("UPDATE devices SET state = 'active'").await;
    }
}
