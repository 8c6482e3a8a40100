//! A fleet after an outage, over loopback: real connections and handshakes to the service's listener, and its admission, in a world in which
//! time passes faster. Certificates are light: all devices share one, and what is issued is one signature.
//!
//! `cargo bench -p dc-benches --bench overload -- --devices 10000 --capacity 18 --faster 400 --hours 30`

#![expect(
    clippy::unwrap_used,
    reason = "as in tests, what cannot go on may stop"
)]

#[expect(dead_code, reason = "the load of the other benchmark uses the rest")]
#[path = "../issuance/client.rs"]
mod client;
mod devices;
#[expect(dead_code, reason = "the simulation of the same fleet uses the rest")]
#[path = "../../dc-signer/admission/tests/outage/fleet.rs"]
mod fleet;
#[path = "../../dc-signer/admission/tests/outage/outcome.rs"]
mod outcome;
mod service;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use tokio::time::Instant;

use fleet::{Fleet, START};
use outcome::{CYCLE, HOUR, LIFE, OUTAGE, Outcome, count};

/// What is tried.
#[derive(Clone, Copy, Debug, Parser)]
struct Arguments {
    /// Devices, each with an address of its own.
    #[arg(long, default_value_t = 10_000)]
    devices: usize,
    /// The capacity, as a multiple of what they need when nothing is wrong: they ask for 54 times that after the outage.
    #[arg(long, default_value_t = 18.0)]
    capacity: f64,
    /// Seconds that pass in one.
    #[arg(long, default_value_t = 400)]
    faster: u32,
    /// Hours after the outage.
    #[arg(long, default_value_t = 30)]
    hours: u64,
    /// Cargo gives it to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The world of the devices, which service and devices share.
#[derive(Debug)]
struct World {
    fleet: Mutex<Fleet>,
    began: Instant,
    faster: u32,
}

impl World {
    /// Seconds since 1970.
    fn now(&self) -> u64 {
        START + (self.began.elapsed() * self.faster).as_secs()
    }

    async fn until(&self, at: u64) {
        let at = Duration::from_secs(at.saturating_sub(START));
        tokio::time::sleep_until(self.began + at / self.faster).await;
    }

    fn with<T>(&self, act: impl FnOnce(&mut Fleet) -> T) -> T {
        act(&mut self.fleet.lock().unwrap())
    }
}

fn main() {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(arguments));
}

async fn run(arguments: Arguments) {
    let Arguments {
        devices,
        capacity,
        faster,
        hours,
        ..
    } = arguments;
    let rate = capacity * count(devices) / CYCLE;
    let world = Arc::new(World {
        fleet: Mutex::new(Fleet::after_outage(devices, OUTAGE)),
        began: Instant::now(),
        faster,
    });
    let (address, metrics) = service::start(world.clone(), rate).await;
    let end = START + hours * HOUR;
    devices::run(world.clone(), address, end).await;
    let fleet = world.with(|fleet| std::mem::replace(fleet, Fleet::after_outage(0, OUTAGE)));
    let outcome: Outcome = fleet.end(rate, end);
    let handshakes = count(outcome.requests + outcome.reset);
    println!("{}", outcome.line("service", devices, capacity));
    println!(
        "{} issued, {} requests, {} resets; {:.0} handshakes a second on average, {:.0} issuances a second at most",
        outcome.issued,
        outcome.requests,
        outcome.reset,
        handshakes / world.began.elapsed().as_secs_f64(),
        rate * f64::from(faster)
    );
    for line in metrics.encode().lines() {
        let is_told = [
            "dc_shed",
            "dc_handshakes_total",
            "dc_admission_wait_seconds_sum",
        ];
        if is_told.iter().any(|name| line.starts_with(name)) {
            println!("{line}");
        }
    }
    assert_eq!(outcome.lost, 0, "a credential ended");
    assert!(outcome.each() <= 1.5, "too many requests");
}
