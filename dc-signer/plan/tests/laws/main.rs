//! What holds of every fleet.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers are"
)]

mod given;
mod same;

use dc_plan::{Error, Of, Outage, PowerCut, Scenario};
use proptest::prelude::*;

use given::{DAY, HOUR, fleet, outage, run};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn every_device_is_still_there_at_the_end_and_everything_is_counted_once(
        seed: u64,
        devices in 1..1500_u32,
        hours in 0..120_u32,
        share in 0.0..1.0_f64,
        dark in 0..90_u32,
    ) {
        let mut scenario = fleet(seed, devices, 3.0);
        scenario.outages = vec![
            outage(Of::Signer(share), hours),
            outage(Of::Region(share), hours / 2),
        ];
        scenario.power_cuts = vec![PowerCut { share, start: 5 * DAY, length: dark * HOUR, wrong_clocks: 0.5 }];
        scenario.stolen_keys = vec![9 * DAY];
        let outcome = run(&scenario);
        prop_assert_eq!(outcome.devices, devices);
        let total = outcome.total;
        prop_assert_eq!(total.requests, total.issued + total.put_off + total.zone_not_ready);
        let issued: u64 = outcome.parts.iter().map(|part| part.issued).sum();
        prop_assert_eq!(issued, total.issued);
        prop_assert!(u64::from(outcome.lost) <= total.lost);
        prop_assert!(outcome.lost <= devices);
    }

    #[test]
    fn without_trouble_nobody_is_lost_and_each_credential_takes_one_request(seed: u64, devices in 100..1500_u32) {
        let mut scenario = fleet(seed, devices, 2.0);
        scenario.capacity.requests.rate = 5.0;
        let outcome = run(&scenario);
        prop_assert_eq!(outcome.lost, 0);
        prop_assert_eq!(outcome.total.unreachable, 0);
        prop_assert!(outcome.total.each() < 1.1, "{:?}", outcome.total);
    }
}

#[test]
fn the_same_seed_gives_the_same_outcome_and_another_one_another() {
    let of = |seed| {
        let mut scenario = fleet(seed, 500, 3.0);
        scenario.outages = vec![outage(Of::Signer(0.7), 72)];
        scenario.power_cuts = vec![PowerCut {
            share: 0.3,
            start: 4 * DAY,
            length: HOUR,
            wrong_clocks: 0.1,
        }];
        run(&scenario)
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_longer_outage_never_loses_fewer() {
    let lost = [0, 48, 72, 96, 120, 164, 200].map(|hours| {
        let mut scenario = fleet(1, 2000, 6.0);
        scenario.outages = vec![outage(Of::Signer(1.0), hours)];
        run(&scenario).lost
    });
    assert!(lost.is_sorted(), "{lost:?}");
    assert_eq!(lost[..3], [0, 0, 0]);
    // After the whole life of a credential there is nobody left.
    assert_eq!(lost[5..], [2000, 2000]);
}

#[test]
fn more_capacity_never_loses_more() {
    let lost = [1.2, 1.5, 2.0, 3.0, 6.0].map(|times| {
        let mut scenario = fleet(1, 2000, times);
        scenario.outages = vec![outage(Of::Signer(1.0), 80)];
        run(&scenario).lost
    });
    assert!(lost.is_sorted_by(|one, other| one >= other), "{lost:?}");
    assert!(lost[0] > 100, "{lost:?}");
}

#[test]
fn a_region_that_is_cut_off_loses_nobody_else() {
    let mut scenario = fleet(1, 2000, 6.0);
    scenario.outages = vec![outage(Of::Region(0.25), 200)];
    assert_eq!(run(&scenario).lost, 500);
}

#[test]
fn devices_of_a_site_that_is_down_come_to_the_other() {
    let mut scenario = fleet(1, 2000, 6.0);
    scenario.capacity.sites = 2;
    scenario.outages = vec![outage(Of::Site(2), 200)];
    let outcome = run(&scenario);
    assert_eq!((outcome.lost, outcome.total.unreachable), (0, 0));
    scenario.outages.push(outage(Of::Site(1), 200));
    assert_eq!(run(&scenario).lost, 2000);
}

#[test]
fn a_device_without_power_is_not_lost_and_comes_back_by_itself() {
    let mut scenario = fleet(1, 2000, 6.0);
    scenario.capacity.requests.rate = 20.0;
    scenario.power_cuts = vec![PowerCut {
        share: 0.5,
        start: 2 * DAY,
        length: 8 * DAY,
        wrong_clocks: 0.0,
    }];
    let outcome = run(&scenario);
    assert_eq!(outcome.lost, 0);
    assert!(
        outcome.ended_without_power.abs_diff(1000) < 80,
        "{outcome:?}"
    );
    assert!(outcome.total.questions.abs_diff(1000) < 80);
    // Minutes, and not half a day.
    let each = outcome.without / u64::from(outcome.ended_without_power);
    assert!(each < 1000, "{each}");
}

#[test]
fn a_ca_may_be_away_for_two_weeks_and_not_for_a_month() {
    let lost = [14, 40].map(|days| {
        let mut scenario = fleet(1, 500, 6.0);
        scenario.span = 60 * DAY;
        scenario.outages = vec![Outage {
            of: Of::Ca,
            start: DAY,
            length: days * DAY,
        }];
        run(&scenario).lost
    });
    assert_eq!(lost[0], 0);
    assert!(lost[1] > 400, "{lost:?}");
}

#[test]
fn a_stolen_key_is_left_by_all_after_they_have_asked_and_spread_it() {
    let mut scenario = fleet(1, 2000, 10.0);
    scenario.capacity.requests.rate = 20.0;
    scenario.stolen_keys = vec![5 * DAY];
    let [half, nearly, all] = run(&scenario).stolen_keys[0].left_after.map(Option::unwrap);
    assert!(half < nearly && nearly <= all);
    assert!((6 * HOUR..10 * HOUR).contains(&half), "{half}");
    assert!((12 * HOUR..=18 * HOUR + 600).contains(&all), "{all}");
}

#[test]
fn what_cannot_be_says_what_to_write() {
    let said = |change: &dyn Fn(&mut Scenario)| {
        let mut scenario = fleet(1, 1000, 3.0);
        change(&mut scenario);
        scenario.checked().unwrap_err()
    };
    assert!(matches!(
        said(&|it| it.devices = 0),
        Error::OutOfRange { .. }
    ));
    assert!(matches!(
        said(&|it| it.window = (60, 50)),
        Error::Window { .. }
    ));
    assert!(matches!(
        said(&|it| it.capacity.requests.rate = 0.001),
        Error::RateTooLow { .. }
    ));
    assert!(matches!(
        said(&|it| it.certificates.life = 8 * DAY),
        Error::CertificateTooShort { .. }
    ));
    assert!(matches!(
        said(&|it| it.outages = vec![outage(Of::Site(2), 1)]),
        Error::NoSuchSite { .. }
    ));
    let late = |it: &mut Scenario| it.stolen_keys = vec![it.span];
    let error = said(&late).to_string();
    assert_eq!(
        error,
        "a theft of a key begins 1036800 s after the beginning, and the run has 1036800 s: begin it earlier, or simulate more days"
    );
}
