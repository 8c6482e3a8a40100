//! A clock that jumps: nothing is issued until somebody has looked.

use super::bench::Bench;
use super::device::{Cpe, renewal};
use crate::authority::{Authority, ClockError, Error, clock_agrees};
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_store::Location;

on_both! {
    a_command_works_by_no_clock_but_the_servers,
    a_clock_that_jumps_issues_nothing,
    a_restart_does_not_forget_what_the_clock_said,
    a_wrong_record_of_another_stops_nobody_whose_own_past_is_in_order,
    a_start_a_day_ahead_issues_nothing,
}

async fn a_clock_that_jumps_issues_nothing(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let first = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let records = bench.records().await;
    let ahead = bench.after(7200);
    let refusal = cpe
        .renew(&bench.authority, &renewal(&first, "1"), ahead)
        .await;
    // A server says what time it is.
    let Err(Error::Clock(ClockError::Jumped { .. } | ClockError::Apart { .. })) = refusal else {
        panic!("{refusal:?}");
    };
    let long_ago = crate::testing::registry::at(1_000_000_000);
    let refusal = cpe
        .renew(&bench.authority, &renewal(&first, "1"), long_ago)
        .await;
    let Err(Error::Clock(ClockError::BeforeRelease { .. })) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(bench.records().await, records);
    // Somebody says that it is right.
    bench.authority.accept_clock(ahead);
    cpe.renew(&bench.authority, &renewal(&first, "1"), ahead)
        .await
        .unwrap();
    let refusal = cpe
        .renew(&bench.authority, &renewal(&first, "2"), bench.now)
        .await;
    let Err(Error::Clock(ClockError::Behind { .. })) = refusal else {
        panic!("{refusal:?}");
    };
}

/// A record of a day from now, by another signer whose clock was wrong.
async fn record_from_the_future(bench: &Bench) {
    let act = bench.by(bench.after(86_400));
    let zone = super::bench::zone();
    bench
        .store
        .set_forms(&zone, Forms::Both, &act)
        .await
        .unwrap();
}

async fn reopened(bench: &Bench) -> Authority {
    Authority::open(&bench.config, bench.store.clone())
        .await
        .unwrap()
}

async fn a_restart_does_not_forget_what_the_clock_said(database: &Database) {
    let bench = Bench::new(database).await;
    record_from_the_future(&bench).await;
    let status = reopened(&bench)
        .await
        .issuing_status(bench.now)
        .await
        .unwrap();
    match database.location {
        // Nobody knows better.
        Location::File(_) => {
            let latest = bench.after(86_400);
            let Some(ClockError::Behind { latest: said, .. }) = status.clock else {
                panic!("{status:?}");
            };
            assert_eq!(said, latest);
        }
        Location::Postgres(_) => assert_eq!(status.clock, None),
    }
}

async fn a_wrong_record_of_another_stops_nobody_whose_own_past_is_in_order(database: &Database) {
    let bench = Bench::new(database).await;
    bench.authority.report(bench.now).await.unwrap();
    record_from_the_future(&bench).await;
    let authority = reopened(&bench).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    Cpe::new()
        .enrol_with(&authority, &code, bench.now)
        .await
        .unwrap();
    // What it believed itself counts, unless there is another clock.
    bench.authority.accept_clock(bench.after(86_400));
    bench.authority.report(bench.after(86_400)).await.unwrap();
    let status = reopened(&bench)
        .await
        .issuing_status(bench.now)
        .await
        .unwrap();
    assert!(
        matches!(status.clock, Some(ClockError::Behind { .. })),
        "{status:?}"
    );
}

async fn a_start_a_day_ahead_issues_nothing(database: &Database) {
    let bench = Bench::new(database).await;
    bench.authority.report(bench.now).await.unwrap();
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let (cpe, records) = (Cpe::new(), bench.records().await);
    let authority = reopened(&bench).await;
    authority.leave_alone();
    let ahead = bench.after(25 * 3600);
    let refusal = cpe.enrol_with(&authority, &code, ahead).await;
    match (&database.location, &refusal) {
        (Location::File(_), Err(Error::Clock(ClockError::Unsure { .. })))
        | (Location::Postgres(_), Err(Error::Clock(ClockError::Apart { .. }))) => {}
        _ => panic!("{refusal:?}"),
    }
    assert!(
        authority
            .issuing_status(ahead)
            .await
            .unwrap()
            .clock
            .is_some()
    );
    // It does not remember what it did not believe, and goes on when the clock is set.
    authority.report(ahead).await.unwrap();
    assert_eq!(bench.records().await, records);
    cpe.enrol_with(&authority, &code, bench.now).await.unwrap();
    let authority = reopened(&bench).await;
    assert_eq!(
        authority.issuing_status(bench.now).await.unwrap().clock,
        None
    );
}

async fn a_command_works_by_no_clock_but_the_servers(database: &Database) {
    let bench = Bench::new(database).await;
    assert_eq!(clock_agrees(&bench.store, bench.now).await.unwrap(), None);
    for wrong in [bench.after(7200), bench.after(10 * 86_400)] {
        match (
            database.location.clone(),
            clock_agrees(&bench.store, wrong).await,
        ) {
            (Location::File(_), Ok(None)) => {}
            (Location::Postgres(_), Err(Error::Clock(ClockError::Apart { .. }))) => {}
            (_, other) => panic!("{other:?}"),
        }
    }
    // A service here has taken the clock for right: whoever's is an hour behind that ends what is not over, or brings it back.
    bench.authority.report(bench.now).await.unwrap();
    let behind = crate::testing::registry::at(bench.now.as_secs() - 3600);
    let refusal = clock_agrees(&bench.store, behind).await;
    match (database.location.clone(), refusal) {
        (Location::File(_), Ok(Some(ClockError::Behind { latest, .. }))) => {
            assert_eq!(latest, bench.now);
        }
        (Location::Postgres(_), Err(Error::Clock(ClockError::Apart { .. }))) => {}
        (_, other) => panic!("{other:?}"),
    }
    assert_eq!(clock_agrees(&bench.store, bench.now).await.unwrap(), None);
    let long_ago = crate::testing::registry::at(1_000_000_000);
    let refusal = clock_agrees(&bench.store, long_ago).await;
    let Err(Error::Clock(ClockError::BeforeRelease { .. })) = refusal else {
        panic!("{refusal:?}");
    };
}
