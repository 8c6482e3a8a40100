//! What grows with the number of devices: start-up, renewals, lists, searches, exports, verification of the audit log, and the memory
//! of the service, which runs in a process of its own.
//!
//! ```text
//! DC_SIGNER_TEST_POSTGRES=postgres://... cargo bench -p dc-benches --bench growth -- --most 10000000 --svg growth.svg
//! cargo bench -p dc-benches --bench growth -- --sqlite --most 100000
//! ```
//!
//! One database is filled to 1,000 devices, to 100,000, to a million and to ten, and looked at each time. Most devices are only known; those
//! that renew have keys. The machine is shared with the load.

#![expect(
    clippy::unwrap_used,
    reason = "as in tests, what cannot go on may stop"
)]

#[path = "../issuance/client.rs"]
mod client;
#[path = "../issuance/device.rs"]
mod device;
#[expect(dead_code, reason = "the load of the other benchmark uses the rest")]
#[path = "../issuance/load.rs"]
mod load;
mod look;
mod picture;
#[expect(dead_code, reason = "the load of the other benchmark uses the rest")]
#[path = "../issuance/service.rs"]
mod service;

use std::path::PathBuf;

use clap::Parser;
use look::Look;
use service::{Database, Prepared, What};

#[derive(Debug, Parser)]
#[command(about = "Fills a signer with devices and says what grows")]
struct Args {
    /// The most devices: of 1,000, 100,000, 1,000,000 and 10,000,000 as many as are not more
    #[arg(long, default_value_t = 100_000)]
    most: usize,
    /// Use SQLite instead of the PostgreSQL server of the environment variable DC_SIGNER_TEST_POSTGRES
    #[arg(long)]
    sqlite: bool,
    /// Draw it into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The name this program runs itself under
    #[arg(long, hide = true, requires = "config")]
    serve: Option<What>,
    #[arg(long, hide = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The argument Cargo gives to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    if let (Some(what), Some(config)) = (args.serve, &args.config) {
        return service::serve(what, config);
    }
    let database = match args.sqlite {
        true => Database::Sqlite,
        false => Database::from_environment(),
    };
    let renewing = device::make(RENEWING);
    let prepared = Prepared::new(&database, &renewing);
    println!("{database}, {RENEWING} of the devices renew");
    Look::print_head();
    let mut looks = Vec::new();
    let mut there = RENEWING;
    for size in SIZES.into_iter().filter(|size| *size <= args.most) {
        look::fill(&prepared.config(), there..size);
        there = size;
        let look = Look::take(&prepared, &renewing, size);
        look.print();
        looks.push(look);
    }
    if let Some(file) = args.svg {
        std::fs::write(file, picture::draw(&looks)).unwrap();
    }
}

const SIZES: [usize; 4] = [1000, 100_000, 1_000_000, 10_000_000];
/// Each of them no more than a few times.
const RENEWING: usize = 500;
