//! What application data costs after a handshake with a credential, against stock rustls in the same run.
//!
//! One record of 16 KiB goes from one end to the other in memory: encrypted, cut out of the stream, decrypted. A
//! time is the processor time of both ends together. The last lines are measured in turns.

use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use criterion::{BenchmarkId, Criterion, Throughput};
use dc_benches::compare;
use dc_core::Form;
use dc_rustls::client::Config;
use dc_rustls::server::{Acceptor, Store};
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection};
use rustls::{SideData, StreamOwned};

fn bulk(criterion: &mut Criterion) {
    let mut stock = Ends::stock();
    let mut ours = Ends::ours();
    let mut group = criterion.benchmark_group("bulk");
    group.throughput(Throughput::Bytes(RECORD as u64));
    for (name, ends) in [("stock", &mut stock), ("ours", &mut ours)] {
        for (direction, pass) in DIRECTIONS {
            let id = BenchmarkId::new(direction, name);
            group.bench_function(id, |bencher| bencher.iter(|| pass(ends)));
        }
    }
    group.finish();
}

/// The median over many pairs of connections: where their buffers come to lie in memory matters more than anything
/// that is measured here, and that depends on which is made first.
fn ratios() {
    for (direction, pass) in DIRECTIONS {
        let mut ratios: Vec<f64> = (0..PAIRS)
            .map(|pair| {
                let (mut ours, mut stock) = connect(pair);
                compare(PASSES, || pass(&mut ours), || pass(&mut stock)).2
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        println!(
            "{direction}  ours / stock {:.4}  (of {PAIRS} pairs of connections: {:.3} to {:.3})",
            ratios[PAIRS / 2],
            ratios[0],
            ratios[PAIRS - 1],
        );
    }
}

/// One connection of each kind; which is made first changes.
fn connect(turn: usize) -> (Ends, Ends) {
    if turn.is_multiple_of(2) {
        let ours = Ends::ours();
        (ours, Ends::stock())
    } else {
        let stock = Ends::stock();
        (Ends::ours(), stock)
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    bulk(&mut criterion);
    criterion.final_summary();
    // `cargo test --benches` only wants to know whether it runs.
    if !std::env::args().any(|argument| argument == "--test") {
        ratios();
    }
}

/// Sends one record.
type Pass = fn(&mut Ends);

/// Both ends of a connection whose handshake is over.
struct Ends {
    client: ClientConnection,
    server: ServerConnection,
    wire: Vec<u8>,
    plain: Vec<u8>,
}

impl Ends {
    fn stock() -> Self {
        let vendor = Vendor::default();
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(vendor.roots())
            .with_no_client_auth();
        let server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vendor.chain(), vendor.private_key())
            .unwrap();
        let (near, far) = pipe(usize::MAX);
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let connection = ServerConnection::new(Arc::new(server)).unwrap();
                let mut tls = StreamOwned::new(connection, far);
                greet(&mut tls);
                tls.conn
            });
            let name = ServerName::try_from(NAME).unwrap();
            let connection = ClientConnection::new(Arc::new(client), name).unwrap();
            let mut tls = StreamOwned::new(connection, near);
            greet(&mut tls);
            Self::new(tls.conn, server.join().unwrap())
        })
    }

    fn ours() -> Self {
        let vendor = Vendor::default();
        let store = Store::new(provider());
        store
            .install(vendor.enrol(&Device::new("router"), &[Form::Named]))
            .unwrap();
        let client = Config::builder(provider()).roots(vendor.roots());
        let (near, far) = pipe(usize::MAX);
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let mut tls = Acceptor::new(store).accept(far).unwrap();
                greet(&mut tls);
                tls.into_parts().unwrap().0
            });
            let name = ServerName::try_from(NAME).unwrap();
            let mut tls = client.build().unwrap().connect(name, near).unwrap();
            greet(&mut tls);
            Self::new(tls.into_parts().unwrap().0, server.join().unwrap())
        })
    }

    fn new(client: ClientConnection, server: ServerConnection) -> Self {
        Self {
            client,
            server,
            wire: Vec::with_capacity(2 * RECORD),
            plain: vec![7; RECORD],
        }
    }

    fn down(&mut self) {
        transfer(
            &mut self.server,
            &mut self.client,
            &mut self.wire,
            &mut self.plain,
        );
    }

    fn up(&mut self) {
        transfer(
            &mut self.client,
            &mut self.server,
            &mut self.wire,
            &mut self.plain,
        );
    }
}

/// Gets both ends past the handshake, its tickets, and the first record of application data.
fn greet(tls: &mut (impl Read + Write)) {
    tls.write_all(b"hello").unwrap();
    tls.flush().unwrap();
    tls.read_exact(&mut [0; 5]).unwrap();
}

fn transfer<A: SideData, B: SideData>(
    from: &mut ConnectionCommon<A>,
    to: &mut ConnectionCommon<B>,
    wire: &mut Vec<u8>,
    plain: &mut [u8],
) {
    from.writer().write_all(plain).unwrap();
    wire.clear();
    while from.wants_write() {
        from.write_tls(wire).unwrap();
    }
    let mut unread = &wire[..];
    while !unread.is_empty() {
        to.read_tls(&mut unread).unwrap();
        to.process_new_packets().unwrap();
    }
    to.reader().read_exact(plain).unwrap();
    black_box(plain);
}

const NAME: &str = "router.cpe.example.com";
const RECORD: usize = 16 * 1024;
/// In one turn.
const PASSES: u32 = 20;
const PAIRS: usize = 31;
const DIRECTIONS: [(&str, Pass); 2] = [
    ("server to client", Ends::down),
    ("client to server", Ends::up),
];
