//! The same outage in the plan and in the simulation of `dc-admission`, whose devices and service `cargo bench -p dc-benches --bench overload`
//! has with real connections: what one says, the other has to say as well.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

#[expect(dead_code, reason = "admission by chance uses the rest")]
#[path = "../../../admission/tests/outage/fleet.rs"]
mod fleet;
#[path = "../../../admission/tests/outage/outcome.rs"]
mod outcome;
#[path = "../../../admission/tests/outage/service.rs"]
mod service;

use std::time::Duration;

use dc_admission::{AdmissionLimits, QueueLimits};
use dc_plan::{Capacity, Certificates, Of, Outage, Scenario, simulate};

use fleet::Fleet;
use outcome::{CYCLE, LIFE, OUTAGE, Outcome, count};

/// What is compared of a run.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    /// Requests for each issuance until the backlog is served.
    each: f64,
    /// Issued until then.
    issued: f64,
    /// After how many seconds that is.
    over: f64,
    /// The most connections in ten minutes, as a multiple of those that could be served.
    peak: f64,
    lost: f64,
}

/// As the other simulation has it, with as many handshakes for each issuance that there is capacity for.
fn planned(devices: u32, capacity: f64, handshakes: u32) -> Numbers {
    let rate = capacity * f64::from(devices) / CYCLE;
    let each = Duration::from_secs_f64(1.0 / rate);
    let requests = AdmissionLimits {
        rate,
        at_once: 16,
        waiting: 32,
        wait: each * 16,
        operators: 2,
        operator_wait: each,
    };
    let queue = QueueLimits {
        inside: 1,
        waiting: 64,
        patience: each * 8,
        grace: each,
    };
    plan(devices, requests, queue, each / handshakes)
}

fn plan(
    devices: u32,
    requests: AdmissionLimits,
    handshakes: QueueLimits,
    handshake: Duration,
) -> Numbers {
    let start = 2 * DAY;
    let capacity = Capacity {
        sites: 1,
        requests,
        handshakes,
        handshake,
        handshake_rate: 1.0 / handshake.as_secs_f64() * handshakes.inside as f64,
        answer: handshake,
        signature_rate: 1_000_000.0,
    };
    let scenario = Scenario {
        seed: 1,
        devices,
        span: start + seconds(OUTAGE + LIFE),
        lifetime: seconds(LIFE),
        window: (40, 55),
        // There nobody asks for anything but credentials.
        poll: u32::MAX,
        spread: 0,
        start_delay: 300,
        capacity,
        certificates: Certificates {
            zones: 1,
            life: 398 * DAY,
            order_after: 262 * DAY,
            spread: DAY,
            soak: 2 * DAY,
            min_left: 8 * DAY,
        },
        outages: vec![Outage {
            of: Of::Signer(1.0),
            start,
            length: seconds(OUTAGE),
        }],
        power_cuts: Vec::new(),
        stolen_keys: Vec::new(),
    };
    let outcome = simulate(&scenario.checked().unwrap(), &|_, _| DAY, &mut |_| {});
    let trouble = outcome.troubles[0];
    Numbers {
        each: trouble.counts.each(),
        issued: trouble.counts.issued as f64,
        over: f64::from(trouble.served.unwrap() - trouble.end),
        peak: f64::from(trouble.most_came) / (600.0 * requests.rate),
        lost: f64::from(outcome.lost),
    }
}

fn simulated(devices: usize, capacity: f64, handshakes: u32) -> Numbers {
    let rate = capacity * count(devices) / CYCLE;
    let outcome: Outcome =
        service::Service::new(rate, handshakes).run(Fleet::after_outage(devices, OUTAGE));
    println!("{}", outcome.line("simulated", devices, capacity));
    let (issued, requests) = outcome.backlog;
    Numbers {
        each: count(requests) / count(issued),
        issued: count(issued),
        over: outcome.over as f64,
        peak: outcome.peak,
        lost: count(outcome.lost),
    }
}

fn agree(one: Numbers, other: Numbers) {
    println!("{one:?}\n{other:?}");
    let pairs = [
        ("requests an issuance", one.each, other.each),
        ("issued", one.issued, other.issued),
        ("seconds to the last device", one.over, other.over),
        ("peak", one.peak, other.peak),
    ];
    for (what, one, other) in pairs {
        assert!(
            (one / other - 1.0).abs() <= 0.05,
            "{what}: {one} and {other}"
        );
    }
    assert_eq!(one.lost, other.lost);
}

#[test]
fn a_third_of_the_capacity_needed_gives_what_the_other_simulation_gives() {
    agree(planned(10_000, 18.0, 5), simulated(10_000, 18.0, 5));
}

#[test]
fn three_times_the_steady_rate_give_what_the_other_simulation_gives() {
    agree(planned(10_000, 3.0, 25), simulated(10_000, 3.0, 25));
}

/// `cargo bench -p dc-benches --bench overload -- --devices 10000 --capacity 18 --faster 100 --hours 22` said, with real connections over
/// loopback on two cores with other work: "peak 3.0 × capacity: lost 0 of 10000, 1.45 requests an issuance, 1.46 until the backlog is
/// served after 6 h, 0 resets; 10000 issued, 14497 requests". The listener's limits are the service's own, in a world that is a hundred
/// times as fast.
#[test]
fn ten_thousand_real_connections_took_what_is_planned() {
    let faster = 100;
    let rate = 18.0 * 10_000.0 / CYCLE;
    let requests = AdmissionLimits {
        rate,
        at_once: 64,
        waiting: 256,
        wait: Duration::from_millis(500) * faster,
        operators: 2,
        operator_wait: Duration::from_secs(10),
    };
    let handshakes = QueueLimits {
        inside: 512,
        waiting: 2000,
        patience: Duration::from_secs(10) * faster,
        grace: Duration::from_secs(1) * faster,
    };
    let planned = plan(
        10_000,
        requests,
        handshakes,
        Duration::from_millis(5) * faster,
    );
    println!("{planned:?}");
    for (what, planned, real) in [
        ("requests an issuance", planned.each, 1.46),
        ("peak", planned.peak, 3.0),
    ] {
        assert!(
            (planned / real - 1.0).abs() <= 0.05,
            "{what}: {planned} and {real}"
        );
    }
    assert!((6.0..7.0).contains(&(planned.over / 3600.0)), "{planned:?}");
    assert_eq!(planned.lost, 0.0);
}

fn seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap()
}

const DAY: u32 = 86_400;
