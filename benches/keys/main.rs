//! How many signatures a second each kind of place of a delegation key gives, and how long one takes: a PEM file and an encrypted one
//! against ring alone, and a SoftHSM against its module alone; with one thread and with several, on an idle machine and on a busy one.
//!
//! A key and what it is held against take turns of a tenth of a second, so that whatever else the machine does hits both; the ratios
//! say more than the rates.
//!
//! ```text
//! cargo bench -p dc-benches --bench keys
//! cargo bench -p dc-benches --bench keys -- --seconds 5 --threads 1,2,8
//! ```

// A benchmark that cannot be set up should stop.
#![allow(clippy::unwrap_used)]

mod keys;
mod load;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use apparatus::SoftHsm;
use clap::Parser;

use keys::Keys;
use load::Busy;

#[derive(Debug, Parser)]
#[command(about = "Compares the places of delegation keys")]
struct Args {
    /// How long each key signs with each number of threads, in seconds
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// How many threads sign at the same time
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 8])]
    threads: Vec<usize>,
    /// The folder of the SoftHSM whose settings are in the environment: the program runs itself with it
    #[arg(long, hide = true)]
    hsm: Option<PathBuf>,
    /// The argument Cargo gives to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
    /// `cargo test --benches` only wants to know whether it runs
    #[arg(long, hide = true)]
    test: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(folder) = &args.hsm else {
        return with_hsm();
    };
    let keys = Keys::prepare(folder);
    let time = match args.test {
        true => Duration::from_millis(300),
        false => Duration::from_secs(args.seconds),
    };
    println!(
        "{:18} {:>7} {:>5} {:>10} {:>8} {:>8} | to it alone: {:>6} {:>6} {:>6}",
        "key", "threads", "load", "sign./s", "p50 µs", "p99 µs", "rate", "p50", "p99"
    );
    for is_busy in [false, true] {
        let busy = is_busy.then(Busy::start);
        for threads in &args.threads {
            for (name, ours, alone) in keys.pairs() {
                let [ours, alone] = load::compare([ours, alone], *threads, time);
                println!(
                    "{name:18} {threads:>7} {:>5} {:>10.0} {:>8.1} {:>8.1} | {:>20.2} {:>6.2} {:>6.2}",
                    if is_busy { "busy" } else { "idle" },
                    ours.rate(),
                    ours.at(50),
                    ours.at(99),
                    ours.rate() / alone.rate(),
                    ours.at(50) / alone.at(50),
                    ours.at(99) / alone.at(99),
                );
            }
        }
        drop(busy);
    }
    ExitCode::SUCCESS
}

/// Runs this program again with a SoftHSM: its module reads the place of its tokens from the environment.
fn with_hsm() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let Some(hsm) = SoftHsm::new(folder.path()) else {
        return ExitCode::SUCCESS;
    };
    let status = Command::new(std::env::current_exe().unwrap())
        .args(std::env::args_os().skip(1))
        .arg("--hsm")
        .arg(folder.path())
        .env(SoftHsm::VARIABLE, hsm.settings())
        .status()
        .unwrap();
    match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
