//! The consequences for a year: CAs, space, and thefts.

use crate::outcome::Outcome;
use crate::scenario::Scenario;

/// The cost of a fleet. Numbers are of a year, unless they say something else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Credentials.
    pub issued: f64,
    /// Questions whether devices are to renew.
    pub polls: f64,
    /// Certificates from a CA, for the zones.
    pub certificates: f64,
    /// Certificates from a CA if each device had one of its own that lives for 47 days.
    pub certificates_of_devices: f64,
    /// Bytes of the database that do not grow any more: devices, names, and credentials of the last 30 days. SQLite, PostgreSQL.
    pub registry: [f64; 2],
    /// Bytes that the audit log grows by. SQLite, PostgreSQL.
    pub log: [f64; 2],
    /// Bytes of a year's log in archives, as they are written and compressed.
    pub archives: [f64; 2],
}

impl Cost {
    /// Of a fleet in which nothing goes wrong.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let devices = f64::from(scenario.devices);
        let issued = scenario.steady_rate() * YEAR;
        let plan = &scenario.certificates;
        let each = f64::from(plan.order_after) + f64::from(plan.spread) / 4.0;
        let month = scenario.steady_rate() * HISTORY;
        let both = |sqlite: f64, postgres: f64| [sqlite, postgres];
        let [of_device, of_issue, of_record] =
            [both(682.0, 1083.0), both(212.0, 276.0), both(205.0, 279.0)];
        let registry = |at: usize| devices * of_device[at] + month * of_issue[at];
        Self {
            issued,
            polls: devices * YEAR / f64::from(scenario.poll.max(1)),
            certificates: f64::from(plan.zones) * YEAR / each,
            certificates_of_devices: devices * YEAR / PUBLIC_CYCLE,
            registry: [registry(0), registry(1)],
            log: of_record.map(|bytes| issued * bytes),
            archives: [430.0, 133.0].map(|bytes| issued * bytes),
        }
    }

    /// Requests to CAs, for so many certificates.
    #[must_use]
    pub fn requests(certificates: f64) -> f64 {
        certificates * REQUESTS
    }
}

/// How long somebody gets something out of a theft, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Devices that are stolen in a year.
    pub devices: f64,
    /// From the theft of a device until its credential has ended: the half of the thieves have less than the first, 1 % more than the
    /// second, and nobody more than the third.
    pub device: [f64; 3],
    /// From the moment at which the theft of a key is found until the last device has heard of it, if all is well.
    pub heard: f64,
    /// Until the last device has renewed.
    pub renewed: f64,
    /// Until nothing that was issued with it is valid any more.
    pub ended: f64,
}

impl Exposure {
    /// With so many thefts a year, as a part of the fleet, and the time until a device is suspended.
    #[must_use]
    pub fn of(scenario: &Scenario, outcome: &Outcome, a_year: f64, suspended_after: u32) -> Self {
        let heard = f64::from(scenario.poll) * 7.0 / 6.0;
        let devices = f64::from(scenario.devices);
        // What is free beside the renewals that come anyway.
        let free = (scenario.capacity.rate() - scenario.steady_rate()).max(f64::MIN_POSITIVE);
        let served = (devices / free).max(f64::from(scenario.spread));
        Self {
            devices: devices * a_year,
            // Until then the thief renews as the owner would.
            device: outcome
                .left
                .map(|left| f64::from(suspended_after) + f64::from(left)),
            heard,
            renewed: heard + served,
            ended: f64::from(scenario.lifetime),
        }
    }
}

/// How well clients whose clock is wrong get on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WrongClient {
    /// The seconds by which the clock is ahead; less than none, behind.
    pub ahead: f64,
    /// The part of the time in which it refuses a device that renews in the middle of the window.
    pub refuses: f64,
}

impl WrongClient {
    /// With a clock that is so many seconds ahead, or behind if that is less than none.
    #[must_use]
    pub fn of(scenario: &Scenario, ahead: f64) -> Self {
        let (life, cycle) = (f64::from(scenario.lifetime), scenario.cycle());
        // RFC 9345 §4.1.3: not more than seven days ahead by the client's clock, and not past its end.
        let too_early = (-ahead - (LONGEST - life)).clamp(0.0, cycle);
        let too_late = (cycle + ahead - life).clamp(0.0, cycle);
        Self {
            ahead,
            refuses: too_early.max(too_late) / cycle,
        }
    }
}

const YEAR: f64 = 365.0 * 86_400.0;
/// How long it is kept who got what, rounded up to weeks as the service does.
const HISTORY: f64 = 35.0 * 86_400.0;
const LONGEST: f64 = 7.0 * 86_400.0;
/// From one certificate of 47 days to the next, after two thirds of it: 11.65 a year, as docs/solutions.md has measured.
const PUBLIC_CYCLE: f64 = 47.0 * 86_400.0 * 2.0 / 3.0;
/// Of a CA for one certificate with ACME, as docs/solutions.md has measured.
const REQUESTS: f64 = 7.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::tests::small;

    #[test]
    fn ten_million_devices_make_a_log_of_195_gb_a_year_and_116_million_certificates_with_acme() {
        let mut scenario = small();
        scenario.devices = 10_000_000;
        let cost = Cost::of(&scenario);
        // docs/audit.md says 95 credentials a device at 92 hours each; the middle of the window is at 78.
        let each = cost.issued / 1e7;
        assert!((112.0..113.0).contains(&each), "{each}");
        assert!((cost.log[0] / each / 1e7 - 205.0).abs() < 0.001);
        assert!((116e6..117e6).contains(&cost.certificates_of_devices));
        assert!(cost.certificates < 17.0);
    }

    #[test]
    fn a_client_is_four_hours_behind_before_it_refuses_anything_and_half_a_life_ahead() {
        let hours = |ahead: f64| WrongClient::of(&small(), ahead * 3600.0).refuses;
        assert_eq!([hours(0.0), hours(-4.0), hours(80.0)], [0.0; 3]);
        assert!(hours(-5.0) > 0.0 && hours(-5.0) < 0.02);
        assert!(hours(90.0) > 0.0);
        assert_eq!(hours(-1000.0), 1.0);
    }
}
