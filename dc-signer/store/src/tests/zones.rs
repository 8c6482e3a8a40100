//! Zones and their delegations.

use super::*;
use crate::registry::{Action, Change, Replacement, SharedDelegation, ZoneDelegation};

on_both! {
    a_certificate_is_imported_once,
    a_zone_is_added_once,
    a_zone_is_removed_that_never_had_a_certificate_or_a_device,
    a_zone_that_was_removed_and_is_there_is_found,
    a_zone_with_a_device_is_not_removed,
    a_zone_with_a_first_certificate_is_added_whole_or_not_at_all,
    a_key_that_a_signer_has_ended_stays_until_that_is_final,
    forms_are_left_with_a_device_that_has_another_name_since,
    forms_that_are_left_are_kept_for_a_week_and_only_if_something_of_them_is_valid,
    only_one_delegation_is_active_whatever_replicas_do,
    operators_are_put_found_and_kept_out,
    rollover_is_one_step_and_logged,
    two_operators_do_not_share_a_token,
    what_is_not_there_is_not_changed,
    what_the_zone_wants_is_kept,
}

const DAY: u64 = 86_400;

fn new_delegation(number: u64) -> NewDelegation {
    NewDelegation {
        zone: zone(),
        certificate_sha256: key(&format!("certificate {number}")),
        not_before: at(NOW - DAY),
        not_after: at(NOW + 60 * DAY),
    }
}

async fn managed(store: &Store) -> Zone {
    store.zones().await.unwrap().remove(0)
}

async fn a_key_that_a_signer_has_ended_stays_until_that_is_final(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    for (number, location) in [(1, None), (2, Some("/run/keyd")), (3, None)] {
        let new = new_delegation(number);
        let shared = SharedDelegation {
            certificate_sha256: new.certificate_sha256,
            chain: b"chain".to_vec(),
            location: location.map(str::to_owned),
            sealed: Some(b"sealed".to_vec()),
        };
        let by = by(NOW);
        let imported = store.import_shared_delegation(&new, &shared, &by).await;
        imported.unwrap();
    }
    let kept = async || {
        let all = store.shared_delegations().await.unwrap();
        let mut kept: Vec<u64> = (1..=3)
            .filter(|number| {
                let sha256 = new_delegation(*number).certificate_sha256;
                all.iter().any(|one| one.certificate_sha256 == sha256)
            })
            .collect();
        kept.sort_unstable();
        kept
    };
    let (gone, signer) = (
        DelegationState::Gone,
        Act::new("signer", at(NOW + 55 * DAY)),
    );
    for number in [1, 2] {
        let ended = store.move_delegation(&zone(), number, gone, &signer).await;
        ended.unwrap();
    }
    assert_eq!(kept().await, [1, 2, 3]);
    let forget = async |number, now| {
        let sha256 = new_delegation(number).certificate_sha256;
        store
            .forget_shared_delegation(&sha256, at(now))
            .await
            .unwrap();
    };
    // Neither one that is used, nor the place of a process that has to be told as long as the certificate is valid.
    for number in [1, 2, 3] {
        forget(number, NOW + 56 * DAY).await;
    }
    assert_eq!(kept().await, [2, 3]);
    forget(2, NOW + 60 * DAY).await;
    assert_eq!(kept().await, [3]);
    // What people end is not to be used for a moment.
    let ended = store.move_delegation(&zone(), 3, gone, &by(NOW)).await;
    ended.unwrap();
    assert_eq!(kept().await, Vec::<u64>::new());
    store.verify_audit().await.unwrap();
}

async fn a_zone_is_added_once(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let new = NewZone {
        zone: zone(),
        forms: Forms::Both,
        roles: Roles::Server,
    };
    let error = store.add_zone(&new, &by(NOW)).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::ZoneExists);
    let second = NewZone {
        zone: ZoneName::parse("a.example.com").unwrap(),
        ..new
    };
    store.add_zone(&second, &by(NOW)).await.unwrap();
    let zones: Vec<String> = store
        .zones()
        .await
        .unwrap()
        .iter()
        .map(|zone| zone.zone.to_string())
        .collect();
    assert_eq!(zones, ["a.example.com", "cpe.example.com"]);
}

async fn a_zone_with_a_first_certificate_is_added_whole_or_not_at_all(db: &Database) {
    let store = &*db.store;
    let new = NewZone {
        zone: zone(),
        forms: Forms::Named,
        roles: Roles::Server,
    };
    // It is of another zone, which there is not.
    let other = NewDelegation {
        zone: ZoneName::parse("a.example.com").unwrap(),
        ..new_delegation(1)
    };
    let added = store.add_zone_with(&new, &other, None, &by(NOW)).await;
    assert_eq!(refused(added.unwrap_err()), registry::Error::UnknownZone);
    assert_eq!(store.zones().await.unwrap(), []);
    assert_eq!(store.audit_head().await.unwrap().seq, 0);
    let first = new_delegation(1);
    let added = store.add_zone_with(&new, &first, None, &by(NOW)).await;
    assert_eq!(added.unwrap(), 1);
    let managed = managed(store).await;
    assert_eq!(managed.delegations[0].state, DelegationState::Next);
    let again = store.add_zone_with(&new, &first, None, &by(NOW)).await;
    assert_eq!(refused(again.unwrap_err()), registry::Error::ZoneExists);
    store.verify_audit().await.unwrap();
}

async fn a_zone_is_removed_that_never_had_a_certificate_or_a_device(db: &Database) {
    let store = &*db.store;
    let remove = async || store.remove_zone(&zone(), &by(NOW)).await;
    let why_not = async || refused(remove().await.unwrap_err());
    assert_eq!(why_not().await, registry::Error::UnknownZone);
    for _ in 0..2 {
        add_zone(store).await;
        remove().await.unwrap();
        assert_eq!(store.zones().await.unwrap(), []);
        store.verify_audit().await.unwrap();
    }
    let silent = Act::new("tester", at(NOW));
    add_zone(store).await;
    let unsaid = store.remove_zone(&zone(), &silent).await.unwrap_err();
    assert_eq!(refused(unsaid), registry::Error::NoReason);
    store
        .import_delegation(&new_delegation(1), &by(NOW))
        .await
        .unwrap();
    assert_eq!(why_not().await, registry::Error::ZoneWasUsed);
    store.verify_audit().await.unwrap();
    // One that is removed past the program is missed.
    db.tamper("DELETE FROM slots").await;
    db.tamper("DELETE FROM zones").await;
    store.verify_audit().await.unwrap_err();
}

async fn a_zone_with_a_device_is_not_removed(db: &Database) {
    let store = &*db.store;
    active(store, 1).await;
    let error = store.remove_zone(&zone(), &by(NOW)).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::ZoneWasUsed);
}

async fn a_zone_that_was_removed_and_is_there_is_found(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    store.remove_zone(&zone(), &by(NOW)).await.unwrap();
    db.tamper("INSERT INTO zones (zone, forms) VALUES ('cpe.example.com', 'named')")
        .await;
    store.verify_audit().await.unwrap_err();
}

async fn what_the_zone_wants_is_kept(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    store
        .set_forms(&zone(), Forms::Both, &by(NOW))
        .await
        .unwrap();
    store
        .pull_renewals(&zone(), Some(at(NOW)), &by(NOW))
        .await
        .unwrap();
    assert_eq!(managed(store).await.roles, Roles::Server);
    store
        .set_roles(&zone(), Roles::Both, &by(NOW))
        .await
        .unwrap();
    let found = managed(store).await;
    assert_eq!(
        (found.forms, found.roles, found.renew_issued_before),
        (Forms::Both, Roles::Both, Some(at(NOW)))
    );
    store.pull_renewals(&zone(), None, &by(NOW)).await.unwrap();
    assert_eq!(managed(store).await.renew_issued_before, None);
    assert_eq!(store.audit_head().await.unwrap().seq, 5);
}

async fn forms_that_are_left_are_kept_for_a_week_and_only_if_something_of_them_is_valid(
    db: &Database,
) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let set = async |forms, now| {
        store.set_forms(&zone(), forms, &by(now)).await.unwrap();
        managed(store).await.other_forms_until
    };
    // Nothing was issued yet.
    assert_eq!(set(Forms::Both, NOW).await, None);
    store.record(issuance(&device, 0)).await.unwrap();
    let left = Some(at(NOW + 60 + 7 * 86_400));
    assert_eq!(set(Forms::Named, NOW + 60).await, left);
    // The same again is no change: what is left ends when it would have ended.
    assert_eq!(set(Forms::Named, NOW + 90).await, left);
    store.pull_renewals(&zone(), None, &by(NOW)).await.unwrap();
    assert_eq!(managed(store).await.other_forms_until, left);
    let end = NOW + 164 * 3600;
    let later = Some(at(end + 7 * 86_400));
    assert_eq!(set(Forms::Rfc9345, end).await, later);
    // Everything has ended.
    assert_eq!(set(Forms::Both, end + 1).await, None);
}

async fn forms_are_left_with_a_device_that_has_another_name_since(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    store
        .set_forms(&zone(), Forms::Both, &by(NOW))
        .await
        .unwrap();
    store.record(issuance(&device, 0)).await.unwrap();
    let new_name = Change::Replace(Replacement::NewName {
        name: "other.cpe.example.com".try_into().unwrap(),
        epoch: device.epoch + 1,
    });
    let changed = store
        .change_device(device.id, &new_name, &by(NOW + 1))
        .await;
    changed.unwrap();
    // Its unnamed credential is for all names of the zone, and is valid.
    store
        .set_forms(&zone(), Forms::Named, &by(NOW + 2))
        .await
        .unwrap();
    let left = Some(at(NOW + 2 + 7 * 86_400));
    assert_eq!(managed(store).await.other_forms_until, left);
}

async fn a_certificate_is_imported_once(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    assert_eq!(
        store
            .import_delegation(&new_delegation(1), &by(NOW))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store
            .import_delegation(&new_delegation(2), &by(NOW))
            .await
            .unwrap(),
        2
    );
    let error = store
        .import_delegation(&new_delegation(1), &by(NOW))
        .await
        .unwrap_err();
    assert_eq!(
        refused(error),
        registry::Error::DelegationExists { number: 1 }
    );
    let expected = |number: u32| ZoneDelegation {
        number,
        state: DelegationState::Next,
        certificate_sha256: new_delegation(number.into()).certificate_sha256,
        not_before: new_delegation(1).not_before,
        not_after: new_delegation(1).not_after,
        since: at(NOW),
    };
    assert_eq!(managed(store).await.delegations, [expected(1), expected(2)]);
}

async fn rollover_is_one_step_and_logged(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    for number in [1, 2] {
        store
            .import_delegation(&new_delegation(number), &by(NOW))
            .await
            .unwrap();
    }
    store
        .move_delegation(&zone(), 1, DelegationState::Active, &by(NOW))
        .await
        .unwrap();
    let after = store
        .move_delegation(&zone(), 2, DelegationState::Active, &by(NOW + 1))
        .await
        .unwrap();
    assert_eq!(after, managed(store).await);
    let states: Vec<DelegationState> = after
        .delegations
        .iter()
        .map(|delegation| delegation.state)
        .collect();
    assert_eq!(states, [DelegationState::Draining, DelegationState::Active]);
    let head = store.audit_head().await.unwrap();
    let again = store
        .move_delegation(&zone(), 2, DelegationState::Active, &by(NOW + 2))
        .await
        .unwrap();
    assert_eq!((again, store.audit_head().await.unwrap()), (after, head));
    store
        .move_delegation(&zone(), 1, DelegationState::Gone, &by(NOW + 3))
        .await
        .unwrap();
    let actions: Vec<Action> = store
        .audit_from(1, 99)
        .await
        .unwrap()
        .iter()
        .map(|record| record.entry.action)
        .collect();
    let expected = [
        Action::NewZone,
        Action::ImportDelegation,
        Action::ImportDelegation,
        Action::ActivateDelegation,
        Action::DrainDelegation,
        Action::ActivateDelegation,
        Action::EndDelegation,
    ];
    assert_eq!(actions, expected);
}

async fn only_one_delegation_is_active_whatever_replicas_do(db: &Database) {
    add_zone(&db.store).await;
    let other = db.other().await;
    for number in 1..=10 {
        db.store
            .import_delegation(&new_delegation(number), &by(NOW))
            .await
            .unwrap();
    }
    let moves: Vec<_> = (1..=10)
        .map(|number| {
            let store = Arc::clone(if number % 2 == 0 { &db.store } else { &other });
            tokio::spawn(async move {
                store
                    .move_delegation(&zone(), number, DelegationState::Active, &by(NOW))
                    .await
                    .unwrap()
            })
        })
        .collect();
    for moved in moves {
        let active = |delegation: &&ZoneDelegation| delegation.state == DelegationState::Active;
        assert_eq!(
            moved
                .await
                .unwrap()
                .delegations
                .iter()
                .filter(active)
                .count(),
            1
        );
    }
    assert_eq!(managed(&db.store).await, managed(&other).await);
    let draining = managed(&other)
        .await
        .delegations
        .into_iter()
        .filter(|delegation| delegation.state == DelegationState::Draining);
    assert_eq!(draining.count(), 9);
    other.close().await;
}

async fn what_is_not_there_is_not_changed(db: &Database) {
    let store = &*db.store;
    for error in [
        store
            .set_forms(&zone(), Forms::Both, &by(NOW))
            .await
            .unwrap_err(),
        store
            .pull_renewals(&zone(), None, &by(NOW))
            .await
            .unwrap_err(),
        store
            .import_delegation(&new_delegation(1), &by(NOW))
            .await
            .unwrap_err(),
        store
            .move_delegation(&zone(), 1, DelegationState::Active, &by(NOW))
            .await
            .unwrap_err(),
        store.withdrawn(&zone(), at(NOW)).await.unwrap_err(),
    ] {
        assert_eq!(refused(error), registry::Error::UnknownZone);
    }
    add_zone(store).await;
    let error = store
        .move_delegation(&zone(), 1, DelegationState::Active, &by(NOW))
        .await
        .unwrap_err();
    assert_eq!(
        refused(error),
        registry::Error::UnknownDelegation { number: 1 }
    );
    let short = NewDelegation {
        not_before: at(NOW - 80 * DAY),
        not_after: at(NOW + 8 * DAY - 1),
        ..new_delegation(1)
    };
    store.import_delegation(&short, &by(NOW)).await.unwrap();
    let error = store
        .move_delegation(&zone(), 1, DelegationState::Active, &by(NOW))
        .await
        .unwrap_err();
    assert!(matches!(
        refused(error),
        registry::Error::TooLittleLeft { .. }
    ));
    let nobody = "nobody".parse().unwrap();
    let error = store.disable_operator(&nobody, &by(NOW)).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::UnknownOperator);
    assert_eq!(store.audit_head().await.unwrap().seq, 2);
}

fn operator(name: &str, access: Access) -> Operator {
    Operator::new(
        name.parse().unwrap(),
        registry::Role::Operator,
        access,
        None,
    )
}

async fn operators_are_put_found_and_kept_out(db: &Database) {
    let store = &*db.store;
    let alice = operator("alice", Access::Token(key("token")));
    let bob = operator("bob", Access::Certificate(key("spki")));
    for operator in [&bob, &alice] {
        store.put_operator(operator, &by(NOW)).await.unwrap();
        assert_eq!(
            store
                .find_operator(&operator.access)
                .await
                .unwrap()
                .as_ref(),
            Some(operator)
        );
    }
    // A token's hash is no key, nor the other way round.
    assert_eq!(
        store
            .find_operator(&Access::Certificate(key("token")))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .find_operator(&Access::Token(key("spki")))
            .await
            .unwrap(),
        None
    );
    store.disable_operator(&alice.name, &by(NOW)).await.unwrap();
    let alice = Operator {
        disabled: true,
        ..alice
    };
    assert_eq!(store.operators().await.unwrap(), [alice.clone(), bob]);
    let with_key = Operator {
        access: Access::Certificate(key("new")),
        ..alice.clone()
    };
    store.put_operator(&with_key, &by(NOW)).await.unwrap();
    assert_eq!(store.find_operator(&alice.access).await.unwrap(), None);
    assert_eq!(
        store.find_operator(&with_key.access).await.unwrap(),
        Some(with_key)
    );
}

async fn two_operators_do_not_share_a_token(db: &Database) {
    let store = &*db.store;
    store
        .put_operator(&operator("alice", Access::Token(key("token"))), &by(NOW))
        .await
        .unwrap();
    let bob = operator("bob", Access::Token(key("token")));
    let error = store.put_operator(&bob, &by(NOW)).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::KeyTaken);
    assert_eq!(store.operators().await.unwrap().len(), 1);
}
