//! Acts that wait for a second operator.

use super::*;
use crate::registry::{Action, ApprovalState, Mismatch, OperatorName};

on_both! {
    a_second_operator_agrees_once_and_both_are_on_record,
    it_ends_after_its_time,
    nobody_agrees_to_what_somebody_has_put_in_its_place,
    whoever_asked_may_take_it_back_and_not_agree,
}

fn name(text: &str) -> OperatorName {
    text.parse().unwrap()
}

fn of(operator: &str, seconds: u64) -> Act {
    Act::new(format!("operator:{operator}"), at(seconds))
}

async fn asked(store: &Store) -> u64 {
    let by = of("alice", NOW).because("NOC-1".parse().ok());
    let asked = store
        .ask_approval("{\"a\":1}", &name("alice"), at(NOW + 60), &by)
        .await;
    let first = asked.unwrap();
    assert_eq!(first.state, ApprovalState::Waiting);
    // The same is not asked twice.
    let again = store
        .ask_approval("{\"a\":1}", &name("alice"), at(NOW + 90), &by)
        .await;
    assert_eq!(again.unwrap(), first);
    first.number
}

async fn a_second_operator_agrees_once_and_both_are_on_record(db: &Database) {
    let store = &*db.store;
    let by = of("alice", NOW);
    let unexplained = store
        .ask_approval("{}", &name("alice"), at(NOW + 60), &by)
        .await;
    let error = unexplained.unwrap_err();
    assert_eq!(refused(error), registry::Error::NoReason);
    let number = asked(store).await;
    let agreed = store
        .approve(number, &name("bob"), &of("bob", NOW + 59))
        .await;
    let agreed = agreed.unwrap();
    assert_eq!(agreed.state, ApprovalState::Approved);
    assert_eq!(agreed.decided_by, Some(name("bob")));
    store.mark_done(number).await.unwrap();
    let again = store
        .approve(number, &name("carol"), &of("carol", NOW + 59))
        .await;
    let error = again.unwrap_err();
    assert_eq!(refused(error), registry::Error::ApprovalOver);
    let refusing = store.refuse_approval(number, &name("bob"), &by_bob()).await;
    let error = refusing.unwrap_err();
    assert_eq!(refused(error), registry::Error::ApprovalOver);
    let records = store.audit_from(number, 9).await.unwrap();
    let of: Vec<_> = records
        .iter()
        .map(|record| (record.entry.action, record.entry.actor.as_str()))
        .collect();
    let expected = [
        (Action::AskApproval, "operator:alice"),
        (Action::Approve, "operator:bob"),
    ];
    assert_eq!(of, expected);
    assert_eq!(
        records[0].entry.detail_sha256,
        records[1].entry.detail_sha256
    );
    let all = store.approvals().await.unwrap();
    assert_eq!(all[0].state, ApprovalState::Done);
    let error = store.approval(number + 1).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::UnknownApproval);
    store.verify_audit().await.unwrap();
}

fn by_bob() -> Act {
    of("bob", NOW + 1).because("no".parse().ok())
}

async fn it_ends_after_its_time(db: &Database) {
    let store = &*db.store;
    let number = asked(store).await;
    let late = store
        .approve(number, &name("bob"), &of("bob", NOW + 60))
        .await;
    let error = late.unwrap_err();
    assert_eq!(refused(error), registry::Error::ApprovalOver);
    // Then it is another one.
    let by = of("alice", NOW + 60).because("NOC-1".parse().ok());
    let again = store
        .ask_approval("{\"a\":1}", &name("alice"), at(NOW + 120), &by)
        .await;
    assert_ne!(again.unwrap().number, number);
}

async fn whoever_asked_may_take_it_back_and_not_agree(db: &Database) {
    let store = &*db.store;
    let number = asked(store).await;
    let own = store
        .approve(number, &name("alice"), &of("alice", NOW))
        .await;
    let error = own.unwrap_err();
    assert_eq!(refused(error), registry::Error::OwnApproval);
    let by = of("alice", NOW).because("a mistake".parse().ok());
    store
        .refuse_approval(number, &name("alice"), &by)
        .await
        .unwrap();
    let late = store.approve(number, &name("bob"), &of("bob", NOW)).await;
    let error = late.unwrap_err();
    assert_eq!(refused(error), registry::Error::ApprovalOver);
}

async fn nobody_agrees_to_what_somebody_has_put_in_its_place(db: &Database) {
    let store = &*db.store;
    let number = asked(store).await;
    for change in ["what = '{\"a\":2}'", "reason = 'NOC-2'", "ends = ends + 1"] {
        db.tamper(&format!("UPDATE approvals SET {change}")).await;
        let agreed = store.approve(number, &name("bob"), &of("bob", NOW)).await;
        let Err(Error::NotAsAudited { source }) = agreed else {
            panic!("{agreed:?}");
        };
        assert_eq!(source, Mismatch::Approval { seq: number });
        let sql = format!(
            "UPDATE approvals SET what = '{{\"a\":1}}', reason = 'NOC-1', ends = {}",
            NOW + 60
        );
        db.tamper(&sql).await;
    }
    db.tamper("UPDATE approvals SET asked_by = 'mallory'").await;
    let agreed = store
        .approve(number, &name("alice"), &of("alice", NOW))
        .await;
    assert!(matches!(agreed, Err(Error::NotAsAudited { .. })));
}
