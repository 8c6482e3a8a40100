//! Fleets, what goes wrong with them, and what becomes of them.

use std::time::Duration;

use dc_admission::{AdmissionLimits, QueueLimits};
use dc_plan::{Capacity, Certificates, Of, Outage, Outcome, Scenario, simulate};

pub(crate) const HOUR: u32 = 3600;
pub(crate) const DAY: u32 = 24 * HOUR;

/// A fleet with so many times the capacity that it needs if nothing goes wrong.
pub(crate) fn fleet(seed: u64, devices: u32, times: f64) -> Scenario {
    let mut scenario = Scenario {
        seed,
        devices,
        span: 12 * DAY,
        lifetime: 164 * HOUR,
        window: (40, 55),
        poll: 12 * HOUR,
        spread: 6 * HOUR,
        start_delay: 300,
        capacity: Capacity {
            sites: 1,
            requests: AdmissionLimits {
                rate: 1.0,
                at_once: 256,
                waiting: 1000,
                wait: Duration::from_secs(2),
                operators: 8,
                operator_wait: Duration::from_secs(10),
            },
            handshakes: QueueLimits {
                inside: 512,
                waiting: 2000,
                patience: Duration::from_secs(10),
                grace: Duration::from_secs(1),
            },
            handshake: Duration::from_millis(100),
            handshake_rate: 4000.0,
            answer: Duration::from_millis(20),
            signature_rate: 10_000.0,
        },
        certificates: Certificates {
            zones: 3,
            life: 47 * DAY,
            order_after: 22 * DAY,
            spread: DAY,
            soak: 2 * DAY,
            min_left: 8 * DAY,
        },
        outages: Vec::new(),
        power_cuts: Vec::new(),
        stolen_keys: Vec::new(),
    };
    scenario.capacity.requests.rate = times * scenario.steady_rate();
    scenario
}

pub(crate) fn outage(of: Of, hours: u32) -> Outage {
    Outage {
        of,
        start: 3 * DAY,
        length: hours * HOUR,
    }
}

pub(crate) fn run(scenario: &Scenario) -> Outcome {
    simulate(
        &scenario.clone().checked().unwrap(),
        &|_, _| HOUR,
        &mut |_| {},
    )
}
