//! Several signers on one database: a zone moves on when all of them can follow.

use super::bench::{Bench, zone};
use crate::authority::{Authority, Error, of_one_name};
use crate::testing::{Database, on_both};
use dc_store::registry::DelegationState;

on_both! {
    a_zone_moves_on_when_every_signer_has_the_key,
    a_signer_that_is_gone_is_not_waited_for,
    an_operator_is_told_who_would_be_left_behind,
    nobody_is_waited_for_while_nothing_can_be_issued,
    two_signers_with_one_name_are_told_apart_by_their_ids,
}

const DAY: u64 = 86_400;

async fn state(bench: &Bench, slot: u32) -> DelegationState {
    let zones = bench.store.zones().await.unwrap();
    let found = zones[0]
        .delegations
        .iter()
        .find(|found| found.number == slot);
    found.unwrap().state
}

async fn a_zone_moves_on_when_every_signer_has_the_key(database: &Database) {
    let bench = Bench::new(database).await;
    let other = bench.other(database).await;
    let folder = bench.vendor(&zone(), bench.after(DAY));
    let by = bench.by(bench.after(DAY));
    bench
        .authority
        .import_delegation(&zone(), &folder, &by)
        .await
        .unwrap();
    let later = bench.after(3 * DAY);
    for authority in [&bench.authority, &other] {
        authority.accept_clock(later);
        authority.report(later).await.unwrap();
    }
    for authority in [&bench.authority, &other] {
        authority.keep_zones(later).await.unwrap();
    }
    assert_eq!(state(&bench, 2).await, DelegationState::Next);
    let waiting = bench.authority.waiting();
    assert_eq!(waiting[0].nodes, ["node-2"]);
    assert!(waiting[0].to_string().contains("node-2"), "{}", waiting[0]);
    // The key is brought there too.
    other
        .import_delegation(&zone(), &folder, &by)
        .await
        .unwrap();
    other.report(later).await.unwrap();
    bench.authority.keep_zones(later).await.unwrap();
    assert_eq!(state(&bench, 2).await, DelegationState::Active);
    assert!(bench.authority.waiting().is_empty());
}

async fn a_signer_that_is_gone_is_not_waited_for(database: &Database) {
    let bench = Bench::new(database).await;
    for says_so in [true, false] {
        let other = bench.other(database).await;
        other.report(bench.now).await.unwrap();
        let next = bench.import(bench.now).await;
        match says_so {
            true => other.leave(bench.now).await.unwrap(),
            // It was killed some minutes ago.
            false => {
                let sql = "UPDATE replicas SET seen = seen - 181 WHERE stopped = 0";
                database.tamper(sql).await;
            }
        }
        bench
            .authority
            .rollover(&zone(), false, &bench.by(bench.now))
            .await
            .unwrap();
        assert_eq!(state(&bench, next).await, DelegationState::Active);
    }
}

async fn an_operator_is_told_who_would_be_left_behind(database: &Database) {
    let bench = Bench::new(database).await;
    let other = bench.other(database).await;
    other.report(bench.now).await.unwrap();
    let next = bench.import(bench.now).await;
    let refusal = bench
        .authority
        .rollover(&zone(), false, &bench.by(bench.now))
        .await;
    let Err(Error::KeyNotEverywhere { nodes, .. }) = &refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(nodes[..], ["node-2"]);
    assert!(
        refusal
            .unwrap_err()
            .to_string()
            .contains("--leave-signers-out")
    );
    assert_eq!(state(&bench, next).await, DelegationState::Next);
    // Nobody with the database alone keeps a zone from leaving a stolen certificate.
    let by = bench.by(bench.now);
    bench.authority.rollover(&zone(), true, &by).await.unwrap();
    assert_eq!(state(&bench, next).await, DelegationState::Active);
}

async fn nobody_is_waited_for_while_nothing_can_be_issued(database: &Database) {
    let bench = Bench::new(database).await;
    let other = bench.other(database).await;
    let late = bench.after(83 * DAY);
    bench.authority.accept_clock(late);
    other.report(late).await.unwrap();
    bench.import(late).await;
    bench.authority.keep_zones(late).await.unwrap();
    assert_eq!(state(&bench, 2).await, DelegationState::Active);
}

async fn two_signers_with_one_name_are_told_apart_by_their_ids(database: &Database) {
    let bench = Bench::new(database).await;
    let (first, second) = (bench.other(database).await, bench.other(database).await);
    assert_ne!(first.id(), second.id());
    for signer in [&first, &second] {
        signer.report(bench.now).await.unwrap();
    }
    database
        .tamper("UPDATE replicas SET seen = seen - 60")
        .await;
    // The other may be one that was killed.
    assert_eq!(first.same_node(bench.now).await.unwrap(), None);
    for signer in [&first, &second] {
        signer.report(bench.after(60)).await.unwrap();
    }
    let warning = first.same_node(bench.after(60)).await.unwrap().unwrap();
    assert_eq!(warning.ids, [first.id(), second.id()]);
    let replicas = bench.store.replicas(bench.after(60)).await.unwrap();
    let found = of_one_name(&replicas).remove(0).to_string();
    for word in [&first.id(), &second.id(), "2 signers", "node-2"] {
        assert!(found.contains(word), "{found}");
    }
    // What names a signer names the right one.
    let next = bench.import(bench.now).await;
    let refusal = bench
        .authority
        .rollover(&zone(), false, &bench.by(bench.now))
        .await;
    let Err(Error::KeyNotEverywhere { nodes, .. }) = &refusal else {
        panic!("{refusal:?}");
    };
    let of = |signer: &Authority| format!("node-2 (id {})", signer.id());
    let mut expected = [of(&first), of(&second)];
    expected.sort();
    let mut nodes = nodes.clone();
    nodes.sort();
    assert_eq!(nodes, expected);
    assert_eq!(state(&bench, next).await, DelegationState::Next);
}
