//! Recording credentials before they are released.

use super::*;
use crate::registry::{Action, Held, Hold, KeyUse, Shown, State};

on_both! {
    a_client_s_credential_is_recorded_beside_the_server_s,
    a_clock_that_jumps_changes_no_order,
    a_second_attempt_gets_the_first_answer_byte_for_byte,
    an_answer_is_forgotten_after_an_hour,
    both_forms_are_in_the_log,
    the_device_is_said_to_hold_what_was_recorded,
    the_first_use_of_a_new_key_ends_the_old_one,
    the_old_key_of_a_switch_ends_after_a_day,
    what_may_not_be_issued_is_not_recorded,
}

async fn the_device_is_said_to_hold_what_was_recorded(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let issuance = issuance(&device, 5);
    let head = store.audit_head().await.unwrap();
    let recorded = store.record(issuance.clone()).await.unwrap();
    assert_eq!(
        recorded,
        Recorded::Now {
            seq: head.seq + 1,
            flagged: false,
        }
    );
    let held = Held {
        sha256: issuance.credentials[0],
        spki_sha256: issuance.spki_sha256,
        issued: issuance.issued,
        expires: issuance.expires,
    };
    let after = by_id(store, device.id).await;
    assert_eq!(
        after,
        Device {
            credential: Some(held),
            hold: Hold {
                until: Some(held.expires),
                ..Hold::default()
            },
            shown: Shown::Nothing,
            ..device.clone()
        }
    );
    let entry = store
        .audit_from(head.seq + 1, 9)
        .await
        .unwrap()
        .remove(0)
        .entry;
    assert_eq!(
        (entry.action, entry.node.as_str(), entry.actor.as_str()),
        (Action::Issue, "node-1", "device")
    );
    assert_eq!(entry.name.as_deref(), Some(device.name.as_str()));
    assert_eq!(entry.zone.as_deref(), Some("cpe.example.com"));
    assert_eq!(entry.credential_sha256, Some(issuance.credentials[0]));
    assert_eq!(entry.spki_sha256, Some(issuance.spki_sha256));
    assert_eq!(entry.expires, Some(issuance.expires));
}

async fn a_client_s_credential_is_recorded_beside_the_server_s(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let client = ClientIssuance {
        spki_sha256: key("the client's key"),
        credentials: vec![key("the client's credential")],
    };
    let issuance = Issuance {
        client: Some(client.clone()),
        ..issuance(&device, 5)
    };
    let head = store.audit_head().await.unwrap();
    store.record(issuance.clone()).await.unwrap();
    let log = store.audit_from(head.seq + 1, 9).await.unwrap();
    let log: Vec<_> = log.iter().map(|record| &record.entry).collect();
    let of = |entry: &registry::Entry| (entry.action, entry.spki_sha256, entry.credential_sha256);
    let own = (Some(issuance.spki_sha256), Some(issuance.credentials[0]));
    let other = (Some(client.spki_sha256), Some(client.credentials[0]));
    assert_eq!(of(log[0]), (Action::Issue, own.0, own.1));
    assert_eq!(of(log[1]), (Action::IssueClient, other.0, other.1));
    assert_eq!((log.len(), log[1].expires), (2, Some(issuance.expires)));
    // Whoever compares boxes looks at the server's alone.
    let held = by_id(store, device.id).await.credential.unwrap();
    assert_eq!(held.sha256, issuance.credentials[0]);
    let history = store.history(device.id, 9).await.unwrap();
    let mut keys: Vec<_> = history.issues.iter().map(|one| one.spki_sha256).collect();
    keys.sort();
    let mut expected = [issuance.spki_sha256, client.spki_sha256];
    expected.sort();
    assert_eq!(keys, expected);
    let is_issue =
        |act: &registry::Record| matches!(act.entry.action, Action::Issue | Action::IssueClient);
    assert!(!history.acts.iter().any(is_issue));
}

async fn both_forms_are_in_the_log(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let credentials = vec![key("named"), key("rfc9345")];
    let issuance = Issuance {
        credentials: credentials.clone(),
        ..issuance(&device, 0)
    };
    store.record(issuance).await.unwrap();
    let logged = store.audit_from(3, 9).await.unwrap();
    let logged: Vec<_> = logged
        .iter()
        .filter_map(|record| record.entry.credential_sha256)
        .collect();
    assert_eq!(logged, credentials);
    assert_eq!(store.history(device.id, 9).await.unwrap().issues.len(), 2);
    assert_eq!(
        by_id(store, device.id).await.credential.unwrap().sha256,
        credentials[0]
    );
}

async fn a_second_attempt_gets_the_first_answer_byte_for_byte(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let answer: Vec<u8> = (0..=255).cycle().take(9000).collect();
    let first = Issuance {
        answer: answer.clone(),
        ..issuance(&device, 0)
    };
    store.record(first.clone()).await.unwrap();
    let idempotency = first.idempotency.unwrap();
    let expected = Answer {
        request: idempotency.request,
        bytes: answer,
    };
    let found = store
        .find_answer(device.id, &idempotency.key, at(NOW + 1))
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(&expected));
    let head = store.audit_head().await.unwrap();
    let second = Issuance {
        idempotency: first.idempotency,
        ..issuance(&device, 1)
    };
    assert_eq!(
        store.record(second).await.unwrap(),
        Recorded::Before(expected)
    );
    assert_eq!(store.audit_head().await.unwrap(), head);
    let held = by_id(store, device.id).await.credential.unwrap();
    assert_eq!(held.sha256, first.credentials[0]);
    // Another device's key is another key.
    let other = active(store, 2).await;
    assert_eq!(
        store
            .find_answer(other.id, &idempotency.key, at(NOW))
            .await
            .unwrap(),
        None
    );
    let same_key = Issuance {
        idempotency: first.idempotency,
        ..issuance(&other, 1)
    };
    assert!(matches!(
        store.record(same_key).await.unwrap(),
        Recorded::Now { .. }
    ));
}

async fn an_answer_is_forgotten_after_an_hour(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let first = issuance(&device, 0);
    store.record(first.clone()).await.unwrap();
    let key = first.idempotency.unwrap().key;
    let hour = 3600;
    assert!(
        store
            .find_answer(device.id, &key, at(NOW + hour - 1))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        store
            .find_answer(device.id, &key, at(NOW + hour))
            .await
            .unwrap(),
        None
    );
    let late = Issuance {
        idempotency: first.idempotency,
        ..issuance(&device, hour)
    };
    assert!(matches!(
        store.record(late.clone()).await.unwrap(),
        Recorded::Now { .. }
    ));
    let found = store
        .find_answer(device.id, &key, at(NOW + hour))
        .await
        .unwrap();
    assert_eq!(found.unwrap().bytes, late.answer);
}

async fn what_may_not_be_issued_is_not_recorded(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let head = store.audit_head().await.unwrap();
    let good = issuance(&device, 0);
    let unknown = Issuance {
        device: DeviceId::from_bytes([9; 16]),
        ..good.clone()
    };
    let other_key = Issuance {
        key: key("other"),
        ..good.clone()
    };
    let other_name = Issuance {
        name: dc_pki::names::parse("other.cpe.example.com").unwrap(),
        ..good.clone()
    };
    for (issuance, error) in [
        (unknown, registry::Error::UnknownDevice),
        (other_key, registry::Error::UnknownKey),
        (other_name, registry::Error::OtherName),
    ] {
        assert_eq!(refused(store.record(issuance).await.unwrap_err()), error);
    }
    assert_eq!(store.audit_head().await.unwrap(), head);
    // Whatever was approved before, a suspension is in time until the record is made.
    store
        .change_device(device.id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    let state = State::Suspended;
    let error = store.record(good).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::NotActive { state });
    assert_eq!(by_id(store, device.id).await.credential, None);
    assert_eq!(store.history(device.id, 9).await.unwrap().issues, []);
}

async fn the_first_use_of_a_new_key_ends_the_old_one(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let to = Change::SwitchKey { key: key("new") };
    store.change_device(device.id, &to, &by(NOW)).await.unwrap();
    store.record(issuance(&device, 1)).await.unwrap();
    let with_new = Issuance {
        key: key("new"),
        ..issuance(&device, 2)
    };
    store.record(with_new).await.unwrap();
    let after = by_id(store, device.id).await;
    assert_eq!((after.key, after.next_key), (Some(key("new")), None));
    assert!(
        after
            .credential
            .is_some_and(|held| held.issued == at(NOW + 2))
    );
    let error = store.record(issuance(&device, 3)).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::UnknownKey);
    let acts = store.history(device.id, 9).await.unwrap().acts;
    assert_eq!(acts[0].entry.action, Action::FinishSwitch);
    assert_eq!(acts[0].entry.spki_sha256, Some(key("new")));
}

async fn the_old_key_of_a_switch_ends_after_a_day(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let to = Change::SwitchKey { key: key("new") };
    store.change_device(device.id, &to, &by(NOW)).await.unwrap();
    let day = 24 * 3600;
    store.record(issuance(&device, day - 1)).await.unwrap();
    let error = store.record(issuance(&device, day)).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::KeyEnded);
    let device = by_id(store, device.id).await;
    assert_eq!(device.key_use(&key("new"), at(NOW + day)), KeyUse::Next);
}

async fn a_clock_that_jumps_changes_no_order(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let years = 10 * 365 * 86_400;
    for seconds in [NOW, 0, NOW + years, 1, u64::MAX, NOW + 1] {
        let issued = at(seconds);
        let by = Act::new("device", issued);
        let issuance = Issuance {
            issued,
            expires: at(seconds.saturating_add(164 * 3600)),
            by,
            idempotency: None,
            ..issuance(&device, 0)
        };
        store.record(issuance).await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap().seq, 8);
    let records = store.audit_from(3, 9).await.unwrap();
    assert_eq!(records[1].entry.time, at(0));
    assert_eq!(store.history(device.id, 99).await.unwrap().issues.len(), 6);
}
