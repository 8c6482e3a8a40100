//! Reasons, reads, ends of operators, and acts without a credential.

use super::*;
use crate::registry::{Access, Action, Change, Operator, OperatorName, Role, Standing};

on_both! {
    a_renewed_operator_comes_in_with_either_for_a_while,
    a_token_never_works_again_after_its_operator_was_kept_out,
    acts_without_a_credential_are_counted,
    devices_are_counted_by_who_has_retired_them,
    reads_are_records,
    somebody_stays_an_admin,
    rights_are_taken_and_given_for_a_reason_or_not_at_all,
}

fn silent(seconds: u64) -> Act {
    Act::new("tester", at(seconds))
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
    // Whoever has the database removes the row at once; what is in the log is seen.
    db.tamper("DELETE FROM break_glass").await;
    assert_eq!(store.broken_glass().await.unwrap(), broken);
    store.break_glass(&by).await.unwrap();
    assert_eq!(store.broken_glass().await.unwrap().acts, 2);
}

async fn devices_are_counted_by_who_has_retired_them(db: &Database) {
    let store = &*db.store;
    let actor = "tester";
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
    assert_eq!(store.retired_lately("other", at(NOW)).await.unwrap(), 0);
}

async fn a_renewed_operator_comes_in_with_either_for_a_while(db: &Database) {
    let store = &*db.store;
    let token = |text: &str| Access::Token(key(text));
    let name: OperatorName = "alice".parse().unwrap();
    let first = Operator::new(name.clone(), Role::Admin, token("1"), Some(at(NOW + 90)));
    store.put_operator(&first, &by(NOW)).await.unwrap();
    let other = Operator::new("bob".parse().unwrap(), Role::Admin, token("b"), None);
    store.put_operator(&other, &by(NOW)).await.unwrap();
    let next = (token("2"), Some(at(NOW + 900)));
    let unexplained = store
        .renew_operator(&name, next, at(NOW + 30), &silent(NOW))
        .await;
    assert_eq!(refused(unexplained.unwrap_err()), registry::Error::NoReason);
    let renewed = store
        .renew_operator(&name, next, at(NOW + 30), &by(NOW))
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
            .renew_operator(&other.name, stolen, at(NOW), &by(NOW))
            .await;
        assert_eq!(refused(error.unwrap_err()), registry::Error::KeyTaken);
    }
    store.verify_audit().await.unwrap();
    store.disable_operator(&name, &by(NOW)).await.unwrap();
    store.verify_audit().await.unwrap();
    let next = (token("3"), None);
    let error = store.renew_operator(&name, next, at(NOW), &by(NOW)).await;
    assert_eq!(
        refused(error.unwrap_err()),
        registry::Error::OperatorDisabled
    );
    store.enable_operator(&name, next, &by(NOW)).await.unwrap();
    store.verify_audit().await.unwrap();
    // Nobody is given more time by SQL.
    db.tamper("UPDATE operators SET expires = 1 WHERE name = 'alice'")
        .await;
    store.verify_audit().await.unwrap_err();
}

async fn a_token_never_works_again_after_its_operator_was_kept_out(db: &Database) {
    let store = &*db.store;
    let token = |text: &str| Access::Token(key(text));
    let name: OperatorName = "noc".parse().unwrap();
    let noc = |text: &str| Operator::new(name.clone(), Role::Operator, token(text), None);
    store.put_operator(&noc("1"), &by(NOW)).await.unwrap();
    let next = (token("2"), None);
    store
        .renew_operator(&name, next, at(NOW + 90), &by(NOW))
        .await
        .unwrap();
    let error = store.enable_operator(&name, next, &by(NOW)).await;
    assert_eq!(
        refused(error.unwrap_err()),
        registry::Error::OperatorEnabled
    );
    store.disable_operator(&name, &by(NOW)).await.unwrap();
    for old in ["1", "2"] {
        let enabled = store
            .enable_operator(&name, (token(old), None), &by(NOW))
            .await;
        let put = store.put_operator(&noc(old), &by(NOW)).await;
        for error in [enabled.map(drop), put] {
            assert_eq!(refused(error.unwrap_err()), registry::Error::AccessKeptOut);
        }
    }
    let next = (token("3"), Some(at(NOW + 90)));
    let enabled = store.enable_operator(&name, next, &by(NOW)).await.unwrap();
    assert_eq!((enabled.previous, enabled.disabled), (None, false));
    // Neither does renewing bring them back.
    let next = (token("4"), None);
    store
        .renew_operator(&name, next, at(NOW + 60), &by(NOW))
        .await
        .unwrap();
    for (shown, is_theirs) in [("1", false), ("2", false), ("3", true), ("4", true)] {
        let found = store.find_operator(&token(shown)).await.unwrap();
        assert_eq!(found.is_some(), is_theirs, "{shown}");
    }
    store.verify_audit().await.unwrap();
}

async fn somebody_stays_an_admin(db: &Database) {
    let store = &*db.store;
    let token = |text: &str| Access::Token(key(text));
    let (alice, day): (OperatorName, _) = ("alice".parse().unwrap(), 86_400);
    let admin = |name: &str| Operator::new(name.parse().unwrap(), Role::Admin, token(name), None);
    store.put_operator(&admin("alice"), &by(NOW)).await.unwrap();
    let lower = Operator {
        role: Role::Operator,
        ..admin("alice")
    };
    let soon = (token("2"), Some(at(NOW + 13 * day)));
    let refusals = [
        store.disable_operator(&alice, &by(NOW)).await,
        store.put_operator(&lower, &by(NOW)).await,
        store
            .renew_operator(&alice, soon, at(NOW), &by(NOW))
            .await
            .map(drop),
    ];
    for error in refusals {
        assert_eq!(refused(error.unwrap_err()), registry::Error::LastAdmin);
    }
    store.put_operator(&admin("bob"), &by(NOW)).await.unwrap();
    store.disable_operator(&alice, &by(NOW)).await.unwrap();
    let bob = "bob".parse().unwrap();
    let error = store.disable_operator(&bob, &by(NOW)).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::LastAdmin);
    // On the machine, when the only token was stolen at night.
    let root = Act::new("root:uid=0,login=1000", at(NOW)).because("stolen".parse().ok());
    store.break_glass(&root).await.unwrap();
    store.disable_operator(&bob, &root).await.unwrap();
    store.verify_audit().await.unwrap();
    // That there were some is in the log, whatever the table says.
    db.tamper("DELETE FROM operators").await;
    assert_eq!(store.first_operator().await.unwrap(), Some(1));
}
