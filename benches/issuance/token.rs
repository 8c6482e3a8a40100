//! Issuances from a delegation key in a file and from one in a SoftHSM, in turns.

use std::time::Duration;

use crate::device::{self, Device};
use crate::load::{self, Load};
use crate::report::{ms, percentile};
use crate::service::{Database, Prepared, Running, What};

/// Loads a service with each, four times for so many seconds in all, and prints both and their ratios.
pub(crate) fn compare(
    file: Prepared,
    database: &Database,
    devices: &[Device],
    clients: usize,
    seconds: u64,
) {
    // Devices of its own: what one service has issued, another one takes for a copy's.
    let others = device::make(devices.len());
    let Some(token) = Prepared::new(database, &others).with_token() else {
        return;
    };
    let turn = Duration::from_secs(seconds).div_f64(f64::from(TURNS));
    let running = [&file, &token].map(|prepared| Running::start(What::Everything, prepared));
    let mut loads = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        let each = running.iter().zip([devices, &others]).zip(&mut loads);
        for ((running, devices), loads) in each {
            loads.push(load::run(running, devices, load::renew, clients, turn));
        }
    }
    let [file, token] = loads.map(|loads| Sum::of(&loads));
    for (name, sum) in [("key in a file", &file), ("key in a SoftHSM", &token)] {
        println!(
            "{name:18} {:>6.0} issued a second, p50 {:.1} ms, p99 {:.1} ms, server {:.0} µs each, failed {}",
            sum.rate,
            sum.half,
            sum.most,
            sum.server,
            sum.failures.len()
        );
        if let Some(why) = sum.failures.first() {
            println!("{:18} {why}", "");
        }
    }
    println!(
        "SoftHSM / file: rate {:.2}, p50 {:.2}, p99 {:.2}, server's processor time {:.2}",
        token.rate / file.rate,
        token.half / file.half,
        token.most / file.most,
        token.server / file.server
    );
}

/// All turns of one together: a second, milliseconds, microseconds.
struct Sum {
    rate: f64,
    half: f64,
    most: f64,
    server: f64,
    failures: Vec<String>,
}

impl Sum {
    fn of(loads: &[Load]) -> Self {
        let mut latencies: Vec<_> = loads
            .iter()
            .flat_map(|load| load.latencies.clone())
            .collect();
        latencies.sort_unstable();
        let count = latencies.len() as f64;
        let sum = |time: fn(&Load) -> Duration| loads.iter().map(time).sum::<Duration>();
        Self {
            rate: count / sum(|load| load.elapsed).as_secs_f64(),
            half: ms(percentile(&latencies, 50)),
            most: ms(percentile(&latencies, 99)),
            server: ms(sum(|load| load.server)) * 1e3 / count,
            failures: loads
                .iter()
                .flat_map(|load| load.failures.clone())
                .collect(),
        }
    }
}

const TURNS: u32 = 4;
