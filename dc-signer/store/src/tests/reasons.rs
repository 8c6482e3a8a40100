//! Reasons, reads, ends of operators, and acts without a credential.

use super::*;
use crate::registry::{Access, Action, Change, Operator, OperatorName, Role, Standing};

on_both! {
    a_renewed_operator_comes_in_with_either_for_a_while,
    acts_without_a_credential_are_counted,
    devices_are_counted_by_who_has_retired_them,
    reads_are_records,
    rights_are_taken_and_given_for_a_reason_or_not_at_all,
}

fn silent(seconds: u64) -> Act {
    Act::new("operator:tester", at(seconds))
}

async fn rights_are_taken_and_given_for_a_reason_or_not_at_all(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let before = store.audit_head().await.unwrap();
    for change in [Change::Suspend, Change::Retire] {
        let unexplained = store.change_device(device.id, &change, &silent(NOW)).await;
        assert_eq!(refused(unexplained.unwrap_err()), registry::Error::NoReason);
    }
    assert_eq!(by_id(store, device.id).await, device);
    assert_eq!(store.audit_head().await.unwrap(), before);
    // The signer itself moves a zone on, and a device enrols, without one.
    let by = silent(NOW).because("NOC-4711".parse().ok());
    store
        .change_device(device.id, &Change::Suspend, &by)
        .await
        .unwrap();
    let record = store.audit_from(before.seq + 1, 9).await.unwrap().remove(0);
    assert_eq!(record.entry.action, Action::Suspend);
    assert_eq!(record.entry.reason.as_deref(), Some("NOC-4711"));
    store.verify_audit().await.unwrap();
    // Whoever changes the reason afterwards is noticed.
    db.tamper("UPDATE audit SET reason = 'NOC-4712' WHERE action = 'suspend'")
        .await;
    store.verify_audit().await.unwrap_err();
}

async fn reads_are_records(db: &Database) {
    let store = &*db.store;
    let scope = "state=active rows=3".to_owned();
    let by = silent(NOW);
    store
        .note_read(Action::Export, scope.clone(), &by)
        .await
        .unwrap();
    let record = store.audit_from(1, 9).await.unwrap().remove(0);
    assert_eq!(record.entry.scope, Some(scope));
    assert_eq!(record.entry.action, Action::Export);
    store.verify_audit().await.unwrap();
}

async fn acts_without_a_credential_are_counted(db: &Database) {
    let store = &*db.store;
    assert_eq!(store.broken_glass().await.unwrap().acts, 0);
    let by = Act::new("root:uid=0,login=1000", at(NOW));
    let unexplained = store.break_glass(&by).await.unwrap_err();
    assert_eq!(refused(unexplained), registry::Error::NoReason);
    let by = by.because("the only admin is ill".parse().ok());
    assert_eq!(store.break_glass(&by).await.unwrap(), 1);
    let broken = store.broken_glass().await.unwrap();
    assert_eq!((broken.acts, broken.last), (1, Some(at(NOW))));
}

async fn devices_are_counted_by_who_has_retired_them(db: &Database) {
    let store = &*db.store;
    let actor = "operator:tester";
    for number in 1..=3 {
        let device = active(store, number).await;
        store
            .change_device(device.id, &Change::Retire, &by(NOW))
            .await
            .unwrap();
        // Once is enough.
        store
            .change_device(device.id, &Change::Retire, &by(NOW))
            .await
            .unwrap();
    }
    let day = 86_400;
    for (seconds, expected) in [(NOW, 3), (NOW + day, 3), (NOW + 2 * day, 0)] {
        let counted = store.retired_lately(actor, at(seconds)).await.unwrap();
        assert_eq!(counted, expected, "{seconds}");
    }
    assert_eq!(
        store
            .retired_lately("operator:other", at(NOW))
            .await
            .unwrap(),
        0
    );
}

async fn a_renewed_operator_comes_in_with_either_for_a_while(db: &Database) {
    let store = &*db.store;
    let token = |text: &str| Access::Token(key(text));
    let name: OperatorName = "alice".parse().unwrap();
    let first = Operator::new(name.clone(), Role::Admin, token("1"), Some(at(NOW + 90)));
    store.put_operator(&first, &by(NOW)).await.unwrap();
    let other = Operator::new("bob".parse().unwrap(), Role::Viewer, token("b"), None);
    store.put_operator(&other, &by(NOW)).await.unwrap();
    let next = (token("2"), Some(at(NOW + 900)));
    let renewed = store
        .renew_operator(&name, next, at(NOW + 30), &silent(NOW))
        .await;
    let renewed = renewed.unwrap();
    for shown in ["1", "2"] {
        let found = store.find_operator(&token(shown)).await.unwrap().unwrap();
        assert_eq!(found, renewed);
        let standing = found.standing(&token(shown), at(NOW));
        assert!(matches!(standing, Some(Standing::Good { .. })));
    }
    assert_eq!(store.operator(&name).await.unwrap(), Some(renewed));
    // Neither is anybody else's.
    for taken in ["1", "2"] {
        let stolen = (token(taken), None);
        let error = store
            .renew_operator(&other.name, stolen, at(NOW), &silent(NOW))
            .await;
        assert_eq!(refused(error.unwrap_err()), registry::Error::KeyTaken);
    }
    store.verify_audit().await.unwrap();
    store.disable_operator(&name, &by(NOW)).await.unwrap();
    store.verify_audit().await.unwrap();
    let next = (token("3"), None);
    let error = store
        .renew_operator(&name, next, at(NOW), &silent(NOW))
        .await;
    assert_eq!(
        refused(error.unwrap_err()),
        registry::Error::OperatorDisabled
    );
    store.enable_operator(&name, &by(NOW)).await.unwrap();
    store.verify_audit().await.unwrap();
    // Nobody is given more time by SQL.
    db.tamper("UPDATE operators SET expires = expires + 1 WHERE name = 'alice'")
        .await;
    store.verify_audit().await.unwrap_err();
}
