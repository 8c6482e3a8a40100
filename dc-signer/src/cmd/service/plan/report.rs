//! All that is shown of a run, as data: `--json` prints it as it is.

use std::time::Duration;

use dc_plan::{Cost, Counts, Exposure, Of, Outcome, Scenario, StolenKey, Trouble, WrongClient};
use dc_signer::config::PlanConfig;
use serde::Serialize;

/// A run. Times are seconds, moments are seconds from its beginning; docs/plan.md describes each field.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) scenario: Given,
    pub(super) fleet: Fleet,
    pub(super) troubles: Vec<Followed>,
    pub(super) stolen_keys: Vec<Left>,
    pub(super) signatures: Signatures,
    pub(super) certificates: Certificates,
    pub(super) exposure: Exposed,
    pub(super) wrong_clients: Vec<Refusing>,
    pub(super) space: Space,
    pub(super) parts: Parts,
}

#[derive(Debug, Serialize)]
pub(super) struct Given {
    pub(super) devices: u32,
    pub(super) run: u32,
    pub(super) seed: u64,
    pub(super) lifetime: u32,
    pub(super) sites: u32,
    /// Credentials a second that can be issued, and those that the fleet needs if nothing goes wrong.
    pub(super) rate: f64,
    pub(super) steady_rate: f64,
    /// Questions a second whether devices are to renew.
    pub(super) poll_rate: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Fleet {
    pub(super) issued: u64,
    pub(super) requests: u64,
    pub(super) requests_per_issuance: f64,
    pub(super) put_off: u64,
    pub(super) put_off_too_late: u64,
    pub(super) zone_not_ready: u64,
    pub(super) reset: u64,
    pub(super) unreachable: u64,
    pub(super) questions: u64,
    pub(super) lost: u32,
    pub(super) ended_without_power: u32,
    pub(super) seconds_without: u64,
    pub(super) most_issued_in_a_second: u32,
    pub(super) most_connections_in_a_second: u32,
}

/// An outage or a power cut that is over.
#[derive(Debug, Serialize)]
pub(super) struct Followed {
    pub(super) what: String,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) backlog: u32,
    pub(super) served_after: Option<u32>,
    pub(super) issued: u64,
    pub(super) requests_per_issuance: f64,
    pub(super) most_issued_in_a_second: u32,
    pub(super) most_connections_in_ten_minutes: u32,
    /// The same as a multiple of the issuances that there is capacity for.
    pub(super) peak: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Left {
    pub(super) found: u32,
    pub(super) half_after: Option<u32>,
    pub(super) most_after: Option<u32>,
    pub(super) all_after: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct Signatures {
    pub(super) can: f64,
    pub(super) most_in_a_second: u32,
    pub(super) headroom: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Certificates {
    pub(super) zones: u32,
    pub(super) lifetime: u32,
    pub(super) orders_in_the_run: u32,
    pub(super) orders_that_failed: u32,
    pub(super) a_year: f64,
    pub(super) requests_a_year: f64,
    pub(super) with_acme_a_year: f64,
    pub(super) requests_with_acme_a_year: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Exposed {
    pub(super) devices_stolen_a_year: f64,
    /// Of half of them, of 99 of 100, and the longest.
    pub(super) device_for: [f64; 3],
    pub(super) key_heard_after: f64,
    pub(super) key_left_after: f64,
    pub(super) key_ended_after: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Refusing {
    pub(super) ahead: f64,
    pub(super) refuses: f64,
}

/// Bytes, of SQLite and PostgreSQL.
#[derive(Debug, Serialize)]
pub(super) struct Space {
    pub(super) issued_a_year: f64,
    pub(super) registry: [f64; 2],
    pub(super) log_a_year: [f64; 2],
    pub(super) archives_a_year: f64,
    pub(super) compressed_archives_a_year: f64,
}

/// One number for each part of the run.
#[derive(Debug, Serialize)]
pub(super) struct Parts {
    pub(super) seconds: u32,
    pub(super) issued: Vec<u64>,
    pub(super) requests: Vec<u64>,
    pub(super) reset: Vec<u64>,
    pub(super) unreachable: Vec<u64>,
    pub(super) lost: Vec<u64>,
}

impl Report {
    pub(super) fn new(config: &PlanConfig, scenario: &Scenario, outcome: &Outcome) -> Self {
        let suspended_after = seconds(config.thefts.suspended_after);
        let exposure = Exposure::of(scenario, outcome, config.thefts.a_year, suspended_after);
        let troubles = outcome.troubles.iter();
        let clients = config.wrong_clients.iter();
        let ahead = clients.map(|client| {
            let time = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
            time(client.ahead) - time(client.behind)
        });
        Self {
            scenario: Given::new(scenario),
            fleet: Fleet::new(outcome),
            troubles: troubles
                .map(|trouble| Followed::new(scenario, trouble))
                .collect(),
            stolen_keys: outcome.stolen_keys.iter().map(Left::new).collect(),
            signatures: Signatures::new(scenario, outcome),
            certificates: Certificates::new(scenario, outcome),
            exposure: Exposed {
                devices_stolen_a_year: exposure.devices,
                device_for: exposure.device,
                key_heard_after: exposure.heard,
                key_left_after: exposure.renewed,
                key_ended_after: exposure.ended,
            },
            wrong_clients: ahead.map(|ahead| Refusing::new(scenario, ahead)).collect(),
            space: Space::new(scenario),
            parts: Parts::new(outcome),
        }
    }
}

impl Given {
    fn new(scenario: &Scenario) -> Self {
        Self {
            devices: scenario.devices,
            run: scenario.span,
            seed: scenario.seed,
            lifetime: scenario.lifetime,
            sites: scenario.capacity.sites,
            rate: scenario.capacity.rate(),
            steady_rate: scenario.steady_rate(),
            poll_rate: f64::from(scenario.devices) / f64::from(scenario.poll.max(1)),
        }
    }
}

impl Fleet {
    fn new(outcome: &Outcome) -> Self {
        let total = &outcome.total;
        Self {
            issued: total.issued,
            requests: total.requests,
            requests_per_issuance: total.each(),
            put_off: total.put_off,
            put_off_too_late: total.too_late,
            zone_not_ready: total.zone_not_ready,
            reset: total.reset,
            unreachable: total.unreachable,
            questions: total.questions,
            lost: outcome.lost,
            ended_without_power: outcome.ended_without_power,
            seconds_without: outcome.without,
            most_issued_in_a_second: outcome.most_issued,
            most_connections_in_a_second: outcome.most_came,
        }
    }
}

impl Followed {
    fn new(scenario: &Scenario, trouble: &Trouble) -> Self {
        let percent = |share: f64| format!("{} %", (share * 1000.0).round() / 10.0);
        let (what, start) = match scenario.outages.get(trouble.number) {
            Some(outage) => {
                let what = match outage.of {
                    Of::Signer(share) => format!("signer, for {}", percent(share)),
                    Of::Region(share) => format!("region of {}", percent(share)),
                    Of::Site(number) => format!("site {number}"),
                    Of::Ca => "CA".to_owned(),
                };
                (what, outage.start)
            }
            None => {
                let number = trouble.number - scenario.outages.len();
                let cut = scenario.power_cuts.get(number);
                let share = percent(cut.map_or(0.0, |cut| cut.share));
                (format!("power, of {share}"), cut.map_or(0, |cut| cut.start))
            }
        };
        Self {
            what,
            start,
            end: trouble.end,
            backlog: trouble.backlog,
            served_after: trouble.served.map(|served| served - trouble.end),
            issued: trouble.counts.issued,
            requests_per_issuance: trouble.counts.each(),
            most_issued_in_a_second: trouble.most_issued,
            most_connections_in_ten_minutes: trouble.most_came,
            peak: f64::from(trouble.most_came) / (600.0 * scenario.capacity.rate()),
        }
    }
}

impl Left {
    fn new(key: &StolenKey) -> Self {
        let [half_after, most_after, all_after] = key.left_after;
        Self {
            found: key.found,
            half_after,
            most_after,
            all_after,
        }
    }
}

impl Signatures {
    fn new(scenario: &Scenario, outcome: &Outcome) -> Self {
        let can = scenario.capacity.signature_rate * f64::from(scenario.capacity.sites);
        Self {
            can,
            most_in_a_second: outcome.most_issued,
            headroom: can / f64::from(outcome.most_issued.max(1)),
        }
    }
}

impl Certificates {
    fn new(scenario: &Scenario, outcome: &Outcome) -> Self {
        let cost = Cost::of(scenario);
        let (orders, failed) = outcome.orders;
        Self {
            zones: scenario.certificates.zones,
            lifetime: scenario.certificates.life,
            orders_in_the_run: orders,
            orders_that_failed: failed,
            a_year: cost.certificates,
            requests_a_year: Cost::requests(cost.certificates),
            with_acme_a_year: cost.certificates_of_devices,
            requests_with_acme_a_year: Cost::requests(cost.certificates_of_devices),
        }
    }
}

impl Refusing {
    fn new(scenario: &Scenario, ahead: f64) -> Self {
        let WrongClient { ahead, refuses } = WrongClient::of(scenario, ahead);
        Self { ahead, refuses }
    }
}

impl Space {
    fn new(scenario: &Scenario) -> Self {
        let cost = Cost::of(scenario);
        let [archives_a_year, compressed_archives_a_year] = cost.archives;
        Self {
            issued_a_year: cost.issued,
            registry: cost.registry,
            log_a_year: cost.log,
            archives_a_year,
            compressed_archives_a_year,
        }
    }
}

impl Parts {
    fn new(outcome: &Outcome) -> Self {
        let all = |of: fn(&Counts) -> u64| outcome.parts.iter().map(of).collect();
        Self {
            seconds: outcome.part,
            issued: all(|counts| counts.issued),
            requests: all(|counts| counts.requests),
            reset: all(|counts| counts.reset),
            unreachable: all(|counts| counts.unreachable),
            lost: all(|counts| counts.lost),
        }
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
