//! Acts that wait for a second operator.

use super::*;
use crate::registry::{Access, Action, ApprovalState, Mismatch, Operator, OperatorName, Role};

on_both! {
    a_second_operator_agrees_once_and_both_are_on_record,
    nobody_agrees_to_what_somebody_asked_for_who_was_kept_out_since,
    nobody_agrees_who_got_the_right_to_it_later,
    nobody_agrees_who_is_not_what_the_log_says,
    what_was_decided_stays_so_whatever_the_row_says,
    it_ends_after_its_time,
    nobody_agrees_to_what_somebody_has_put_in_its_place,
    what_was_agreed_to_is_refused_until_it_is_done,
    whoever_asked_may_take_it_back_and_not_agree,
}

fn name(text: &str) -> OperatorName {
    text.parse().unwrap()
}

fn of(operator: &str, seconds: u64) -> Act {
    Act::new(format!("operator:{operator}"), at(seconds))
}

fn admin(text: &str) -> Operator {
    Operator::new(name(text), Role::Admin, Access::Token(key(text)), None)
}

async fn asked(store: &Store) -> u64 {
    for text in ["alice", "bob", "carol"] {
        store.put_operator(&admin(text), &by(NOW)).await.unwrap();
    }
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
    let both = of("alice+bob", NOW + 59);
    store.mark_done(number, &both).await.unwrap();
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
        (Action::FinishApproval, "operator:alice+bob"),
    ];
    assert_eq!(of, expected);
    let details = records.iter().map(|record| record.entry.detail_sha256);
    let details: Vec<_> = details.collect();
    assert!(details.iter().all(|one| *one == details[0]) && details[0].is_some());
    let all = store.approvals().await.unwrap();
    assert_eq!(all[0].state, ApprovalState::Done);
    assert_eq!(all[0].decided_by, Some(name("bob")));
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

async fn what_was_decided_stays_so_whatever_the_row_says(db: &Database) {
    let store = &*db.store;
    let number = asked(store).await;
    let no = of("alice", NOW).because("a mistake".parse().ok());
    store
        .refuse_approval(number, &name("alice"), &no)
        .await
        .unwrap();
    let agree = async |number| {
        let agreed = store.approve(number, &name("bob"), &of("bob", NOW)).await;
        agreed.map(|agreed| agreed.state)
    };
    for state in ["waiting", "approved"] {
        let sql = format!("UPDATE approvals SET state = '{state}', decided_by = NULL");
        db.tamper(&sql).await;
        let error = agree(number).await.unwrap_err();
        assert_eq!(refused(error), registry::Error::ApprovalOver);
        let shown = store.approvals().await.unwrap().remove(0);
        let decided = (shown.state, shown.decided_by);
        assert_eq!(decided, (ApprovalState::Refused, Some(name("alice"))));
    }
    let again = asked(store).await;
    assert_ne!(again, number);
    assert_eq!(agree(again).await.unwrap(), ApprovalState::Approved);
    // Until it is done, as after a crash.
    assert_eq!(agree(again).await.unwrap(), ApprovalState::Approved);
    let both = of("alice+bob", NOW);
    store.mark_done(again, &both).await.unwrap();
    db.tamper("UPDATE approvals SET state = 'waiting'").await;
    let error = agree(again).await.unwrap_err();
    assert_eq!(refused(error), registry::Error::ApprovalOver);
    assert_eq!(
        store.approval(again).await.unwrap().state,
        ApprovalState::Done
    );
}

async fn nobody_agrees_to_what_somebody_asked_for_who_was_kept_out_since(db: &Database) {
    let store = &*db.store;
    let number = asked(store).await;
    let by = of("bob", NOW).because("a stolen token".parse().ok());
    store.disable_operator(&name("alice"), &by).await.unwrap();
    let seq = store.audit_head().await.unwrap().seq;
    let agreed = store.approve(number, &name("bob"), &of("bob", NOW)).await;
    assert_eq!(
        refused(agreed.unwrap_err()),
        registry::Error::AskerKeptOut { seq }
    );
    store
        .refuse_approval(number, &name("bob"), &by)
        .await
        .unwrap();
}

async fn nobody_agrees_who_got_the_right_to_it_later(db: &Database) {
    let store = &*db.store;
    let number = asked(store).await;
    let late = of("alice", NOW).because("a friend".parse().ok());
    let agree = async |who: &str| {
        let agreed = store.approve(number, &name(who), &of(who, NOW)).await;
        agreed.map(drop)
    };
    let refused_to = async |who: &str| {
        let head = store.audit_head().await.unwrap();
        let error = agree(who).await.unwrap_err();
        let seq = head.seq;
        assert_eq!(refused(error), registry::Error::ApproverIsNewer { seq });
    };
    // One that is new, one who gets a token of somebody, and one who was kept out.
    store.put_operator(&admin("mallory"), &late).await.unwrap();
    refused_to("mallory").await;
    let next = (Access::Token(key("next")), None);
    store
        .renew_operator(&name("bob"), next, at(NOW), &late)
        .await
        .unwrap();
    refused_to("bob").await;
    store.disable_operator(&name("bob"), &late).await.unwrap();
    let next = (Access::Token(key("another")), None);
    store
        .enable_operator(&name("bob"), next, &late)
        .await
        .unwrap();
    agree("bob").await.unwrap_err();
    // Who renews their own is who they were.
    let own = of("carol", NOW).because("a new one".parse().ok());
    let next = (Access::Token(key("carol's")), None);
    store
        .renew_operator(&name("carol"), next, at(NOW), &own)
        .await
        .unwrap();
    agree("carol").await.unwrap();
}

async fn nobody_agrees_who_is_not_what_the_log_says(db: &Database) {
    let store = &*db.store;
    let number = asked(store).await;
    let agree = async || store.approve(number, &name("bob"), &of("bob", NOW)).await;
    for (change, back) in [
        ("role = 'operator'", "role = 'admin'"),
        ("expires = 1", "expires = NULL"),
    ] {
        for who in ["bob", "alice"] {
            let sql = |set| format!("UPDATE operators SET {set} WHERE name = '{who}'");
            db.tamper(&sql(change)).await;
            let Err(Error::NotAsAudited { source }) = agree().await else {
                panic!("{who} {change}");
            };
            assert!(matches!(source, Mismatch::OperatorChanged { .. }));
            db.tamper(&sql(back)).await;
        }
    }
    store
        .disable_operator(&name("bob"), &by(NOW))
        .await
        .unwrap();
    db.tamper("UPDATE operators SET disabled = 0").await;
    let Err(Error::NotAsAudited { source }) = agree().await else {
        panic!("bob is back");
    };
    assert!(matches!(source, Mismatch::OperatorEnabled { .. }));
    db.tamper("UPDATE operators SET name = 'dave' WHERE name = 'carol'")
        .await;
    let agreed = store.approve(number, &name("dave"), &of("dave", NOW)).await;
    let Err(Error::NotAsAudited { source }) = agreed else {
        panic!("{agreed:?}");
    };
    assert!(matches!(source, Mismatch::NoRecord { .. }));
}

async fn what_was_agreed_to_is_refused_until_it_is_done(db: &Database) {
    let store = &*db.store;
    // By whoever agreed, by whoever asked, and while it is being done.
    for who in ["bob", "alice", "carol"] {
        let number = asked(store).await;
        let agree = async || store.approve(number, &name("bob"), &of("bob", NOW)).await;
        agree().await.unwrap();
        let no = of(who, NOW + 1).because("in vain".parse().ok());
        let refused_it = store.refuse_approval(number, &name(who), &no).await;
        let decided = refused_it.unwrap();
        assert_eq!(
            (decided.state, decided.decided_by),
            (ApprovalState::Refused, Some(name(who)))
        );
        store.verify_audit().await.unwrap();
        let error = agree().await.unwrap_err();
        assert_eq!(refused(error), registry::Error::ApprovalOver);
        if who == "carol" {
            let both = of("alice+bob", NOW + 1);
            store.mark_done(number, &both).await.unwrap();
            let listed = store.approvals().await.unwrap().remove(0);
            assert_eq!(listed.state, ApprovalState::Done);
            store.verify_audit().await.unwrap();
        }
    }
}
