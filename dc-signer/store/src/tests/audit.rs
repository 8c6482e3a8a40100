//! The audit log: what it shows, and what restoring a backup cannot undo.

use super::tampering::forge::append;
use super::*;
use crate::registry::{Action, Entry, Replacement, SharedDelegation, State};

on_both! {
    a_backup_cannot_let_anybody_back_in,
    a_device_that_was_let_in_by_hand_is_found,
    a_backup_brings_no_certificate_back_that_somebody_has_ended,
    a_backup_gives_no_name_to_a_second_box,
    a_backup_takes_nobody_for_a_copy,
    a_device_that_a_backup_lost_keeps_its_name_from_another_box,
    a_device_that_a_backup_lost_stays_withdrawn,
    a_device_that_was_replaced_since_the_backup_is_suspended,
    a_forged_end_in_a_newer_log_ends_nothing_and_forgets_no_key,
    a_log_with_another_past_is_not_replayed,
    a_lost_name_that_was_removed_by_hand_is_found,
    a_record_that_was_changed_by_hand_is_found,
    a_record_that_was_removed_by_hand_is_found,
    every_change_of_state_verifies,
    records_come_from_a_place_on,
    the_end_that_was_moved_by_hand_is_found,
    what_was_used_in_a_newer_log_alone_one_operator_ends,
}

async fn some_acts(store: &Store) -> Device {
    let device = active(store, 1).await;
    for number in 0..5 {
        store.record(issuance(&device, number)).await.unwrap();
    }
    device
}

async fn records_come_from_a_place_on(db: &Database) {
    let store = &*db.store;
    some_acts(store).await;
    let all = store.audit_from(0, 99).await.unwrap();
    assert_eq!(
        all.iter().map(|record| record.seq).collect::<Vec<_>>(),
        (1..=7).collect::<Vec<_>>()
    );
    assert_eq!(store.audit_from(3, 2).await.unwrap(), all[2..4]);
    assert_eq!(store.audit_from(8, 2).await.unwrap(), []);
    let head = store.audit_head().await.unwrap();
    assert_eq!((head.seq, head.hash), (7, all[6].hash()));
    assert_eq!(store.verify_audit().await.unwrap(), head);
}

async fn a_record_that_was_changed_by_hand_is_found(db: &Database) {
    some_acts(&db.store).await;
    db.tamper("UPDATE audit SET actor = 'nobody' WHERE seq = 4")
        .await;
    let error = db.store.verify_audit().await.unwrap_err();
    assert_eq!(refused(error), registry::Error::AuditLink { seq: 4 });
}

async fn a_record_that_was_removed_by_hand_is_found(db: &Database) {
    some_acts(&db.store).await;
    db.tamper("DELETE FROM audit WHERE seq = 4").await;
    let error = db.store.verify_audit().await.unwrap_err();
    let (expected, found) = (4, 5);
    assert_eq!(
        refused(error),
        registry::Error::AuditSequence { expected, found }
    );
}

async fn the_end_that_was_moved_by_hand_is_found(db: &Database) {
    some_acts(&db.store).await;
    db.tamper("DELETE FROM audit WHERE seq = 7").await;
    let error = db.store.verify_audit().await.unwrap_err();
    let (expected, found) = (7, 6);
    assert_eq!(
        refused(error),
        registry::Error::AuditSequence { expected, found }
    );
    db.tamper("UPDATE audit_head SET seq = 6").await;
    let error = db.store.verify_audit().await.unwrap_err();
    assert_eq!(refused(error), registry::Error::AuditLink { seq: 6 });
}

async fn every_change_of_state_verifies(db: &Database) {
    let store = &*db.store;
    let name = |text: &str| dc_pki::names::parse(text).unwrap();
    let new_name = |text: &str, epoch| {
        Change::Replace(Replacement::NewName {
            name: name(text),
            epoch,
        })
    };
    let keep = || {
        Change::Replace(Replacement::KeepName {
            manufactured: None,
            at_once: false,
        })
    };
    let ways: [&[Change]; 7] = [
        &[Change::Suspend],
        &[Change::Suspend, Change::Resume],
        &[Change::Suspend, Change::Retire],
        &[Change::Suspend, keep()],
        &[
            Change::Suspend,
            new_name("a.cpe.example.com", 1),
            Change::Suspend,
        ],
        &[keep(), Change::Suspend, Change::Resume],
        &[Change::Retire],
    ];
    for (number, way) in (0..).zip(ways) {
        let device = active(store, number).await;
        for change in way {
            store
                .change_device(device.id, change, &by(NOW))
                .await
                .unwrap();
            store.verify_audit().await.unwrap();
        }
    }
}

async fn a_device_that_was_let_in_by_hand_is_found(db: &Database) {
    let device = some_acts(&db.store).await;
    db.store
        .change_device(device.id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    db.tamper("UPDATE devices SET state = 'active'").await;
    let error = db.store.verify_audit().await.unwrap_err();
    assert!(
        matches!(&error, Error::StateNotInAudit { name, state: State::Active } if *name == device.name),
        "{error:?}"
    );
    db.tamper("UPDATE devices SET state = 'retired'").await;
    let error = db.store.check().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::StateNotInAudit {
                state: State::Retired,
                ..
            }
        ),
        "{error:?}"
    );
}

/// Two databases with one past: the second is the backup.
async fn with_backup(db: &Database, devices: u32) -> Database {
    let backup = match db.location {
        Location::File(_) => Database::sqlite().await,
        Location::Postgres(_) => Database::postgres().await.unwrap(),
    };
    for store in [&*db.store, &*backup.store] {
        for number in 0..devices {
            active(store, number).await;
        }
    }
    assert_eq!(
        db.store.audit_head().await.unwrap(),
        backup.store.audit_head().await.unwrap()
    );
    backup
}

async fn a_backup_cannot_let_anybody_back_in(db: &Database) {
    let backup = with_backup(db, 4).await;
    let devices: Vec<DeviceId> = (0..4).map(|number| new_device(number).id).collect();
    let store = &*db.store;
    store
        .change_device(devices[0], &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    store
        .change_device(devices[1], &Change::Retire, &by(NOW))
        .await
        .unwrap();
    store
        .change_device(devices[2], &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    store
        .change_device(devices[2], &Change::Resume, &by(NOW))
        .await
        .unwrap();
    // One that the backup never heard of.
    let unheard = active(store, 9).await;
    store
        .change_device(unheard.id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    let log = store.audit_from(1, 999).await.unwrap();

    let restored = &*backup.store;
    assert_eq!(
        restored.replay(&log, &by(NOW + 9)).await.unwrap().changed,
        4
    );
    let mut states = Vec::new();
    for id in devices {
        states.push(by_id(restored, id).await.state);
    }
    assert_eq!(
        states,
        [
            State::Suspended,
            State::Retired,
            State::Active,
            State::Active
        ]
    );
    let head = restored.verify_audit().await.unwrap();
    let last = restored.audit_from(head.seq, 1).await.unwrap().remove(0);
    assert_eq!(last.entry.action, Action::Replay);
    assert_eq!(restored.audit_from(1, 999).await.unwrap()[..log.len()], log);
    let names = restored.withdrawn(&zone(), at(NOW)).await.unwrap().names;
    assert_eq!(names.len(), 2);
    backup.end().await;
}

async fn a_backup_brings_no_certificate_back_that_somebody_has_ended(db: &Database) {
    let backup = with_backup(db, 1).await;
    let zone = zone();
    for store in [&*db.store, &*backup.store] {
        for (number, text) in [(1, "stolen"), (2, "over"), (3, "next")] {
            let new = NewDelegation {
                zone: zone.clone(),
                certificate_sha256: key(text),
                not_before: at(NOW - 99),
                not_after: at(NOW + 90 * 86_400),
            };
            store.import_delegation(&new, &by(NOW)).await.unwrap();
            if number < 3 {
                let (active, by) = (DelegationState::Active, by(NOW));
                let moved = store.move_delegation(&zone, number, active, &by);
                moved.await.unwrap();
            }
        }
    }
    let gone = DelegationState::Gone;
    let signer = Act::new("signer", at(NOW + 8 * 86_400));
    let move_to = async |number, to, by: &Act| {
        let moved = db.store.move_delegation(&zone, number, to, by).await;
        moved.unwrap();
    };
    move_to(1, gone, &by(NOW + 1)).await;
    move_to(3, DelegationState::Active, &by(NOW + 1)).await;
    move_to(2, gone, &signer).await;
    let log = db.store.audit_from(1, 999).await.unwrap();
    let after = by(NOW + 9 * 86_400);
    let brought = backup.store.replay(&log, &after).await.unwrap();
    assert_eq!(brought.slots, ["slot 1 of cpe.example.com"]);
    let slots = backup.store.zones().await.unwrap().remove(0).delegations;
    let states: Vec<_> = slots.iter().map(|slot| slot.state).collect();
    // What was only over may serve again until the next one is imported.
    assert_eq!(
        states,
        [gone, DelegationState::Active, DelegationState::Next]
    );
    let ended = backup.store.delegation_ended_by(&key("stolen")).await;
    assert_eq!(ended.unwrap(), Some(EndedBy::People));
    backup.store.verify_audit().await.unwrap();
    backup.end().await;
}

async fn what_was_used_in_a_newer_log_alone_one_operator_ends(db: &Database) {
    let backup = with_backup(db, 1).await;
    let policy = registry::FourEyes {
        zones_end: true,
        ..Default::default()
    };
    for store in [&*db.store, &*backup.store] {
        let alice = Operator::new(
            "alice".parse().unwrap(),
            registry::Role::Admin,
            Access::Token(key("alice")),
            None,
        );
        store.put_operator(&alice, &by(NOW)).await.unwrap();
        let signer = Act::new("signer", at(NOW));
        store.set_four_eyes(&policy, &signer).await.unwrap();
        for text in ["first", "second"] {
            let new = NewDelegation {
                zone: zone(),
                certificate_sha256: key(text),
                not_before: at(NOW - 99),
                not_after: at(NOW + 90 * 86_400),
            };
            store.import_delegation(&new, &by(NOW)).await.unwrap();
        }
        let (active, by) = (DelegationState::Active, by(NOW));
        let moved = store.move_delegation(&zone(), 1, active, &by).await;
        moved.unwrap();
    }
    let (active, gone) = (DelegationState::Active, DelegationState::Gone);
    let moved = db.store.move_delegation(&zone(), 2, active, &by(NOW)).await;
    moved.unwrap();
    let log = db.store.audit_from(1, 999).await.unwrap();
    let store = &*backup.store;
    store.replay(&log, &by(NOW + 9)).await.unwrap();
    let alice = Act::new("operator:alice", at(NOW + 10)).because("a test".parse().ok());
    store
        .move_delegation(&zone(), 2, gone, &alice)
        .await
        .unwrap();
    let ended = store.delegation_ended_by(&key("second")).await.unwrap();
    assert_eq!(ended, Some(EndedBy::People));
    store.verify_audit().await.unwrap();
    backup.end().await;
}

async fn a_forged_end_in_a_newer_log_ends_nothing_and_forgets_no_key(db: &Database) {
    let backup = with_backup(db, 1).await;
    for store in [&*db.store, &*backup.store] {
        let new = NewDelegation {
            zone: zone(),
            certificate_sha256: key("kept"),
            not_before: at(NOW - 99),
            not_after: at(NOW + 90 * 86_400),
        };
        let shared = SharedDelegation {
            certificate_sha256: new.certificate_sha256,
            chain: b"chain".to_vec(),
            location: None,
            sealed: Some(b"sealed".to_vec()),
        };
        let by = by(NOW);
        let imported = store.import_shared_delegation(&new, &shared, &by).await;
        imported.unwrap();
        let active = DelegationState::Active;
        let moved = store.move_delegation(&zone(), 1, active, &by).await;
        moved.unwrap();
    }
    let imported = db.store.audit_from(1, 999).await.unwrap().pop().unwrap();
    for actor in [
        "operator:alice",
        "operator:alice+bob",
        "root:uid=0,login=none",
        "signer",
    ] {
        let end = Entry {
            actor: actor.to_owned(),
            action: Action::EndDelegation,
            time: at(NOW + 1),
            reason: Some("a test".to_owned()),
            scope: None,
            ..imported.entry.clone()
        };
        append(db, end).await;
    }
    let log = db.store.audit_from(1, 999).await.unwrap();
    let brought = backup.store.replay(&log, &by(NOW + 9)).await.unwrap();
    assert_eq!(brought.slots, Vec::<String>::new());
    let slots = backup.store.zones().await.unwrap().remove(0).delegations;
    assert_eq!(slots[0].state, DelegationState::Active);
    let kept = backup.store.shared_delegation(&key("kept")).await.unwrap();
    assert!(kept.is_some());
    backup.store.verify_audit().await.unwrap_err();
    backup.end().await;
}

async fn a_device_that_was_replaced_since_the_backup_is_suspended(db: &Database) {
    let backup = with_backup(db, 1).await;
    let id = new_device(0).id;
    let name = dc_pki::names::parse("new.cpe.example.com").unwrap();
    let change = Change::Replace(Replacement::NewName { name, epoch: 1 });
    db.store.change_device(id, &change, &by(NOW)).await.unwrap();
    let log = db.store.audit_from(1, 999).await.unwrap();
    assert_eq!(
        backup
            .store
            .replay(&log, &by(NOW + 9))
            .await
            .unwrap()
            .changed,
        1
    );
    assert_eq!(by_id(&backup.store, id).await.state, State::Suspended);
    backup.store.verify_audit().await.unwrap();
    backup.end().await;
}

async fn a_log_with_another_past_is_not_replayed(db: &Database) {
    let backup = with_backup(db, 1).await;
    let id = new_device(0).id;
    db.store
        .change_device(id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    let log = db.store.audit_from(1, 999).await.unwrap();
    backup
        .store
        .change_device(id, &Change::FlagClone, &by(NOW))
        .await
        .unwrap();
    let head = backup.store.audit_head().await.unwrap();
    for part in [&log[..], &log[2..]] {
        let error = backup.store.replay(part, &by(NOW)).await.unwrap_err();
        assert_eq!(refused(error), registry::Error::OtherLog { seq: 3 });
    }
    assert_eq!(backup.store.audit_head().await.unwrap(), head);
    // Nor one that leaves something out.
    db.store
        .change_device(id, &Change::Resume, &by(NOW))
        .await
        .unwrap();
    db.store
        .change_device(id, &Change::Retire, &by(NOW))
        .await
        .unwrap();
    let late = db.store.audit_from(5, 999).await.unwrap();
    let error = backup.store.replay(&late, &by(NOW)).await.unwrap_err();
    let (expected, found) = (4, 5);
    assert_eq!(
        refused(error),
        registry::Error::AuditSequence { expected, found }
    );
    backup.end().await;
}

async fn a_backup_gives_no_name_to_a_second_box(db: &Database) {
    let backup = with_backup(db, 2).await;
    let [kept, renamed] = [new_device(0).id, new_device(1).id];
    let store = &*db.store;
    for id in [kept, renamed] {
        let device = by_id(store, id).await;
        store.record(issuance(&device, 5)).await.unwrap();
    }
    let keep = Change::Replace(Replacement::KeepName {
        manufactured: None,
        at_once: false,
    });
    store
        .change_device(kept, &keep, &by(NOW + 6))
        .await
        .unwrap();
    let change = names::renamed(10, 1);
    store
        .change_device(renamed, &change, &by(NOW + 6))
        .await
        .unwrap();
    let log = store.audit_from(1, 999).await.unwrap();
    let restored = &*backup.store;
    assert_eq!(
        restored.replay(&log, &by(NOW + 9)).await.unwrap().changed,
        2
    );
    let over = NOW + 5 + 165 * 3600 + 1;
    let device = by_id(restored, kept).await;
    assert_eq!((device.state, device.key), (State::Suspended, None));
    assert_eq!(device.waits_until(at(NOW + 9)), Some(at(over)));
    // Nor is it off the list when somebody has looked at it.
    let resume = Change::Resume;
    restored
        .change_device(kept, &resume, &by(NOW + 10))
        .await
        .unwrap();
    let names = restored
        .withdrawn(&zone(), at(over - 1))
        .await
        .unwrap()
        .names;
    assert_eq!(names.len(), 3, "{names:?}");
    let device = by_id(restored, renamed).await;
    assert_eq!(device.name.as_str(), "d10.cpe.example.com");
    assert_eq!((device.state, device.key), (State::Suspended, None));
    restored.verify_audit().await.unwrap();
    backup.end().await;
}

async fn a_backup_takes_nobody_for_a_copy(db: &Database) {
    let backup = with_backup(db, 1).await;
    let store = &*db.store;
    let device = by_id(store, new_device(0).id).await;
    let switch = Change::SwitchKey { key: key("next") };
    store.record(issuance(&device, 1)).await.unwrap();
    store
        .change_device(device.id, &switch, &by(NOW + 2))
        .await
        .unwrap();
    let last = Issuance {
        key: key("next"),
        credentials: vec![key("named"), key("rfc9345")],
        client: Some(ClientIssuance {
            spki_sha256: key("the client's key"),
            credentials: vec![key("the client's credential")],
        }),
        shown: Some(issuance(&device, 1).credentials[0]),
        ..issuance(&device, 3)
    };
    store.record(last).await.unwrap();
    let log = store.audit_from(1, 999).await.unwrap();
    let restored = &*backup.store;
    assert_eq!(
        restored.replay(&log, &by(NOW + 9)).await.unwrap().changed,
        0
    );
    let there = by_id(store, device.id).await;
    let here = by_id(restored, device.id).await;
    assert_eq!(
        (here.key, here.credential, here.hold),
        (there.key, there.credential, there.hold)
    );
    let next = Issuance {
        key: key("next"),
        shown: Some(key("named")),
        ..issuance(&device, 300_000)
    };
    let recorded = restored.record(next).await.unwrap();
    assert!(matches!(recorded, Recorded::Now { flagged: false, .. }));
    restored.verify_audit().await.unwrap();
    backup.end().await;
}

/// Adds a device after the backup, with a credential, and does what is to be done to it; the restored backup.
async fn lose(db: &Database, changes: &[Change]) -> Database {
    let backup = with_backup(db, 1).await;
    let lost = active(&db.store, 9).await;
    db.store.record(issuance(&lost, 5)).await.unwrap();
    for change in changes {
        let changed = db.store.change_device(lost.id, change, &by(NOW + 6)).await;
        changed.unwrap();
    }
    let log = db.store.audit_from(1, 999).await.unwrap();
    let brought = backup.store.replay(&log, &by(NOW + 9)).await.unwrap();
    assert_eq!(brought.lost, ["d9.cpe.example.com"]);
    backup.store.verify_audit().await.unwrap();
    backup
}

/// The last second in which what [`lose`] lets be issued is valid.
const LOST_UNTIL: u64 = NOW + 5 + 164 * 3600;
/// When it is over by every signer's clock.
const LOST_OVER: u64 = LOST_UNTIL + 1 + 3600;

async fn withdrawn_at(store: &Store, now: u64) -> Vec<String> {
    let names = store.withdrawn(&zone(), at(now)).await.unwrap().names;
    names.iter().map(|name| name.name.to_string()).collect()
}

async fn a_device_that_a_backup_lost_keeps_its_name_from_another_box(db: &Database) {
    let backup = lose(db, &[]).await;
    let store = &*backup.store;
    assert_eq!(withdrawn_at(store, NOW + 9).await, [""; 0]);
    // Neither a device that is there gets it, nor one that is added.
    let other = new_device(0).id;
    let rename = store
        .change_device(other, &names::renamed(9, 1), &by(NOW + 10))
        .await;
    assert_eq!(refused(rename.unwrap_err()), registry::Error::NameTaken);
    for (number, known) in [(9, false), (8, true)] {
        let new = NewDevice {
            key: known.then(|| key("another box")),
            ..new_device(number)
        };
        let added = store
            .add_devices(std::slice::from_ref(&new), &by(NOW + 10))
            .await;
        assert_eq!(added.unwrap(), [Added::New]);
        let added = by_id(store, new.id).await;
        let waits = (!known).then(|| at(LOST_OVER));
        assert_eq!(added.waits_until(at(NOW + 10)), waits);
    }
    let enrol = |box_: &str| Change::Enrol { key: key(box_) };
    let id = new_device(9).id;
    let early = store.change_device(id, &enrol("it"), &by(LOST_UNTIL)).await;
    let from = at(LOST_OVER);
    assert_eq!(
        refused(early.unwrap_err()),
        registry::Error::NameHeld { from }
    );
    let late = store.change_device(id, &enrol("it"), &by(LOST_OVER)).await;
    late.unwrap();
    store.verify_audit().await.unwrap();
    backup.end().await;
}

async fn a_lost_name_that_was_removed_by_hand_is_found(db: &Database) {
    let backup = lose(db, &[]).await;
    let store = &*backup.store;
    for sql in [
        "UPDATE lost_names SET free_from = 1",
        "UPDATE lost_names SET name = 'x.cpe.example.com', free_from = 9999999999",
        "DELETE FROM lost_names",
    ] {
        backup.tamper(sql).await;
        let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
        let place = &found.first[0].place;
        assert_eq!(
            (place.table, place.column),
            (Some("lost_names"), Some("free_from"))
        );
        assert_eq!(place.row.as_deref(), Some("d9.cpe.example.com"));
    }
    backup.end().await;
}

async fn a_device_that_a_backup_lost_stays_withdrawn(db: &Database) {
    let backup = lose(db, &[Change::Suspend]).await;
    let store = &*backup.store;
    let name = ["d9.cpe.example.com"];
    assert_eq!(withdrawn_at(store, LOST_UNTIL).await, name);
    assert_eq!(withdrawn_at(store, LOST_OVER).await, [""; 0]);
    // Also with a device that has it again.
    let new = NewDevice {
        key: Some(key("another box")),
        ..new_device(9)
    };
    let added = store
        .add_devices(std::slice::from_ref(&new), &by(NOW + 10))
        .await;
    assert_eq!(added.unwrap(), [Added::New]);
    assert_eq!(withdrawn_at(store, LOST_UNTIL).await, name);
    let device = by_id(store, new.id).await;
    let early = store.record(issuance(&device, 11)).await;
    let from = at(LOST_OVER);
    assert_eq!(
        refused(early.unwrap_err()),
        registry::Error::NameHeld { from }
    );
    let late = issuance(&device, LOST_OVER - NOW);
    store.record(late).await.unwrap();
    assert_eq!(withdrawn_at(store, LOST_OVER).await, [""; 0]);
    store.verify_audit().await.unwrap();
    backup.end().await;
}
