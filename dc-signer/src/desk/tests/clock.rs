//! A clock that jumps: nothing is issued until somebody has looked.

use super::bench::Bench;
use super::device::{Cpe, renewal};
use crate::desk::{Clock, Desk, Refusal};
use crate::store::testing::{Database, on_both};

on_both! {
    a_clock_that_jumps_issues_nothing,
    a_restart_does_not_forget_what_the_clock_said,
}

async fn a_clock_that_jumps_issues_nothing(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let first = cpe.enrol_with(&bench.desk, &code, bench.now).await.unwrap();
    let records = bench.records().await;
    let ahead = bench.after(7200);
    let refusal = cpe.renew(&bench.desk, &renewal(&first, "1"), ahead).await;
    let Err(Refusal::Clock(Clock::Jumped { .. })) = refusal else {
        panic!("{refusal:?}");
    };
    let long_ago = crate::registry::testing::at(1_000_000_000);
    let refusal = cpe
        .renew(&bench.desk, &renewal(&first, "1"), long_ago)
        .await;
    let Err(Refusal::Clock(Clock::BeforeRelease { .. })) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(bench.records().await, records);
    // Somebody says that it is right.
    bench.desk.accept_clock(ahead);
    cpe.renew(&bench.desk, &renewal(&first, "1"), ahead)
        .await
        .unwrap();
    let refusal = cpe
        .renew(&bench.desk, &renewal(&first, "2"), bench.now)
        .await;
    let Err(Refusal::Clock(Clock::Behind { .. })) = refusal else {
        panic!("{refusal:?}");
    };
}

async fn a_restart_does_not_forget_what_the_clock_said(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let later = bench.after(86_400);
    bench.desk.accept_clock(later);
    cpe.enrol_with(&bench.desk, &code, later).await.unwrap();
    let desk = Desk::open(&bench.config, bench.store.clone())
        .await
        .unwrap();
    let refusal = cpe.enrol_with(&desk, &code, bench.now).await;
    let Err(Refusal::Clock(Clock::Behind { latest, .. })) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(latest, later);
}
