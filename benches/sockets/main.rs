//! What a full handshake costs over loopback, and records of application data: the server's processor time and the client's waiting, beside stock
//! rustls and BoringSSL with the same credential.
//!
//! Each server is a process of its own, visited by one client that shares the machine with it. They take turns, so
//! that whatever else the machine does hits all. A visit is a connection, a full handshake, a request and a reply.
//! BoringSSL's server is the one of `tests/boring`, which `tests/interop/setup.sh` builds.
//!
//! ```text
//! cargo bench -p dc-sockets -- --handshakes 3000
//! DC_BORING_SERVER=path/to/boring-server cargo bench -p dc-sockets
//! ```

mod bulk;
mod client;
mod process;
mod server;

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Parser;
use client::Client;
use dc_core::Form;
use dc_tests::vendor::{Device, Vendor};
use pki_types::ServerName;
use process::Process;
use server::Kind;

#[derive(Debug, Parser)]
struct Args {
    /// How many full handshakes each server has
    #[arg(long, default_value_t = 3000)]
    handshakes: usize,
    /// What this program runs itself as
    #[arg(long, hide = true, requires = "folder")]
    serve: Option<Kind>,
    #[arg(long, hide = true, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// What Cargo says to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
    /// `cargo test --benches` only wants to know whether it runs
    #[arg(long, hide = true)]
    test: bool,
}

fn main() {
    let args = Args::parse();
    if let (Some(kind), Some(folder)) = (args.serve, &args.folder) {
        return server::serve(kind, folder);
    }
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &vendor, &device);
    let mut lanes = lanes(folder.path(), &vendor);
    let name = ServerName::try_from(device.name.clone()).unwrap();
    let rounds = if args.test {
        1
    } else {
        args.handshakes.div_ceil(ROUND)
    };
    for lane in &mut lanes {
        lane.visit(&name, if args.test { 1 } else { WARM_UP });
        lane.start();
    }
    for _ in 0..rounds {
        for lane in &mut lanes {
            lane.visit(&name, if args.test { 1 } else { ROUND });
        }
        // Who comes behind whom alternates too.
        lanes.reverse();
    }
    if rounds % 2 == 1 {
        lanes.reverse();
    }
    report(&mut lanes);
    drop(lanes);
    bulk::report(if args.test { 1 } else { PAIRS });
}

/// A server and the client that visits it.
struct Lane {
    name: &'static str,
    client: Client,
    server: Process,
    /// The server's processor time before the first visit that counts.
    before: Duration,
    visits: Vec<Duration>,
}

impl Lane {
    fn new(name: &'static str, client: Client, command: &mut Command) -> Self {
        Self {
            name,
            client,
            server: Process::start(command),
            before: Duration::ZERO,
            visits: Vec::new(),
        }
    }

    fn start(&mut self) {
        self.visits.clear();
        self.before = self.server.processor_time();
    }

    fn visit(&mut self, name: &ServerName<'static>, times: usize) {
        for _ in 0..times {
            let waits = self.name != BORING;
            let visit = self.client.visit(self.server.port, name, waits);
            self.visits.push(visit);
        }
    }

    /// The server's processor time for a visit, and the median of what the client waited, in microseconds.
    fn cost(&mut self) -> (f64, f64) {
        let spent = self.server.processor_time() - self.before;
        self.visits.sort();
        let median = self.visits[self.visits.len() / 2];
        let each = spent.as_secs_f64() / self.visits.len() as f64;
        (each * 1e6, median.as_secs_f64() * 1e6)
    }
}

/// The first is what the others are compared with, up to the first over tokio, which is the next ones' measure.
fn lanes(folder: &Path, vendor: &Vendor) -> Vec<Lane> {
    let serve = |kind: &str| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--serve", kind, "--folder"]).arg(folder);
        command
    };
    let (tls13, tls12) = (&rustls::version::TLS13, &rustls::version::TLS12);
    let stock = |version| Client::stock(vendor, version);
    let ours = || Client::ours(vendor);
    let mut lanes = vec![
        Lane::new(STOCK, stock(tls13), &mut serve("stock")),
        Lane::new("credential", ours(), &mut serve("ours")),
        Lane::new("fallback", stock(tls13), &mut serve("ours")),
        Lane::new(STOCK_TOKIO, stock(tls13), &mut serve("stock-tokio")),
        Lane::new("credential, tokio", ours(), &mut serve("ours-tokio")),
        Lane::new("fallback, tokio", stock(tls13), &mut serve("ours-tokio")),
        Lane::new(STOCK_TLS12, stock(tls12), &mut serve("stock")),
        Lane::new("fallback, TLS 1.2", stock(tls12), &mut serve("ours")),
    ];
    let boring = boring_server();
    match boring.exists() {
        true => lanes.push(Lane::new(
            BORING,
            ours(),
            &mut boring_command(&boring, folder),
        )),
        false => println!(
            "without BoringSSL: {} is not there; tests/interop/setup.sh builds it",
            boring.display()
        ),
    }
    lanes
}

fn boring_server() -> PathBuf {
    let target = || {
        let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        env::var_os("CARGO_TARGET_DIR").map_or(default, PathBuf::from)
    };
    env::var_os("DC_BORING_SERVER").map_or_else(
        || target().join("interop/boring/release/boring-server"),
        PathBuf::from,
    )
}

fn boring_command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let files = [
        "chain.pem",
        "certificate.key.pem",
        "credential.pem",
        "key.pem",
    ];
    command.args(files.map(|file| folder.join(file)));
    command
}

/// An identity folder, and the delegation certificate's own key.
fn write_files(folder: &Path, vendor: &Vendor, device: &Device) {
    let issued = vendor.issue(device, Form::Rfc9345);
    let credential = dc_core::pem::write(issued.form, &issued.bytes);
    for (file, content) in [
        ("chain.pem", vendor.chain_pem()),
        ("certificate.key.pem", vendor.private_key_pem()),
        ("credential.pem", credential),
        ("key.pem", device.key.private_key_pem()),
    ] {
        fs::write(folder.join(file), content).unwrap();
    }
}

fn report(lanes: &mut [Lane]) {
    let verification = verification().as_secs_f64() * 1e6;
    println!("one verification takes {verification:.0} µs");
    println!(
        "{:24} {:>12} {:>6} {:>12} {:>6}",
        "", "server CPU", "ratio", "client waits", "ratio"
    );
    let mut base = (1.0, 1.0);
    for lane in lanes {
        let (processor, latency) = lane.cost();
        if [STOCK, STOCK_TOKIO, STOCK_TLS12].contains(&lane.name) {
            base = (processor, latency);
        }
        let more = match lane.client {
            Client::Ours(_) => verification,
            Client::Stock(_) => 0.0,
        };
        println!(
            "{:24} {processor:9.0} µs {:6.2} {latency:9.0} µs {:6.2}",
            lane.name,
            processor / base.0,
            latency / (base.1 + more),
        );
    }
    println!(
        "Ratios of time that is waited are to stock rustls plus one verification, where there is one more."
    );
}

/// What it takes to verify a signature of the credential's kind.
fn verification() -> Duration {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING as SIGNING};
    use ring::signature::{EcdsaKeyPair, KeyPair, UnparsedPublicKey};
    let random = ring::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&SIGNING, pkcs8.as_ref(), &random).unwrap();
    let message = [7; 400];
    let signature = key.sign(&random, &message).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key());
    let mut times: Vec<Duration> = (0..1000)
        .map(|_| {
            let start = Instant::now();
            black_box(&public)
                .verify(&message, signature.as_ref())
                .unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

const BORING: &str = "BoringSSL, credential";
const STOCK: &str = "stock rustls";
const STOCK_TOKIO: &str = "stock rustls, tokio";
const STOCK_TLS12: &str = "stock rustls, TLS 1.2";
const ROUND: usize = 10;
/// Of connections that carry application data, in each order.
const PAIRS: usize = 15;
const WARM_UP: usize = 20;
