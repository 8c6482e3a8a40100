//! How many credentials a second the signer issues, durably, and what one costs the server.
//!
//! Devices renew over real mTLS, each with a new handshake, against the service in a process of its own, on one
//! machine. The service's processor time for one issuance is set beside the sum of what it is made of: the server's
//! half of the handshake, the verification of the request's signature, the signature, the verification of the
//! result, and a durable commit. What a handshake costs is seen from a server that does nothing else, with the same
//! clients. The load shares the machine, so the processor time says more than the rate.
//!
//! ```text
//! cargo bench -p dc-benches --bench issuance -- --seconds 20 --clients 128
//! cargo bench -p dc-benches --bench issuance -- --token --clients 32
//! DC_SIGNER_TEST_POSTGRES=postgres://... cargo bench -p dc-benches --bench issuance -- --postgres
//! ```

mod client;
mod device;
mod load;
mod parts;
mod report;
mod service;
mod token;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use service::{Database, Prepared, Running, What};

#[derive(Debug, Parser)]
#[command(about = "Loads the signer with renewals and says what one costs")]
struct Args {
    /// How long to load it, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How many devices connect at the same time
    #[arg(long, default_value_t = 128)]
    clients: usize,
    /// How many devices there are; each renews a few times, so that limits per device are not what is measured
    #[arg(long, default_value_t = 4000)]
    devices: usize,
    /// Use the PostgreSQL server of the environment variable DC_SIGNER_TEST_POSTGRES instead of SQLite
    #[arg(long)]
    postgres: bool,
    /// Only compare a delegation key in a file with one in a SoftHSM, in turns
    #[arg(long)]
    token: bool,
    /// The name this program runs itself under
    #[arg(long, hide = true, requires = "config")]
    serve: Option<What>,
    #[arg(long, hide = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The argument Cargo gives to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
    /// `cargo test --benches` only wants to know whether it runs
    #[arg(long, hide = true)]
    test: bool,
}

fn main() {
    let args = Args::parse();
    if let (Some(what), Some(config)) = (args.serve, &args.config) {
        return service::serve(what, config);
    }
    let (seconds, devices) = match args.test {
        true => (1, 50),
        false => (args.seconds, args.devices),
    };
    let database = match args.postgres {
        true => Database::from_environment(),
        false => Database::Sqlite,
    };
    eprintln!("making keys and requests of {devices} devices");
    let devices = device::make(devices);
    let prepared = Prepared::new(&database, &devices);
    if args.token {
        return token::compare(prepared, &database, &devices, args.clients, seconds);
    }
    let run = |what, visit| {
        let running = Running::start(what, &prepared);
        let time = Duration::from_secs(seconds);
        load::run(&running, &devices, visit, args.clients, time)
    };
    eprintln!("loading the signer for {seconds} s");
    let load = run(What::Everything, load::renew);
    eprintln!("loading a server that only shakes hands for {seconds} s");
    let handshakes = run(What::Handshakes, load::shake_hands);
    let parts = parts::measure(
        &prepared.config(),
        &devices[0].client,
        handshakes.server_each(),
        args.clients,
        args.test,
    );
    let report = report::Report {
        database: &database,
        load: &load,
        parts: &parts,
    };
    println!("{report}");
}
