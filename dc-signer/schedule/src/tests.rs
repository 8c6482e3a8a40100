//! The laws of the schedule, and months of it with a signer that is often away.

use proptest::prelude::*;

use super::*;

const ISSUED: u64 = 1_800_000_000;
const LIFE: u64 = 164 * HOUR;

fn window((from, until): (u64, u64)) -> RenewalWindow {
    RenewalWindow { from, until }
}

fn life(named: (u64, u64)) -> Life {
    Life {
        issued: ISSUED,
        expires: ISSUED + LIFE,
        window: window(named),
    }
}

const TRANSIENT: Failure = Failure::Transient { retry_after: None };

proptest! {
    #[test]
    fn a_renewal_is_inside_the_signers_window(from in 5..=90_u64, more in 0..=90_u64, draw: u32) {
        let until = (from + more).min(90);
        let window = (ISSUED + LIFE * from / 100, ISSUED + LIFE * until / 100);
        let at = life(window).renew_at(Draw(draw));
        prop_assert!((window.0..=window.1).contains(&at));
    }

    #[test]
    fn a_renewal_leaves_a_tenth_of_the_life_whatever_the_signer_says(from: u64, until: u64, draw: u32) {
        let at = life((from, until)).renew_at(Draw(draw));
        prop_assert!((ISSUED..=ISSUED + LIFE * 9 / 10).contains(&at));
    }

    #[test]
    fn no_moment_of_any_credential_overflows(issued: u64, expires: u64, named: (u64, u64), draw: u32) {
        let at = Life { issued, expires, window: window(named) }.renew_at(Draw(draw));
        prop_assert!(at >= issued.saturating_add(MINUTE));
    }

    #[test]
    fn a_wait_is_a_minute_at_least_and_thirty_hours_at_most(
        now in 0..u64::MAX / 2,
        left: Option<u32>,
        failures: u32,
        retry_after: Option<u64>,
        draw: u32,
    ) {
        let expires = left.map(|left| now + u64::from(left));
        let after = retry_after.unwrap_or(0);
        for failure in [Failure::Transient { retry_after }, Failure::Reserved { after }, Failure::Permanent] {
            let at = try_again_at(now, expires, failures, failure, Draw(draw));
            prop_assert!((now + MINUTE..=now + LONGEST_WAIT).contains(&at));
        }
    }

    #[test]
    fn many_attempts_are_left_while_an_hour_is(left in HOUR..LIFE, failures: u32, draw: u32) {
        let at = try_again_at(ISSUED, Some(ISSUED + left), failures, TRANSIENT, Draw(draw));
        prop_assert!((at - ISSUED) * 9 <= left, "{} of {left}", at - ISSUED);
    }

    #[test]
    fn retry_after_is_obeyed_as_long_as_half_of_the_life_stays(left in HOUR..LIFE, wanted: u64, draw: u32) {
        let failure = Failure::Transient { retry_after: Some(wanted) };
        let wait = try_again_at(ISSUED, Some(ISSUED + left), 1, failure, Draw(draw)) - ISSUED;
        prop_assert!(wait >= wanted.min(left / 2).min(DAY));
        prop_assert!(wait <= left * 55 / 100);
    }

    #[test]
    fn a_reservation_is_kept_to_the_moment_as_long_as_half_of_the_life_stays(left in HOUR..LIFE, after: u64, draw: u32) {
        let failure = Failure::Reserved { after };
        let wait = try_again_at(ISSUED, Some(ISSUED + left), 1, failure, Draw(draw)) - ISSUED;
        let wanted = after.clamp(MINUTE, (left / 2).min(DAY));
        prop_assert!((wanted..=wanted + A_MOMENT).contains(&wait));
    }

    #[test]
    fn a_start_neither_brings_forward_what_is_due_later_nor_adds_more_than_the_delay(
        now in 0..u64::MAX / 2,
        due in 0..u64::MAX / 2,
        delay in 0..HOUR,
        draw: u32,
    ) {
        let at = after_start(now, due, delay, Draw(draw));
        prop_assert!(at >= due && at <= due.max(now + delay));
    }

    #[test]
    fn a_pulled_renewal_leaves_half_of_the_rest(spread: u64, left in 0..LIFE, draw: u32) {
        let at = pulled_to(ISSUED, spread, ISSUED + left, Draw(draw));
        prop_assert!((ISSUED..=ISSUED + left / 2).contains(&at));
    }
}

#[test]
fn a_window_that_cannot_be_meant_is_replaced() {
    let own = ISSUED + LIFE * 40 / 100;
    for window in [
        (0, 0),
        (ISSUED, ISSUED + LIFE / 2),
        (ISSUED + 9, ISSUED + 8),
        (ISSUED + LIFE, ISSUED + LIFE),
        (u64::MAX, u64::MAX),
    ] {
        assert_eq!(life(window).renew_at(Draw(0)), own, "{window:?}");
    }
}

#[test]
fn waits_double_from_five_minutes_to_four_hours() {
    let longest = |failures| {
        let far = Some(ISSUED + LIFE);
        try_again_at(ISSUED, far, failures, TRANSIENT, Draw(u32::MAX)) - ISSUED
    };
    for (failures, minutes) in [
        (0, 6),
        (1, 6),
        (2, 11),
        (3, 21),
        (6, 161),
        (7, 241),
        (99, 241),
    ] {
        assert!(
            longest(failures).abs_diff(minutes * MINUTE) <= 1,
            "{failures}"
        );
    }
}

proptest! {
    #[test]
    fn a_wait_is_as_long_as_it_should_be_and_no_longer_when_the_clock_is_set(
        now in 0..u64::MAX / 4,
        long in 0..LONGEST_WAIT,
        wall in 0..u64::MAX / 4,
        later in 0..u64::MAX / 4,
    ) {
        let wait = Wait::new(now, now + long, wall);
        prop_assert_eq!(wait.left(wall), long);
        prop_assert_eq!(wait.left(wall + long / 2), long - long / 2);
        prop_assert!(wait.left(later) <= long);
        prop_assert_eq!(wait.left(wall + long), 0);
        prop_assert_eq!(wait.left(wall.saturating_sub(601)), if wall > 600 { 0 } else { long });
    }
}

#[test]
fn a_moment_that_a_wrong_clock_wrote_is_due_now() {
    let ten_years = 10 * 365 * DAY;
    assert_eq!(believable(ISSUED + ten_years, ISSUED, LONGEST_WAIT), ISSUED);
    assert_eq!(
        believable(ISSUED + HOUR, ISSUED, LONGEST_WAIT),
        ISSUED + HOUR
    );
    assert_eq!(believable(5, ISSUED, LONGEST_WAIT), 5);
}

/// One device for some days; `up` says whether the signer answers. Returns the moments at which there
/// was no valid credential, and how many requests there were.
fn simulate(
    days: u64,
    mut draw: impl FnMut() -> Draw,
    up: impl Fn(u64) -> bool,
) -> (Vec<u64>, u32) {
    let start = ISSUED;
    let new = |now| Life {
        issued: now,
        expires: now + LIFE,
        window: RenewalWindow::of_life(now, now + LIFE),
    };
    let mut held = new(start);
    let (mut due, mut failures, mut requests) = (held.renew_at(draw()), 0, 0);
    let mut without = Vec::new();
    for now in (start..start + days * DAY).step_by(60) {
        if now >= held.expires {
            without.push(now - start);
        }
        if now < due {
            continue;
        }
        requests += 1;
        if up(now - start) {
            held = new(now);
            failures = 0;
            due = held.renew_at(draw());
        } else {
            failures += 1;
            due = try_again_at(now, Some(held.expires), failures, TRANSIENT, draw());
        }
    }
    (without, requests)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Outages of up to 72 hours. An hour more than the longest wait in between, so that somebody asks.
    #[test]
    fn a_credential_is_valid_whenever_the_signer_was_up_in_the_last_three_days(
        outages in proptest::collection::vec((5 * HOUR + 6 * MINUTE..4 * DAY, 0..=72 * HOUR), 12),
        draws in proptest::collection::vec(any::<u32>(), 2048),
    ) {
        let mut at = 0;
        let down: Vec<(u64, u64)> = outages
            .iter()
            .map(|(before, length)| {
                let from = at + before;
                at = from + length;
                (from, at)
            })
            .collect();
        let up = |now: u64| !down.iter().any(|(from, until)| (*from..*until).contains(&now));
        let mut draws = draws.iter().copied().cycle();
        let (without, _) = simulate(30, || Draw(draws.next().unwrap_or_default()), up);
        prop_assert_eq!(without, Vec::<u64>::new());
    }
}

#[test]
fn an_outage_of_a_week_costs_few_requests_and_is_over_within_half_an_hour() {
    let mut number = 0_u32;
    let draw = || {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Draw(number)
    };
    let back = 9 * DAY;
    let (without, requests) = simulate(12, draw, |now| now < DAY || now >= back);
    assert!(requests < 400, "{requests}");
    assert!(without.first().is_some_and(|first| *first >= LIFE));
    assert!(
        without
            .last()
            .is_some_and(|last| *last < back + 32 * MINUTE)
    );
}

#[test]
fn questions_for_the_time_become_rarer_up_to_a_quarter_of_an_hour_or_an_hour() {
    let minutes =
        |is_in_danger| [0, 1, 4, 6, 99].map(|n| ask_again_after(n, is_in_danger) / MINUTE);
    assert_eq!(minutes(true), [1, 2, 16, 16, 16]);
    assert_eq!(minutes(false), [1, 2, 16, 64, 64]);
}
