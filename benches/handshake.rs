//! What a credential costs in a handshake, against stock rustls in the same run.
//!
//! Both ends run on one thread over a pipe in memory, so a time is the processor time of client and
//! server together. The last lines are measured in turns with stock rustls.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion};
use dc_benches::compare;
use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy};
use dc_rustls::server::{Acceptor, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Every kind of handshake, the stock one first.
fn scenes(vendor: &Vendor, device: &Device) -> Vec<(&'static str, Scene)> {
    let fallback = Acceptor::new(Store::new(provider())).fallback(stock_server(vendor));
    let mut scenes = vec![
        ("stock client, stock server", Scene::stock(vendor)),
        (
            "stock client, our server falls back",
            Scene::new(Client::Stock(stock_client(vendor)), Server::Ours(fallback)),
        ),
        (
            "our client, stock server",
            Scene::new(
                Client::Ours(our_client(vendor, NamePolicy::Ignored)),
                Server::Stock(stock_server(vendor)),
            ),
        ),
    ];
    for (name, form, policy) in [
        ("RFC 9345 credential", Form::Rfc9345, NamePolicy::Ignored),
        ("named credential", Form::Named, NamePolicy::Required),
    ] {
        let store = Store::new(provider());
        store.install(vendor.enrol(device, &[form])).unwrap();
        let client = Client::Ours(our_client(vendor, policy));
        let server = Server::Ours(Acceptor::new(store));
        scenes.push((name, Scene::new(client, server)));
    }
    scenes
}

fn handshakes(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let mut group = criterion.benchmark_group("handshake");
    for (name, scene) in scenes(&vendor, &device) {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| scene.connect(&runtime, &device.name));
        });
    }
    group.finish();
}

fn ratios() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (vendor, device) = (Vendor::default(), Device::new("router"));
    let stock = Scene::stock(&vendor);
    for (name, scene) in scenes(&vendor, &device) {
        let (ours, theirs, ratio) = compare(
            1,
            || scene.connect(&runtime, &device.name),
            || stock.connect(&runtime, &device.name),
        );
        let [ours, theirs] = [ours, theirs].map(|time| time.as_secs_f64() * 1e6);
        println!("{name:36} {ours:7.1} µs  stock {theirs:7.1} µs  ratio {ratio:.3}");
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    handshakes(&mut criterion);
    criterion.final_summary();
    // `cargo test --benches` only wants to know whether it runs.
    if !std::env::args().any(|argument| argument == "--test") {
        ratios();
    }
}

/// A client and a server that meet again and again.
struct Scene {
    client: Client,
    server: Server,
}

enum Client {
    Stock(Arc<ClientConfig>),
    Ours(Config),
}

enum Server {
    Stock(Arc<ServerConfig>),
    Ours(Acceptor),
}

impl Scene {
    fn new(client: Client, server: Server) -> Self {
        Self { client, server }
    }

    fn stock(vendor: &Vendor) -> Self {
        Self::new(
            Client::Stock(stock_client(vendor)),
            Server::Stock(stock_server(vendor)),
        )
    }

    /// One full handshake, and one byte that shows that it is over.
    fn connect(&self, runtime: &Runtime, name: &str) {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let (near, far) = duplex(1 << 16);
        runtime.block_on(async {
            tokio::join!(self.client.connect(name, near), self.server.accept(far));
        });
    }
}

impl Client {
    async fn connect(&self, name: ServerName<'static>, io: DuplexStream) {
        let mut byte = [0];
        match self {
            Self::Stock(config) => {
                let mut tls = TlsConnector::from(config.clone())
                    .connect(name, io)
                    .await
                    .unwrap();
                tls.read_exact(&mut byte).await.unwrap();
            }
            Self::Ours(config) => {
                let mut tls = config.connect_async(name, io).await.unwrap();
                tls.read_exact(&mut byte).await.unwrap();
                black_box(tls.peer());
            }
        }
    }
}

impl Server {
    async fn accept(&self, io: DuplexStream) {
        match self {
            Self::Stock(config) => {
                let mut tls = TlsAcceptor::from(config.clone()).accept(io).await.unwrap();
                tls.write_all(b".").await.unwrap();
                tls.flush().await.unwrap();
            }
            Self::Ours(acceptor) => {
                let mut tls = acceptor.accept_async(io).await.unwrap();
                tls.write_all(b".").await.unwrap();
                tls.flush().await.unwrap();
            }
        }
    }
}

fn our_client(vendor: &Vendor, policy: NamePolicy) -> Config {
    Config::builder(provider())
        .roots(vendor.roots())
        .unique_name(policy)
        .without_resumption()
        .without_remembering()
        .build()
        .unwrap()
}

fn stock_client(vendor: &Vendor) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn stock_server(vendor: &Vendor) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vendor.chain(), vendor.private_key())
        .unwrap();
    Arc::new(config)
}
