//! A fleet on virtual time, after an outage: the schedule of `dc-agent` and the admission of this package, as they are.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

mod fleet;
mod outcome;
mod random;
mod service;

use fleet::Fleet;
use outcome::{CYCLE, LIFE, OUTAGE, Outcome, count};
use service::Service;

/// The way to admit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Admits {
    /// As the service does, with so many handshakes for each issuance that there is capacity for.
    Service { handshakes: u32 },
    /// Whoever comes when there is capacity, and the others are told to come again after a minute, or as they like.
    Random { retry_after: Option<u64> },
}

/// A run of one life of a credential after the outage, so that a device that is not served in it is lost.
fn run(devices: usize, capacity: f64, admits: Admits) -> Outcome {
    let rate = capacity * count(devices) / CYCLE;
    let fleet = Fleet::after_outage(devices, OUTAGE);
    let outcome = match admits {
        Admits::Random { retry_after } => random::run(fleet, rate, retry_after),
        Admits::Service { handshakes } => Service::new(rate, handshakes).run(fleet),
    };
    println!(
        "{}",
        outcome.line(&format!("{admits:?}"), devices, capacity)
    );
    outcome
}

const DEVICES: usize = 10_000;
const AS_THEY_LIKE: Admits = Admits::Random { retry_after: None };
const EACH_MINUTE: Admits = Admits::Random {
    retry_after: Some(60),
};

#[test]
fn at_a_third_of_the_capacity_needed_nobody_is_lost_at_one_and_a_half_requests_an_issuance() {
    const THIRD: f64 = 18.0;
    let service = run(DEVICES, THIRD, Admits::Service { handshakes: 5 });
    assert!(service.peak >= 3.0, "{service:?}");
    assert_eq!((service.lost, service.reset), (0, 0), "{service:?}");
    assert!(service.each() <= 1.5, "{service:?}");
    let (issued, requests) = service.backlog;
    assert!(2 * requests <= 3 * issued, "{service:?}");
    let random = run(DEVICES, THIRD, AS_THEY_LIKE);
    assert!(random.each() > service.each(), "{random:?}");
    let random = run(DEVICES, THIRD, EACH_MINUTE);
    assert!(random.each() > 10.0 * service.each(), "{random:?}");
}

#[test]
fn with_three_times_the_steady_rate_nobody_is_lost_and_random_admission_loses_many() {
    let service = run(DEVICES, 3.0, Admits::Service { handshakes: 25 });
    assert_eq!((service.lost, service.reset), (0, 0), "{service:?}");
    assert!(service.each() <= 1.5, "{service:?}");
    let random = run(DEVICES, 3.0, EACH_MINUTE);
    assert!(random.lost > DEVICES / 100, "{random:?}");
    assert!(random.each() > 2.0 * service.each(), "{random:?}");
}

#[test]
fn where_even_handshakes_are_too_many_few_are_lost() {
    let service = run(DEVICES, 3.0, Admits::Service { handshakes: 5 });
    assert!(service.reset > DEVICES / 2, "{service:?}");
    assert!(service.lost <= DEVICES / 1000, "{service:?}");
    let random = run(DEVICES, 3.0, AS_THEY_LIKE);
    assert!(random.lost > 2 * service.lost, "{random:?}");
}

#[test]
fn the_same_fleet_has_the_same_outcome() {
    let [one, other] = [(); 2].map(|()| run(2_000, 3.0, Admits::Service { handshakes: 5 }));
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}
