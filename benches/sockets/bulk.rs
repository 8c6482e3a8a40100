//! Application data over TCP and through the streams of both ends, beside stock rustls.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use dc_benches::compare;
use dc_core::Form;
use dc_rustls::client::Config;
use dc_rustls::server::{Acceptor, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// Both ends of a connection whose handshake is over, each with a socket.
struct Ends {
    client: Box<dyn Stream>,
    server: Box<dyn Stream>,
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
        Self::connect(
            |tcp| {
                let name = ServerName::try_from(NAME).unwrap();
                let connection = ClientConnection::new(Arc::new(client), name).unwrap();
                Box::new(StreamOwned::new(connection, tcp))
            },
            |tcp| {
                let connection = ServerConnection::new(Arc::new(server)).unwrap();
                Box::new(StreamOwned::new(connection, tcp))
            },
        )
    }

    fn ours() -> Self {
        let (vendor, device) = (Vendor::default(), Device::new("router"));
        let client = Config::builder(provider()).roots(vendor.roots());
        let client = client.build().unwrap();
        let store = Store::new(provider());
        store
            .install(vendor.enrol(&device, &[Form::Named]))
            .unwrap();
        let acceptor = Acceptor::new(store);
        Self::connect(
            |tcp| {
                let name = ServerName::try_from(NAME).unwrap();
                Box::new(client.connect(name, tcp).unwrap())
            },
            |tcp| Box::new(acceptor.accept(tcp).unwrap()),
        )
    }

    fn connect(
        client: impl FnOnce(TcpStream) -> Box<dyn Stream>,
        server: impl FnOnce(TcpStream) -> Box<dyn Stream> + Send,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (tcp, _) = listener.accept().unwrap();
                tcp.set_nodelay(true).unwrap();
                let mut tls = server(tcp);
                greet(&mut tls);
                tls
            });
            let tcp = TcpStream::connect(address).unwrap();
            tcp.set_nodelay(true).unwrap();
            let mut client = client(tcp);
            greet(&mut client);
            Self {
                client,
                server: server.join().unwrap(),
                plain: vec![7; RECORD],
            }
        })
    }

    /// One record there and back; a socket takes that much before anybody reads it.
    fn pass(&mut self) {
        transfer(&mut self.client, &mut self.server, &mut self.plain);
        transfer(&mut self.server, &mut self.client, &mut self.plain);
    }
}

fn transfer(from: &mut impl Write, to: &mut impl Read, plain: &mut [u8]) {
    from.write_all(plain).unwrap();
    from.flush().unwrap();
    to.read_exact(plain).unwrap();
}

/// Gets both ends past the handshake, its tickets, and the first record of application data.
fn greet(tls: &mut impl Stream) {
    tls.write_all(b"hello").unwrap();
    tls.flush().unwrap();
    tls.read_exact(&mut [0; 5]).unwrap();
}

/// Prints the throughput of ours beside that of stock rustls, over so many pairs of connections.
///
/// Where their buffers come to lie in memory matters more than anything that is measured here, and that depends on which
/// is made first: so the medians of both orders are taken, and the mean of those.
pub(crate) fn report(pairs: usize) {
    let ours_first = median(pairs, || {
        let ours = Ends::ours();
        (ours, Ends::stock())
    });
    let stock_first = median(pairs, || {
        let stock = Ends::stock();
        (Ends::ours(), stock)
    });
    let mean = (ours_first * stock_first).sqrt();
    let verdict = if mean < TARGET { ", missed" } else { "" };
    println!(
        "16 KiB both ways: throughput, ours to stock, {mean:.3}, target {TARGET}{verdict}  (ours made first {ours_first:.3}, \
         stock {stock_first:.3})"
    );
}

fn median(pairs: usize, mut connect: impl FnMut() -> (Ends, Ends)) -> f64 {
    let mut throughputs: Vec<f64> = (0..pairs)
        .map(|_| {
            let (mut ours, mut stock) = connect();
            let (_, _, ratio) = compare(PASSES, || ours.pass(), || stock.pass());
            1.0 / ratio
        })
        .collect();
    throughputs.sort_by(f64::total_cmp);
    throughputs[pairs / 2]
}

const TARGET: f64 = 0.99;
const NAME: &str = "router.cpe.example.com";
const RECORD: usize = 16 * 1024;
/// In one turn.
const PASSES: u32 = 20;
