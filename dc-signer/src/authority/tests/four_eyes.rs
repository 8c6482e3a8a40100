//! Acts that take two operators, whichever configuration whoever asks has.

use std::time::Duration;

use pki_types::UnixTime;

use super::bench::{Bench, zone};
use crate::authority::approvals::{Approved, Move, Outcome, agreed_in_vain, word};
use crate::authority::grants::Grant;
use crate::authority::json::Replace;
use crate::authority::{Act, Authenticated, Authority, Error};
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_store::registry::{
    Access, Action, DelegationState, FourEyes, Operator, OperatorName, Role, Sha256,
};

on_both! {
    a_certificate_that_was_imported_by_hand_waits_for_two,
    a_new_name_counts_as_a_retirement,
    nobody_agrees_where_the_key_is_not_and_nothing_moves_to_what_it_issues_from,
    one_admin_does_not_leave_one_admin,
    the_log_has_what_takes_two_and_a_laxer_configuration_weakens_nothing,
    what_was_agreed_to_in_vain_is_taken_back_or_done_later,
}

const STRICT: &str = "[approval]\nrollover = true\nretire_above = 1\nzones_end = true\n";

fn name(text: &str) -> OperatorName {
    text.parse().unwrap()
}

fn token(text: &str) -> Access {
    Access::Token(Sha256::of(text.as_bytes()))
}

fn of(operator: &str, at: UnixTime) -> Act {
    Act::new(format!("operator:{operator}"), at).because("NOC-1".parse().ok())
}

/// Two admins more than there are.
async fn admins(bench: &Bench, names: &[&str]) {
    for text in names {
        let ends = Some(bench.after(90 * 86_400));
        let operator = Operator::new(name(text), Role::Admin, token(text), ends);
        let by = bench.by(bench.now);
        bench.store.put_operator(&operator, &by).await.unwrap();
    }
}

/// Takes the first one away.
async fn leave_them_alone(bench: &Bench) {
    let (tester, by) = (name("tester"), of("alice", bench.now));
    let out = bench.store.disable_operator(&tester, &by);
    out.await.unwrap();
}

async fn try_to_agree(
    authority: &Authority,
    number: u64,
    who: &str,
    now: UnixTime,
) -> Result<Approved, Error> {
    let who_is = shown(authority, who, now).await;
    authority.approve(number, &who_is, &of(who, now)).await
}

async fn shown(authority: &Authority, who: &str, now: UnixTime) -> Authenticated {
    let shown = authority.authenticate(&token(who), now).await;
    shown.unwrap().unwrap()
}

async fn agree(authority: &Authority, number: u64, who: &str, now: UnixTime) -> Approved {
    let agreed = try_to_agree(authority, number, who, now).await;
    agreed.unwrap()
}

fn number<T: std::fmt::Debug>(outcome: Outcome<T>) -> u64 {
    match outcome {
        Outcome::Waits(approval) => approval.number,
        Outcome::Done(done) => panic!("it was done: {done:?}"),
    }
}

async fn the_log_has_what_takes_two_and_a_laxer_configuration_weakens_nothing(database: &Database) {
    let strict = Bench::empty(database, STRICT).await;
    let now = strict.now;
    // One could not agree to anything any more.
    assert_eq!(strict.authority.record_four_eyes(now).await.unwrap(), None);
    admins(&strict, &["alice", "bob"]).await;
    leave_them_alone(&strict).await;
    let recorded = strict.authority.record_four_eyes(now).await.unwrap();
    let expected = FourEyes {
        rollover: true,
        retire_above: Some(1),
        zones_end: true,
    };
    assert_eq!(recorded, Some(expected));
    assert_eq!(strict.authority.record_four_eyes(now).await.unwrap(), None);
    let mut config = strict.config.clone();
    config.approval = crate::config::Approval::default();
    let lax = Authority::open(&config, strict.store.clone())
        .await
        .unwrap();
    assert_eq!(lax.four_eyes().await.unwrap(), expected);
    assert_eq!(lax.record_four_eyes(now).await.unwrap(), None);
    let alice = name("alice");
    let by = of("alice", now);
    let waits = number(lax.lower_or_ask(Some(&alice), &by).await.unwrap());
    assert_eq!(lax.four_eyes().await.unwrap(), expected);
    let done = agree(&lax, waits, "bob", now).await;
    assert!(matches!(done, Approved::Lowered(policy) if policy == FourEyes::default()));
    assert_eq!(lax.four_eyes().await.unwrap(), FourEyes::default());
    assert_eq!(strict.authority.four_eyes().await.unwrap(), expected);
    strict.store.verify_audit().await.unwrap();
}

async fn a_new_name_counts_as_a_retirement(database: &Database) {
    let bench = Bench::empty(database, STRICT).await;
    let now = bench.now;
    bench.add_zone("cpe.example.com", Forms::Both).await;
    bench.import(now).await;
    bench.authority.keep_zones(now).await.unwrap();
    admins(&bench, &["alice", "bob"]).await;
    let how = Replace {
        new_name: true,
        ..Replace::default()
    };
    let (alice, by) = (name("alice"), of("alice", now));
    let mut asked = Vec::new();
    for external_id in ["customer-1", "customer-2"] {
        bench.add_with_code(external_id).await;
        let device = bench.find(external_id).await;
        let replaced = bench
            .authority
            .replace_or_ask(device.id, &how, Some(&alice), &by);
        asked.push((device, replaced.await.unwrap()));
    }
    let (second, outcome) = asked.pop().unwrap();
    let (first, done) = asked.pop().unwrap();
    assert!(matches!(done, Outcome::Done(_)));
    assert_ne!(bench.find("customer-1").await.name, first.name);
    assert_eq!(bench.find("customer-2").await.name, second.name);
    // And the other way round.
    let ids = [second.id];
    let retired = bench.authority.retire_or_ask(&ids, Some(&alice), &by);
    assert!(matches!(retired.await.unwrap(), Outcome::Waits(_)));
    let renamed = agree(&bench.authority, number(outcome), "bob", now).await;
    assert!(matches!(renamed, Approved::Renamed(device) if device.name != second.name));
    bench.store.verify_audit().await.unwrap();
}

async fn one_admin_does_not_leave_one_admin(database: &Database) {
    let bench = Bench::empty(database, STRICT).await;
    let now = bench.now;
    admins(&bench, &["alice", "bob", "carol"]).await;
    leave_them_alone(&bench).await;
    bench.authority.record_four_eyes(now).await.unwrap();
    let (alice, by) = (name("alice"), of("alice", now));
    let out = async |who: &str| {
        let who = name(who);
        let done = bench.authority.keep_out_or_ask(&who, Some(&alice), &by);
        done.await.unwrap()
    };
    assert!(matches!(out("bob").await, Outcome::Done(one) if one.disabled));
    let waits = number(out("carol").await);
    let carol = bench.store.operator(&name("carol")).await.unwrap();
    assert!(!carol.unwrap().disabled);
    // Whoever it is about may agree.
    let done = agree(&bench.authority, waits, "carol", now).await;
    assert!(matches!(done, Approved::KeptOut(one) if one.disabled));
    bench.store.verify_audit().await.unwrap();
}

async fn a_certificate_that_was_imported_by_hand_waits_for_two(database: &Database) {
    let bench = Bench::empty(database, STRICT).await;
    let now = bench.now;
    admins(&bench, &["alice", "bob"]).await;
    bench.authority.record_four_eyes(now).await.unwrap();
    bench.add_zone("cpe.example.com", Forms::Both).await;
    bench.import(now).await;
    bench.authority.keep_zones(now).await.unwrap();
    let state = async |slot: u32| {
        let zones = bench.store.zones().await.unwrap();
        let slots = zones.into_iter().flat_map(|zone| zone.delegations);
        slots
            .into_iter()
            .find(|one| one.number == slot)
            .unwrap()
            .state
    };
    // The first one of a zone takes nothing from anybody.
    assert_eq!(state(1).await, DelegationState::Active);
    let later = bench.after(10 * 86_400);
    bench.authority.accept_clock(later);
    let slot = bench.import(later).await;
    let soaked = UnixTime::since_unix_epoch(Duration::from_secs(later.as_secs() + 3 * 86_400));
    bench.authority.accept_clock(soaked);
    bench.authority.keep_zones(soaked).await.unwrap();
    assert_eq!(state(slot).await, DelegationState::Next);
    let waiting = bench.authority.waiting();
    let text: Vec<String> = waiting.iter().map(ToString::to_string).collect();
    assert!(
        text.join("").contains("when two operators agree"),
        "{text:?}"
    );
    let (alice, by) = (name("alice"), of("alice", soaked));
    // Both of them know of a signer that would be left behind.
    let other = bench.other(database).await;
    other.report(soaked).await.unwrap();
    let wanted = Move {
        to: Some(slot),
        leave_signers_out: true,
    };
    let zone = zone();
    let asked = bench
        .authority
        .rollover_or_ask(&zone, wanted, Some(&alice), &by);
    let waits = number(asked.await.unwrap());
    agree(&bench.authority, waits, "bob", soaked).await;
    assert_eq!(state(slot).await, DelegationState::Active);
    bench.store.verify_audit().await.unwrap();
}

async fn what_was_agreed_to_in_vain_is_taken_back_or_done_later(database: &Database) {
    let bench = Bench::empty(database, STRICT).await;
    let (authority, now) = (&bench.authority, bench.now);
    admins(&bench, &["alice", "bob", "carol"]).await;
    authority.record_four_eyes(now).await.unwrap();
    let alice = shown(authority, "alice", now).await;
    let ends = bench.after(80 * 86_400);
    let ask = async |next: &str| {
        let grant = Grant::Renew(name("carol"), (token(next), ends));
        let by = of("alice", now);
        let asked = authority.grant_or_ask(&grant, Some(&alice), &by);
        number(asked.await.unwrap())
    };
    let become_one = async |role: Role| {
        let carol = Operator::new(name("carol"), role, token("carol"), Some(ends));
        let root = Act::new("root:uid=0,login=none", now);
        let root = root.because("a test".parse().ok());
        bench.store.break_glass(&root).await.unwrap();
        bench.store.put_operator(&carol, &root).await.unwrap();
    };
    for taken_back in [true, false] {
        let waits = ask(&format!("next-{taken_back}")).await;
        become_one(Role::Operator).await;
        let error = try_to_agree(authority, waits, "bob", now).await;
        assert!(matches!(error, Err(Error::OtherRole { .. })), "{error:?}");
        let listed = authority.approvals().await.unwrap().remove(0);
        assert_eq!((listed.number, word(&listed, now)), (waits, "approved"));
        assert_eq!(word(&listed, bench.after(2 * 86_400)), "ended");
        let said = agreed_in_vain(&listed, now).unwrap();
        assert!(said.contains("by bob, and not done"), "{said}");
        bench.store.verify_audit().await.unwrap();
        become_one(Role::Admin).await;
        match taken_back {
            true => {
                let by = of("alice", now);
                authority.refuse(waits, &alice, &by).await.unwrap();
                let late = try_to_agree(authority, waits, "bob", now).await;
                let late = late.unwrap_err().to_string();
                assert!(late.contains("waits for nobody"), "{late}");
            }
            false => {
                agree(authority, waits, "bob", now).await;
                let late = authority.refuse(waits, &alice, &of("alice", now)).await;
                late.unwrap_err();
            }
        }
        let listed = authority.approvals().await.unwrap().remove(0);
        let expected = if taken_back { "refused" } else { "done" };
        assert_eq!(word(&listed, now), expected);
        assert_eq!(agreed_in_vain(&listed, now), None);
        bench.store.verify_audit().await.unwrap();
    }
}

async fn nobody_agrees_where_the_key_is_not_and_nothing_moves_to_what_it_issues_from(
    database: &Database,
) {
    let bench = Bench::empty(database, STRICT).await;
    let now = bench.now;
    admins(&bench, &["alice", "bob"]).await;
    bench.authority.record_four_eyes(now).await.unwrap();
    bench.add_zone("cpe.example.com", Forms::Both).await;
    let first = bench.import(now).await;
    bench.authority.keep_zones(now).await.unwrap();
    let (zone, alice, by) = (zone(), name("alice"), of("alice", now));
    let ask = async |slot: u32| {
        let wanted = Move {
            to: Some(slot),
            leave_signers_out: true,
        };
        let asked = bench
            .authority
            .rollover_or_ask(&zone, wanted, Some(&alice), &by);
        asked.await
    };
    let refused = ask(first).await.unwrap_err().to_string();
    assert!(
        refused.contains("slot 1 is what the zone issues from"),
        "{refused}"
    );
    let other = bench.other(database).await;
    other.report(now).await.unwrap();
    let next = bench.import(now).await;
    let waits = number(ask(next).await.unwrap());
    let head = bench.store.audit_head().await.unwrap().seq;
    let refused = try_to_agree(&other, waits, "bob", now).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("agree to it on a signer that has the key"),
        "{refused}"
    );
    // So it still waits.
    assert_eq!(bench.store.audit_head().await.unwrap().seq, head);
    let done = agree(&bench.authority, waits, "bob", now).await;
    assert!(matches!(done, Approved::RolledOver(_)), "{done:?}");
    let records = bench.store.audit_from(head, 10).await.unwrap();
    let moved = records
        .iter()
        .find(|record| record.entry.action == Action::ActivateDelegation)
        .unwrap();
    assert_eq!(moved.entry.scope.as_deref(), Some("left-out=node-2"));
    bench.store.verify_audit().await.unwrap();
}
