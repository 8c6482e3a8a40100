//! Commitments of records: changed by hand it is found, and older signers are not confused by it.

use super::*;
use crate::registry::{Action, Manufactured, Mismatch, Replacement, Role};

on_both! {
    a_serial_number_that_was_changed_by_hand_is_found,
    operators_who_were_disabled_since_a_backup_stay_so,
    roles_that_were_changed_by_hand_are_found,
    while_an_older_signer_works_records_are_such_as_it_reads,
}

fn made(serial: &str) -> Manufactured {
    Manufactured {
        manufacturer: "acme".to_owned(),
        serial: serial.to_owned(),
    }
}

async fn mismatch(store: &Store) -> Mismatch {
    match store.verify_audit().await {
        Err(Error::NotAsAudited { source }) => source,
        other => panic!("{other:?}"),
    }
}

async fn a_serial_number_that_was_changed_by_hand_is_found(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let new = NewDevice {
        manufactured: Some(made("1")),
        ..with_key(1)
    };
    let name = || new.name.to_string();
    store
        .add_devices(std::slice::from_ref(&new), &by(NOW))
        .await
        .unwrap();
    store.verify_audit().await.unwrap();
    db.tamper("UPDATE devices SET serial = '2'").await;
    let (identity, seq) = (mismatch(store).await, 2);
    assert_eq!(identity, Mismatch::Identity { name: name(), seq });
    db.tamper("UPDATE devices SET serial = '1'").await;
    // Another box has another serial number.
    let replaced = Change::Replace(Replacement::KeepName {
        manufactured: Some(made("3")),
        at_once: false,
    });
    store
        .change_device(new.id, &replaced, &by(NOW + 1))
        .await
        .unwrap();
    store.verify_audit().await.unwrap();
    db.tamper("UPDATE devices SET manufacturer = 'other'").await;
    let (identity, seq) = (mismatch(store).await, 3);
    assert_eq!(identity, Mismatch::Identity { name: name(), seq });
}

async fn roles_that_were_changed_by_hand_are_found(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    db.tamper("UPDATE zones SET roles = 'both'").await;
    let name = || zone().to_string();
    let changed = |seq| Mismatch::ZoneChanged { name: name(), seq };
    assert_eq!(mismatch(store).await, changed(1));
    store
        .set_roles(&zone(), Roles::Both, &by(NOW))
        .await
        .unwrap();
    store
        .pull_renewals(&zone(), Some(at(NOW)), &by(NOW))
        .await
        .unwrap();
    store.verify_audit().await.unwrap();
    for sql in [
        "UPDATE zones SET renew_issued_before = NULL",
        "UPDATE zones SET renew_issued_before = 1",
        "UPDATE zones SET roles = 'server'",
        "UPDATE zones SET forms = 'both'",
    ] {
        db.tamper(sql).await;
        assert_eq!(mismatch(store).await, changed(3), "{sql}");
    }
    store
        .set_forms(&zone(), Forms::Named, &by(NOW))
        .await
        .unwrap();
    store.verify_audit().await.unwrap();
}

async fn put_operator(store: &Store, name: &str) {
    let operator = Operator::new(
        name.parse().unwrap(),
        Role::Admin,
        Access::Token(key(name)),
        None,
    );
    store.put_operator(&operator, &by(NOW)).await.unwrap();
}

async fn operators_who_were_disabled_since_a_backup_stay_so(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    for name in ["alice", "bob", "carol"] {
        put_operator(store, name).await;
    }
    let backup = store.audit_head().await.unwrap();
    store
        .disable_operator(&"alice".parse().unwrap(), &by(NOW + 1))
        .await
        .unwrap();
    // A stolen token was taken from bob.
    let bob = Operator::new(
        "bob".parse().unwrap(),
        Role::Admin,
        Access::Token(key("bob's next")),
        None,
    );
    store.put_operator(&bob, &by(NOW)).await.unwrap();
    let newest = store.audit_from(1, 99).await.unwrap();
    let hash = db.blob(backup.hash.as_bytes());
    let sql = format!("UPDATE audit_head SET seq = {}, hash = {hash}", backup.seq);
    let old_token = db.blob(key("bob").as_bytes());
    let old_token = format!("UPDATE operators SET token_sha256 = {old_token} WHERE name = 'bob'");
    for sql in [
        &sql,
        &old_token,
        "DELETE FROM audit WHERE seq > 4",
        "UPDATE operators SET disabled = 0",
    ] {
        db.tamper(sql).await;
    }
    let brought = store.replay(&newest, &by(NOW + 2)).await.unwrap();
    assert_eq!(brought.operators, ["alice", "bob"]);
    let all = store.operators().await.unwrap().into_iter();
    let may_act: Vec<String> = all
        .filter(|operator| !operator.disabled)
        .map(|operator| operator.name.to_string())
        .collect();
    assert_eq!(may_act, ["carol"]);
    store.verify_audit().await.unwrap();
    // One who was brought back by hand is found, although the log came with a copy.
    db.tamper("UPDATE operators SET disabled = 0 WHERE name = 'alice'")
        .await;
    let (name, seq) = ("alice".to_owned(), 5);
    assert_eq!(
        mismatch(store).await,
        Mismatch::OperatorEnabled { name, seq }
    );
}

async fn while_an_older_signer_works_records_are_such_as_it_reads(db: &Database) {
    let store = &*db.store;
    let now = dc_pki::clock::now().unwrap();
    let by = Act { at: now, ..by(NOW) };
    let report = Report {
        id: [1; 16],
        stopped: false,
        clock: None,
        keys: Vec::new(),
        sealing: Vec::new(),
    };
    let details = async || {
        let records = store.audit_from(1, 99).await.unwrap();
        let is_there = |record: &registry::Record| record.entry.detail_sha256.is_some();
        records.iter().map(is_there).collect::<Vec<_>>()
    };
    let add = async |number| {
        let new = with_key(number);
        store.add_devices(&[new], &by).await.unwrap();
    };
    store.report(&report, now).await.unwrap();
    // As one of an older version does, which knows nothing of the column.
    let older = "UPDATE replicas SET format = 1";
    db.tamper(older).await;
    let new = NewZone {
        zone: zone(),
        forms: Forms::Named,
        roles: Roles::Server,
    };
    store.add_zone(&new, &by).await.unwrap();
    add(1).await;
    store.set_roles(&zone(), Roles::Both, &by).await.unwrap();
    assert_eq!(details().await, [false, false, false]);
    store.verify_audit().await.unwrap();
    // It is silent, or has been brought up.
    db.tamper("UPDATE replicas SET seen = seen - 999").await;
    add(2).await;
    store.report(&report, now).await.unwrap();
    add(3).await;
    let all = [false, false, false, true, true];
    assert_eq!(details().await, all);
    let acts = store.audit_from(1, 99).await.unwrap();
    assert_eq!(acts[2].entry.action, Action::ChangeZone);
    // No older signer works on a log with details, whatever a row says.
    db.tamper(older).await;
    add(4).await;
    assert_eq!(details().await.last(), Some(&true));
    store.verify_audit().await.unwrap();
}
