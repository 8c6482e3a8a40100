//! The addresses that acts came from, in their records.

use std::net::IpAddr;

use super::*;
use crate::registry::{Access, Action, ApprovalState, Entry, OperatorName, Role};

on_both! {
    acts_have_the_address_they_came_from_and_issuances_none,
    an_address_that_was_changed_by_hand_is_found,
    what_is_decided_is_understood_with_an_address_and_without,
    while_a_signer_works_that_would_not_understand_it_nothing_is_behind_what_decides,
}

fn near() -> IpAddr {
    [192, 0, 2, 7].into()
}

fn far() -> IpAddr {
    "2001:db8::7".parse().unwrap()
}

fn from(address: IpAddr, seconds: u64) -> Act {
    by(seconds).coming_from(Some(address))
}

fn of(operator: &str, from: IpAddr, now: UnixTime) -> Act {
    let by = Act::new(format!("operator:{operator}"), now);
    by.because("a test".parse().ok()).coming_from(Some(from))
}

fn name(text: &str) -> OperatorName {
    text.parse().unwrap()
}

async fn entries(store: &Store) -> Vec<Entry> {
    let records = store.audit_from(1, 99).await.unwrap();
    records.into_iter().map(|record| record.entry).collect()
}

async fn acts_have_the_address_they_came_from_and_issuances_none(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let new = with_key(1);
    let added = store.add_devices(&[new], &from(near(), NOW)).await;
    assert_eq!(added.unwrap(), [Added::New]);
    let device = by_id(store, with_key(1).id).await;
    let shown = |number| Issuance {
        by: Act::new("device", at(NOW + number)).coming_from(Some(far())),
        ..issuance(&device, number)
    };
    store.record(shown(1)).await.unwrap();
    let next = key("the next key");
    let switch = Change::SwitchKey { key: next };
    let by_device = shown(2).by;
    store
        .change_device(device.id, &switch, &by_device)
        .await
        .unwrap();
    let with_next = Issuance {
        key: next,
        ..shown(3)
    };
    store.record(with_next).await.unwrap();
    store
        .note_read(Action::Read, "rows=1".to_owned(), &from(near(), NOW))
        .await
        .unwrap();
    let entries = entries(store).await;
    let said: Vec<_> = entries
        .iter()
        .map(|entry| (entry.action, entry.scope.as_deref()))
        .collect();
    let expected = [
        (Action::NewZone, None),
        (Action::Add, Some("from=192.0.2.7")),
        (Action::Issue, None),
        (Action::SwitchKey, Some("from=2001:db8::7")),
        (Action::FinishSwitch, Some("from=2001:db8::7")),
        (Action::Issue, None),
        (Action::Read, Some("rows=1 from=192.0.2.7")),
    ];
    assert_eq!(said, expected);
    let addresses: Vec<_> = entries.iter().map(Entry::came_from).collect();
    let (near, far) = (Some(near()), Some(far()));
    assert_eq!(addresses, [None, near, None, far, far, None, near]);
    store.verify_audit().await.unwrap();
}

async fn an_address_that_was_changed_by_hand_is_found(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let suspend = Change::Suspend;
    store
        .change_device(device.id, &suspend, &from(near(), NOW))
        .await
        .unwrap();
    let resume = Change::Resume;
    store
        .change_device(device.id, &resume, &from(near(), NOW))
        .await
        .unwrap();
    store.verify_audit().await.unwrap();
    db.tamper("UPDATE audit SET scope = 'from=192.0.2.8' WHERE action = 'suspend'")
        .await;
    store.verify_audit().await.unwrap_err();
}

/// Lets two operators decide about something, and makes one of them an operator of another role; says the scopes of that.
async fn decided(store: &Store, now: UnixTime) -> Vec<String> {
    for (text, role) in [("alice", Role::Admin), ("bob", Role::Admin)] {
        let operator = Operator::new(name(text), role, Access::Token(key(text)), None);
        let by = Act { at: now, ..by(NOW) };
        let by = by.coming_from(Some(near()));
        store.put_operator(&operator, &by).await.unwrap();
    }
    let ends = at(now.as_secs() + 60);
    let asking = of("alice", near(), now);
    let number = store
        .ask_approval("{}", &name("alice"), ends, &asking)
        .await
        .unwrap()
        .number;
    let agreeing = of("bob", far(), now);
    let agreed = store.approve(number, &name("bob"), &agreeing).await;
    assert_eq!(agreed.unwrap().state, ApprovalState::Approved);
    let both = of("alice+bob", far(), now);
    store.mark_done(number, &both).await.unwrap();
    let done = store.approval(number).await.unwrap();
    assert_eq!(done.state, ApprovalState::Done);
    assert_eq!(done.decided_by, Some(name("bob")));
    store.verify_audit().await.unwrap();
    let entries = entries(store).await.into_iter();
    let scopes = entries.filter_map(|entry| entry.scope);
    let plain = |scope: String| scope.replace(&number.to_string(), "N");
    scopes.map(plain).collect()
}

async fn what_is_decided_is_understood_with_an_address_and_without(db: &Database) {
    let store = &*db.store;
    let now = dc_pki::clock::now().unwrap();
    let expected = [
        "role=admin from=192.0.2.7",
        "role=admin from=192.0.2.7",
        "from=192.0.2.7",
        "asked-in=N from=2001:db8::7",
        "asked-in=N from=2001:db8::7",
    ];
    assert_eq!(decided(store, now).await, expected);
    add_zone(store).await;
    // Whoever has too low a role is told from the log, whatever the table says.
    let viewer = Operator::new(name("vera"), Role::Viewer, Access::Token(key("vera")), None);
    let by = of("alice", near(), now);
    store.put_operator(&viewer, &by).await.unwrap();
    let error = store
        .add_devices(&[new_device(1)], &of("vera", near(), now))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::MayNot { .. }), "{error:?}");
}

async fn while_a_signer_works_that_would_not_understand_it_nothing_is_behind_what_decides(
    db: &Database,
) {
    let store = &*db.store;
    let now = dc_pki::clock::now().unwrap();
    let report = Report {
        id: [1; 16],
        stopped: false,
        clock: None,
        keys: Vec::new(),
        sealing: Vec::new(),
    };
    store.report(&report, now).await.unwrap();
    // As one of the version before does, which reads details.
    db.tamper("UPDATE replicas SET format = 4").await;
    let expected = [
        "role=admin",
        "role=admin",
        "from=192.0.2.7",
        "asked-in=N",
        "asked-in=N",
    ];
    assert_eq!(decided(store, now).await, expected);
    let entries = entries(store).await;
    assert!(entries.iter().all(|entry| entry.detail_sha256.is_some()));
    // It has stopped.
    let stopped = Report {
        stopped: true,
        ..report
    };
    store.report(&stopped, now).await.unwrap();
    let operator = Operator::new(
        name("carol"),
        Role::Admin,
        Access::Token(key("carol")),
        None,
    );
    let by = of("alice", near(), now);
    store.put_operator(&operator, &by).await.unwrap();
    let records = store.audit_from(1, 99).await.unwrap();
    let last = records.last().unwrap().entry.scope.as_deref();
    assert_eq!(last, Some("role=admin from=192.0.2.7"));
}
