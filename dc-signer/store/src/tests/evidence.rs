//! Tampering with the database by whoever can write all of it: each way is found, and its place is named.

use std::sync::Mutex;

use dc_evidence::{Checkpoint, Note, SigningKey};

use super::*;
use crate::registry::{Action, Entry, Mismatch, Role};

on_both! {
    a_checkpoint_of_what_is_there_is_right,
    a_log_that_was_cut_is_found,
    a_log_without_its_issuances_is_found,
    a_log_without_one_record_is_found,
    a_record_is_proven,
    a_tree_grows_by_what_is_new,
    an_enrolment_key_that_was_replaced_is_found,
    external_ids_that_were_swapped_are_found,
    issue_rows_that_were_deleted_are_found,
    operators_that_were_changed_by_hand_are_found,
    records_of_a_device_that_was_put_there_by_hand_are_missed,
    zones_that_were_changed_by_hand_are_found,
}

/// A zone, a device, three credentials, and two changes of the device: 7 records.
async fn some_acts(store: &Store) -> Device {
    let device = active(store, 1).await;
    for number in 0..3 {
        store.record(issuance(&device, number)).await.unwrap();
    }
    for change in [Change::Suspend, Change::Resume] {
        let changed = store.change_device(device.id, &change, &by(NOW + 9)).await;
        changed.unwrap();
    }
    device
}

fn signing_key() -> SigningKey {
    // RFC 8410 §7, around a seed of 32 bytes.
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06];
    der.extend([0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]);
    der.extend([5; 32]);
    SigningKey::from_pkcs8("signer.example.com/audit", &der).unwrap()
}

/// Signs for the log as it is.
async fn signed(store: &Store) -> (Checkpoint, Note) {
    let tree = store.grow_audit_tree(&AuditTree::EMPTY).await.unwrap();
    let key = signing_key();
    let checkpoint = Checkpoint::of(tree.frontier(), &key);
    let note = checkpoint.sign(&key).unwrap();
    (checkpoint, note)
}

async fn verify(store: &Store, checkpoints: &[Checkpoint]) -> Result<Head, Error> {
    store.verify_audit_with(checkpoints.to_vec(), &|_| ()).await
}

async fn entries(store: &Store) -> Vec<Entry> {
    let records = store.audit_from(1, 999).await.unwrap();
    records.into_iter().map(|record| record.entry).collect()
}

/// Writes a whole new log with these entries, its chain and its end as they should be.
async fn rewrite(db: &Database, entries: Vec<Entry>) {
    let mut head = Head::EMPTY;
    let null = || "NULL".to_owned();
    let text = |text: &Option<String>| text.as_ref().map_or_else(null, |text| format!("'{text}'"));
    let hash = |hash: Option<Sha256>| hash.map_or_else(null, |hash| db.blob(hash.as_bytes()));
    db.tamper("DELETE FROM audit").await;
    for entry in entries {
        let record = head.append(entry);
        let entry = &record.entry;
        let expires = entry
            .expires
            .map_or_else(null, |at| at.as_secs().to_string());
        let sql = format!(
            "INSERT INTO audit VALUES ({}, {}, '{}', '{}', '{}', {}, {}, {}, {}, {expires}, {}, {}, {}, {})",
            record.seq,
            entry.time.as_secs(),
            entry.node,
            entry.actor,
            entry.action,
            text(&entry.name),
            hash(entry.spki_sha256),
            hash(entry.credential_sha256),
            text(&entry.zone),
            hash(Some(record.prev_hash)),
            hash(entry.detail_sha256),
            text(&entry.reason),
            text(&entry.scope),
        );
        db.tamper(&sql).await;
    }
    let end = db.blob(head.hash.as_bytes());
    let sql = format!("UPDATE audit_head SET seq = {}, hash = {end}", head.seq);
    db.tamper(&sql).await;
}

fn mismatch(verified: Result<Head, Error>) -> Mismatch {
    match verified {
        Err(Error::NotAsAudited { source }) => source,
        other => panic!("{other:?}"),
    }
}

async fn a_checkpoint_of_what_is_there_is_right(db: &Database) {
    let store = &*db.store;
    let (nothing, _) = signed(store).await;
    assert_eq!(
        verify(store, std::slice::from_ref(&nothing)).await.unwrap(),
        Head::EMPTY
    );
    some_acts(store).await;
    let (first, _) = signed(store).await;
    store
        .record(issuance(&by_id(store, new_device(1).id).await, 20))
        .await
        .unwrap();
    let (second, _) = signed(store).await;
    let heard = Mutex::new(Vec::new());
    let checkpoints = vec![second.clone(), nothing, first, second];
    let head = store
        .verify_audit_with(checkpoints, &|walked| heard.lock().unwrap().push(walked))
        .await
        .unwrap();
    assert_eq!(head.seq, 8);
    assert_eq!(*heard.lock().unwrap(), [Walked { records: 8, of: 8 }]);
    // The same log written once more is the same.
    rewrite(db, entries(store).await).await;
    assert_eq!(store.verify_audit().await.unwrap(), head);
}

async fn a_log_that_was_cut_is_found(db: &Database) {
    let store = &*db.store;
    some_acts(store).await;
    let (checkpoint, _) = signed(store).await;
    let grown = store.grow_audit_tree(&AuditTree::EMPTY).await.unwrap();
    let mut entries = entries(store).await;
    entries.truncate(5);
    rewrite(db, entries).await;
    // Whoever puts the device's time back too leaves no other trace.
    let changed = mismatch(store.verify_audit().await);
    assert_eq!(changed.place().column, Some("changed"));
    db.tamper("UPDATE devices SET changed = created").await;
    assert_eq!(store.verify_audit().await.unwrap().seq, 5);
    let cut = verify(store, &[checkpoint]).await.unwrap_err();
    assert!(matches!(cut, Error::Cut { size: 7, found: 5 }), "{cut:?}");
    let cut = store.grow_audit_tree(&grown).await.unwrap_err();
    assert!(matches!(cut, Error::Cut { size: 7, found: 5 }), "{cut:?}");
}

async fn a_log_without_one_record_is_found(db: &Database) {
    let store = &*db.store;
    let device = some_acts(store).await;
    let tree = store.grow_audit_tree(&AuditTree::EMPTY).await.unwrap();
    let (later, _) = signed(store).await;
    let (mut early, mut early_log) = (later.clone(), entries(store).await);
    early_log.truncate(4);
    let all = entries(store).await;
    rewrite(db, early_log).await;
    early.clone_from(&signed(store).await.0);
    rewrite(db, all).await;
    for change in [Change::Suspend, Change::Resume] {
        store
            .change_device(device.id, &change, &by(NOW + 30))
            .await
            .unwrap();
    }
    let whole = [early, later];
    verify(store, &whole).await.unwrap();
    let mut log = entries(store).await;
    let removed = log.remove(5);
    assert_eq!(removed.action, Action::Suspend);
    rewrite(db, log).await;
    // Here the record behind it makes no sense without it, which is chance.
    let found = store.verify_audit().await.unwrap_err();
    assert!(matches!(found, Error::NotAsAudited { .. }), "{found:?}");
    let found = verify(store, &whole).await.unwrap_err();
    assert!(
        matches!(found, Error::Rewritten { after: 4, size: 7 }),
        "{found:?}"
    );
    let text = "the audit log was rewritten: of its records 5 to 7, one is not as it was when the \
                checkpoint of 7 records was signed, or is missing";
    assert_eq!(found.to_string(), text);
    let found = store.grow_audit_tree(&tree).await.unwrap_err();
    assert!(
        matches!(found, Error::Rewritten { size: 7, .. }),
        "{found:?}"
    );
}

async fn a_log_without_its_issuances_is_found(db: &Database) {
    let store = &*db.store;
    some_acts(store).await;
    let (checkpoint, _) = signed(store).await;
    let mut log = entries(store).await;
    log.retain(|entry| entry.action != Action::Issue);
    rewrite(db, log).await;
    let cut = verify(store, &[checkpoint]).await.unwrap_err();
    assert!(matches!(cut, Error::Cut { size: 7, found: 4 }), "{cut:?}");
    // The credentials are still there, so it shows without a checkpoint too.
    let since = NOW / 604_800 * 604_800;
    let (rows, records) = (3, 0);
    let found = mismatch(store.verify_audit().await);
    assert_eq!(
        found,
        Mismatch::IssuesWithoutRecord {
            since,
            rows,
            records
        }
    );
}

async fn an_enrolment_key_that_was_replaced_is_found(db: &Database) {
    let store = &*db.store;
    let device = some_acts(store).await;
    let evil = db.blob(key("another box").as_bytes());
    db.tamper(&format!("UPDATE devices SET enrolment_key = {evil}"))
        .await;
    let name = device.name.to_string();
    let found = mismatch(store.verify_audit().await);
    assert_eq!(
        found,
        Mismatch::EnrolmentKey {
            name: name.clone(),
            seq: 2
        }
    );
    let good = db.blob(device.key.unwrap().as_bytes());
    db.tamper(&format!(
        "UPDATE devices SET enrolment_key = {good}, next_key = {evil}, next_key_since = 1"
    ))
    .await;
    let what = "the next key of";
    let found = mismatch(store.verify_audit().await);
    assert_eq!(found, Mismatch::NoRecord { what, name });
    db.tamper("UPDATE devices SET next_key = NULL, next_key_since = NULL")
        .await;
    let switch = Change::SwitchKey { key: key("next") };
    store
        .change_device(device.id, &switch, &by(NOW + 40))
        .await
        .unwrap();
    store.verify_audit().await.unwrap();
    let last = Issuance {
        key: key("next"),
        ..issuance(&device, 50)
    };
    store.record(last).await.unwrap();
    store.verify_audit().await.unwrap();
}

async fn external_ids_that_were_swapped_are_found(db: &Database) {
    let store = &*db.store;
    let device = some_acts(store).await;
    let other = active(store, 2).await;
    store.verify_audit().await.unwrap();
    let (one, two) = ("customer-0001", "customer-0002");
    for (from, to) in [(one, "x"), (two, one), ("x", two)] {
        let sql = format!("UPDATE devices SET external_id = '{to}' WHERE external_id = '{from}'");
        db.tamper(&sql).await;
    }
    let swapped = by_id(store, other.id).await;
    assert_eq!(swapped.external_id, device.external_id);
    let (name, seq) = (device.name.to_string(), 2);
    let found = mismatch(store.verify_audit().await);
    assert_eq!(found, Mismatch::Identity { name, seq });
}

async fn records_of_a_device_that_was_put_there_by_hand_are_missed(db: &Database) {
    let store = &*db.store;
    some_acts(store).await;
    let id = db.blob(&[9; 16]);
    let sql = format!(
        "INSERT INTO devices (id, external_id, state, zone, name, slot, epoch, created, changed, stays_withdrawn) \
         VALUES ({id}, 'evil', 'preregistered', 'cpe.example.com', 'evil.cpe.example.com', 0, 0, 1, 1, 0)"
    );
    db.tamper(&sql).await;
    let (what, name) = ("the device", "evil.cpe.example.com".to_owned());
    let found = mismatch(store.check().await);
    assert_eq!(found, Mismatch::NoRecord { what, name });
}

async fn issue_rows_that_were_deleted_are_found(db: &Database) {
    let store = &*db.store;
    let device = some_acts(store).await;
    let (name, week) = (|| device.name.to_string(), NOW / 604_800);
    store.record(issuance(&device, 604_800)).await.unwrap();
    store.verify_audit().await.unwrap();
    // No week is missing behind one that was there before.
    db.tamper(&format!("DROP TABLE issues_{}", week + 1)).await;
    db.tamper(&format!(
        "DELETE FROM issue_weeks WHERE week = {}",
        week + 1
    ))
    .await;
    let (found, seq) = (mismatch(store.verify_audit().await), 8);
    assert_eq!(found, Mismatch::IssueMissing { name: name(), seq });
    db.tamper(&format!(
        "DELETE FROM issues_{week} WHERE issued = {}",
        NOW + 1
    ))
    .await;
    let (found, seq) = (mismatch(store.verify_audit().await), 4);
    assert_eq!(found, Mismatch::IssueMissing { name: name(), seq });
    // A week that is not kept any more is not missed.
    db.tamper(&format!("DROP TABLE issues_{week}")).await;
    db.tamper("DELETE FROM issue_weeks").await;
    store.verify_audit().await.unwrap();
}

async fn operators_that_were_changed_by_hand_are_found(db: &Database) {
    let store = &*db.store;
    let name = "alice".parse().unwrap();
    let operator = Operator::new(name, Role::ALL[0], Access::Token(key("token")), None);
    store.put_operator(&operator, &by(NOW)).await.unwrap();
    store.verify_audit().await.unwrap();
    let token = db.blob(key("evil").as_bytes());
    let role = operator.role.as_str();
    let sql = format!(
        "INSERT INTO operators (name, role, token_sha256) VALUES ('evil', '{role}', {token})"
    );
    db.tamper(&sql).await;
    let (what, name) = ("the operator", "evil".to_owned());
    let found = mismatch(store.verify_audit().await);
    assert_eq!(found, Mismatch::NoRecord { what, name });
    db.tamper("DELETE FROM operators WHERE name = 'evil'").await;
    let changes = [
        format!("UPDATE operators SET role = '{}'", Role::ALL[2].as_str()),
        format!("UPDATE operators SET role = '{role}', token_sha256 = {token}"),
    ];
    for change in changes {
        db.tamper(&change).await;
        let (name, seq) = ("alice".to_owned(), 1);
        let found = mismatch(store.verify_audit().await);
        assert_eq!(found, Mismatch::OperatorChanged { name, seq });
    }
    let right = db.blob(key("token").as_bytes());
    db.tamper(&format!("UPDATE operators SET token_sha256 = {right}"))
        .await;
    store
        .disable_operator(&operator.name, &by(NOW))
        .await
        .unwrap();
    store.verify_audit().await.unwrap();
    db.tamper("UPDATE operators SET disabled = 0").await;
    let name = || "alice".to_owned();
    let found = mismatch(store.verify_audit().await);
    assert_eq!(
        found,
        Mismatch::OperatorEnabled {
            name: name(),
            seq: 2
        }
    );
    db.tamper("DELETE FROM operators").await;
    let (what, seq) = ("operator", 2);
    let found = mismatch(store.verify_audit().await);
    assert_eq!(
        found,
        Mismatch::Removed {
            what,
            name: name(),
            seq
        }
    );
}

async fn zones_that_were_changed_by_hand_are_found(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    db.tamper("INSERT INTO zones (zone, forms) VALUES ('evil.example.com', 'named')")
        .await;
    let (what, name) = ("the zone", "evil.example.com".to_owned());
    let found = mismatch(store.verify_audit().await);
    assert_eq!(found, Mismatch::NoRecord { what, name });
    db.tamper("DELETE FROM zones").await;
    let (what, name, seq) = ("zone", zone().to_string(), 1);
    let found = mismatch(store.verify_audit().await);
    assert_eq!(found, Mismatch::Removed { what, name, seq });
}

async fn a_tree_grows_by_what_is_new(db: &Database) {
    let store = &*db.store;
    let empty = store.grow_audit_tree(&AuditTree::EMPTY).await.unwrap();
    assert_eq!(empty, AuditTree::EMPTY);
    let device = some_acts(store).await;
    let first = store.grow_audit_tree(&empty).await.unwrap();
    store.record(issuance(&device, 60)).await.unwrap();
    let frontier = first.frontier().clone();
    let kept = AuditTree::new(first.head(), frontier.clone()).unwrap();
    let second = store.grow_audit_tree(&kept).await.unwrap();
    assert_eq!(
        second,
        store.grow_audit_tree(&AuditTree::EMPTY).await.unwrap()
    );
    assert_eq!(second.head(), store.audit_head().await.unwrap());
    assert!(AuditTree::new(second.head(), frontier).is_err());
}

async fn a_record_is_proven(db: &Database) {
    let store = &*db.store;
    let device = some_acts(store).await;
    let (checkpoint, note) = signed(store).await;
    store.record(issuance(&device, 60)).await.unwrap();
    for record in store.audit_from(1, 7).await.unwrap() {
        let proven = store
            .prove_record(record.seq, &checkpoint, &note)
            .await
            .unwrap();
        let read: dc_evidence::Proven = proven.to_string().parse().unwrap();
        assert_eq!(read.extra, record.encoded());
        let key = signing_key();
        let verified = read.verify(&record.encoded(), key.verifying_key()).unwrap();
        assert_eq!(verified, checkpoint);
    }
    for seq in [0, 8, u64::MAX] {
        let refused = store
            .prove_record(seq, &checkpoint, &note)
            .await
            .unwrap_err();
        assert!(
            matches!(refused, Error::NotInCheckpoint { size: 7, .. }),
            "{refused:?}"
        );
    }
    let mut log = entries(store).await;
    log[3].actor = "nobody".into();
    rewrite(db, log).await;
    let refused = store.prove_record(1, &checkpoint, &note).await.unwrap_err();
    assert!(
        matches!(refused, Error::Rewritten { size: 7, .. }),
        "{refused:?}"
    );
}
