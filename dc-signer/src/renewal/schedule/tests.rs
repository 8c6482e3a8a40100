use proptest::prelude::*;

use super::*;
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};
use dc_store::registry::Sha256;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;
const NONE: Draw = Draw(0);
const ALL: Draw = Draw(u32::MAX);

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// A certificate that begins now.
fn slot(number: u32, state: DelegationState, days: u64) -> ZoneDelegation {
    ZoneDelegation {
        number,
        state,
        certificate_sha256: Sha256::of(&number.to_be_bytes()),
        not_before: at(NOW),
        not_after: at(NOW + days * DAY),
        since: at(NOW),
    }
}

fn zone(delegations: Vec<ZoneDelegation>) -> Zone {
    Zone {
        zone: ZoneName::parse("cpe.example.com").unwrap(),
        forms: Forms::Named,
        roles: Roles::Server,
        other_forms_until: None,
        renew_issued_before: None,
        withdrawn_sequence: 0,
        delegations,
    }
}

fn unknown() -> Renewal {
    Renewal::of(ZoneName::parse("cpe.example.com").unwrap())
}

fn later() -> OrderError {
    OrderError::Later(None, "closed".to_owned())
}

fn refused() -> OrderError {
    OrderError::Refused("no".to_owned())
}

#[test]
fn a_zone_without_a_certificate_orders_its_first_at_once() {
    assert_eq!(due(&zone(vec![]), &unknown(), at(NOW)), Due::Order);
}

#[test]
fn a_zone_orders_when_two_thirds_of_its_certificate_are_over() {
    let zone = zone(vec![slot(1, DelegationState::Active, 100)]);
    assert_eq!(due(&zone, &unknown(), at(NOW)), Due::Begin);
    for (draw, more) in [(NONE, 0), (ALL, DAY / 2 - 1)] {
        let mut renewal = begin(&zone, &unknown(), 66, draw);
        assert_eq!(due(&zone, &renewal, at(NOW)), Due::Ask);
        renewal.ask_at = None;
        let order_at = NOW + 66 * DAY + more;
        assert_eq!(
            due(&zone, &renewal, at(order_at - 1)),
            Due::Wait(at(order_at))
        );
        assert_eq!(due(&zone, &renewal, at(order_at)), Due::Order);
    }
}

#[test]
fn the_times_are_those_of_the_certificate_that_lasts_longest() {
    let mut zone = zone(vec![
        slot(1, DelegationState::Draining, 300),
        slot(2, DelegationState::Active, 100),
    ]);
    let renewal = begin(&zone, &unknown(), 66, NONE);
    assert_eq!(
        renewal.certificate_sha256,
        Some(Sha256::of(&2u32.to_be_bytes()))
    );
    // A candidate has come, whoever brought it: nothing is ordered any more.
    zone.delegations.push(slot(3, DelegationState::Next, 101));
    assert_eq!(due(&zone, &renewal, at(NOW + 90 * DAY)), Due::Begin);
    let renewal = begin(&zone, &renewal, 66, NONE);
    assert_eq!((renewal.attempts, renewal.error), (0, None));
    assert_eq!(
        renewal.certificate_sha256,
        Some(Sha256::of(&3u32.to_be_bytes()))
    );
}

#[test]
fn a_ca_that_has_a_window_is_obeyed_as_far_as_the_plan_allows() {
    let slot = slot(1, DelegationState::Active, 47);
    let zone = zone(vec![slot.clone()]);
    let begun = || begin(&zone, &unknown(), 66, NONE);
    let latest = NOW + Plan::of(slot.life(), 66).latest_order().as_secs();
    for (window, expected) in [
        // An early one, such as before a revocation.
        ((NOW + 10 * DAY, NOW + 12 * DAY), NOW + 11 * DAY),
        // A usual one is too late for an outage of two weeks.
        ((NOW + 30 * DAY, NOW + 32 * DAY), latest),
        // The past: as soon as it can be, but not again and again.
        ((NOW - 9 * DAY, NOW - DAY), NOW + 47 * DAY / 10),
        // Backwards, so it is none.
        ((NOW + 12 * DAY, NOW + 10 * DAY), begun().order_at.as_secs()),
    ] {
        let (from, until) = window;
        let window = Some((at(from), at(until), None));
        let half = Draw(1 << 31);
        let asked = asked(begun(), &slot, window, 66, at(NOW), half);
        assert_eq!(asked.order_at, at(expected), "{from} {until}");
        assert_eq!(asked.ask_at, Some(at(NOW + 6 * 3600)));
    }
}

#[test]
fn a_moment_that_was_drawn_stays() {
    let slot = slot(1, DelegationState::Active, 47);
    let zone = zone(vec![slot.clone()]);
    let window = Some((at(NOW + 10 * DAY), at(NOW + 20 * DAY), None));
    let mut renewal = begin(&zone, &unknown(), 66, NONE);
    renewal = asked(renewal, &slot, window, 66, at(NOW), ALL);
    let drawn = renewal.order_at;
    for _ in 0..9 {
        renewal = asked(renewal, &slot, window, 66, at(NOW), NONE);
    }
    assert_eq!(renewal.order_at, drawn);
}

#[test]
fn a_ca_says_how_often_it_is_asked_between_an_hour_and_a_day() {
    let slot = slot(1, DelegationState::Active, 47);
    for (said, expected) in [(1, 3600), (7200, 7200), (9_999_999, DAY)] {
        let window = Some((at(NOW), at(NOW + 1), Some(Duration::from_secs(said))));
        let asked = asked(unknown(), &slot, window, 66, at(NOW), NONE);
        assert_eq!(asked.ask_at, Some(at(NOW + expected)));
    }
    assert_eq!(not_asked(unknown(), at(NOW)).ask_at, Some(at(NOW + 21_600)));
}

#[test]
fn waits_double_up_to_a_limit_that_is_lower_for_short_certificates() {
    for (life, error, first, longest) in [
        (47, later(), 300, 6 * 3600),
        (7, later(), 300, 2 * 3600),
        (47, refused(), 3600, 12 * 3600),
        (7, refused(), 3600, 6 * 3600),
    ] {
        let life = Some(Duration::from_secs(life * DAY));
        let mut renewal = unknown();
        let mut waits = Vec::new();
        for _ in 0..40 {
            renewal = ordering(renewal, at(NOW));
            renewal = failed(renewal, life, &error, at(NOW), ALL);
            waits.push(renewal.try_at.unwrap().as_secs() - NOW + 1);
        }
        assert_eq!((waits[0], waits[1], waits[39]), (first, 2 * first, longest));
        assert!(waits.is_sorted());
        assert_eq!(
            (renewal.attempts, renewal.failing_since),
            (40, Some(at(NOW)))
        );
    }
}

#[test]
fn after_a_failure_nothing_is_ordered_until_its_wait_is_over() {
    let zone = zone(vec![slot(1, DelegationState::Active, 7)]);
    let order_at = NOW + 5 * DAY;
    let renewal = ordering(begin(&zone, &unknown(), 66, NONE), at(order_at));
    let wanted = OrderError::Later(Some(Duration::from_secs(1000)), "busy".to_owned());
    let renewal = failed(renewal, None, &wanted, at(order_at), NONE);
    assert_eq!(renewal.error.as_deref(), Some("busy"));
    let try_at = order_at + 1000;
    assert_eq!(due(&zone, &renewal, at(try_at - 1)), Due::Wait(at(try_at)));
    assert_eq!(due(&zone, &renewal, at(try_at)), Due::Order);
}

proptest! {
    /// Whatever a CA says, an order never waits for longer than a day, and is never tried again within two minutes.
    #[test]
    fn no_wait_is_endless(said: Option<u64>, attempts: u32, draw: u32, no: bool, days in 0u64..400) {
        let error = match no {
            true => refused(),
            false => OrderError::Later(said.map(Duration::from_secs), String::new()),
        };
        let renewal = Renewal { attempts, ..unknown() };
        let life = Some(Duration::from_secs(days * DAY));
        let failed = failed(renewal, life, &error, at(NOW), Draw(draw));
        let wait = failed.try_at.unwrap().as_secs() - NOW;
        prop_assert!((120..=DAY + DAY / 10).contains(&wait), "{wait}");
    }

    /// Whatever a CA says, the certificate is ordered while there is time, and not at once again.
    #[test]
    fn no_window_costs_the_certificate(from: u64, until: u64, again: Option<u64>, draw: u32, days in 1u64..400) {
        let slot = slot(1, DelegationState::Active, days);
        let zone = zone(vec![slot.clone()]);
        let window = (at(from), at(until), again.map(Duration::from_secs));
        let renewal = begin(&zone, &unknown(), 66, Draw(draw));
        let asked = asked(renewal, &slot, Some(window), 66, at(NOW), Draw(draw));
        let plan = Plan::of(slot.life(), 66);
        let order_at = asked.order_at.as_secs() - NOW;
        prop_assert!(order_at <= (plan.latest_order() + plan.slack).as_secs());
        prop_assert!(order_at >= days * DAY / 10 - 1);
    }
}
