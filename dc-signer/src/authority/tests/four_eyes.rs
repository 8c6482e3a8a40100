//! Acts that take two operators, whichever configuration whoever asks has.

use std::time::Duration;

use pki_types::UnixTime;

use super::bench::{Bench, zone};
use crate::authority::approvals::{Approved, Move, Outcome};
use crate::authority::json::Replace;
use crate::authority::{Act, Authority};
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_store::registry::{Access, DelegationState, FourEyes, Operator, OperatorName, Role, Sha256};

on_both! {
    a_certificate_that_was_imported_by_hand_waits_for_two,
    a_new_name_counts_as_a_retirement,
    one_admin_does_not_leave_one_admin,
    the_log_has_what_takes_two_and_a_laxer_configuration_weakens_nothing,
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
    let by = of("alice", bench.now);
    let out = bench.store.disable_operator(&name("tester"), &by);
    out.await.unwrap();
}

async fn agree(authority: &Authority, number: u64, who: &str, now: UnixTime) -> Approved {
    let shown = authority.authenticate(&token(who), now).await;
    let who_is = shown.unwrap().unwrap();
    let agreed = authority.approve(number, &who_is, &of(who, now)).await;
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
