//! Outcomes that stay what they were, to the last second: whatever makes a run faster changes none of them.

use std::time::Duration;

use dc_plan::{Of, Outage, Outcome, PowerCut, Scenario};

use crate::given::{DAY, HOUR, fleet, outage, run};

/// The counts that one looks at first, and a sum over everything that a run says.
#[derive(Debug, Eq, PartialEq)]
struct Figures {
    issued: u64,
    requests: u64,
    reset: u64,
    unreachable: u64,
    questions: u64,
    lost: u32,
    all: u64,
}

fn figures(outcome: &Outcome) -> Figures {
    let total = outcome.total;
    Figures {
        issued: total.issued,
        requests: total.requests,
        reset: total.reset,
        unreachable: total.unreachable,
        questions: total.questions,
        lost: outcome.lost,
        all: fnv(&format!("{outcome:?}")),
    }
}

/// FNV-1a.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[track_caller]
fn stays(scenario: &Scenario, was: Figures) {
    assert_eq!(figures(&run(scenario)), was);
}

const fn was(counts: [u64; 5], lost: u32, all: u64) -> Figures {
    let [issued, requests, reset, unreachable, questions] = counts;
    Figures {
        issued,
        requests,
        reset,
        unreachable,
        questions,
        lost,
        all,
    }
}

/// The power is back: all come within five minutes, and most ask what time it is as well.
fn power_cut(share: f64) -> PowerCut {
    PowerCut {
        share,
        start: 4 * DAY,
        length: 30 * HOUR,
        wrong_clocks: 0.3,
    }
}

#[test]
fn three_days_without_the_signer() {
    let mut scenario = fleet(1, 10_000, 18.0);
    scenario.outages = vec![outage(Of::Signer(1.0), 72)];
    stays(
        &scenario,
        was([30_106, 35_295, 0, 224_975, 0], 0, 0x21a3_0569_4cd0_4942),
    );
}

/// As many come in a second as ten million devices do, so that some seconds are calm, some are not, and most are in between.
#[test]
fn a_site_that_is_never_empty() {
    let mut scenario = fleet(2, 20_000, 18.0);
    scenario.lifetime = HOUR;
    scenario.span = 6 * HOUR;
    scenario.capacity.requests.rate = 1.3 * scenario.steady_rate();
    scenario.capacity.requests.at_once = 24;
    scenario.outages = vec![Outage {
        of: Of::Signer(0.8),
        start: HOUR,
        length: HOUR,
    }];
    stays(
        &scenario,
        was(
            [220_509, 223_504, 0, 176_395, 0],
            16_085,
            0x02d2_4cb9_2a99_3231,
        ),
    );
}

#[test]
fn few_places_for_handshakes_after_a_power_cut() {
    let mut scenario = fleet(3, 10_000, 6.0);
    scenario.capacity.handshakes.inside = 3;
    scenario.capacity.handshakes.waiting = 40;
    scenario.capacity.handshakes.patience = Duration::from_secs(4);
    scenario.capacity.handshake = Duration::from_millis(1500);
    scenario.power_cuts = vec![power_cut(0.9)];
    scenario.outages = vec![outage(Of::Signer(0.5), 60)];
    stays(
        &scenario,
        was(
            [33_840, 42_419, 6_275, 45_380, 101_075],
            0,
            0xc4d5_639d_13ca_8a24,
        ),
    );
}

#[test]
fn processors_and_a_key_that_are_slow() {
    let mut scenario = fleet(4, 10_000, 3.0);
    scenario.capacity.handshake_rate = 5.0;
    scenario.capacity.signature_rate = 0.4;
    scenario.capacity.handshakes.inside = 20;
    scenario.capacity.requests.at_once = 8;
    scenario.capacity.requests.waiting = 10;
    scenario.power_cuts = vec![power_cut(0.5)];
    scenario.outages = vec![outage(Of::Signer(1.0), 50)];
    stays(
        &scenario,
        was(
            [31_989, 49_070, 5_183, 74_234, 19_443],
            0,
            0xc06e_8400_439f_dc98,
        ),
    );
}

#[test]
fn three_sites_of_which_one_is_down_while_a_region_is_cut_off() {
    let mut scenario = fleet(5, 6_000, 2.0);
    scenario.capacity.sites = 3;
    scenario.outages = vec![
        outage(Of::Site(2), 100),
        outage(Of::Region(0.4), 150),
        outage(Of::Signer(0.1), 200),
    ];
    stays(
        &scenario,
        was(
            [17_319, 22_762, 0, 715_594, 0],
            2_400,
            0x2089_c844_9add_c7e5,
        ),
    );
}

#[test]
fn a_ca_that_is_away_and_two_stolen_keys() {
    let mut scenario = fleet(6, 1_000, 20.0);
    scenario.span = 60 * DAY;
    scenario.outages = vec![
        Outage {
            of: Of::Ca,
            start: DAY,
            length: 40 * DAY,
        },
        outage(Of::Signer(0.5), 24),
    ];
    scenario.stolen_keys = vec![4 * DAY, 4 * DAY + 5 * HOUR, 50 * DAY];
    stays(
        &scenario,
        was([13_832, 252_238, 0, 1_678, 0], 1_000, 0x3261_f103_7510_8ace),
    );
}

#[test]
fn one_device_alone() {
    let mut scenario = fleet(7, 1, 100.0);
    scenario.outages = vec![outage(Of::Signer(1.0), 200)];
    stays(&scenario, was([2, 2, 0, 274, 0], 1, 0xa3cc_334f_a461_26b2));
}
