//! What a credential costs in a handshake, against stock rustls in the same run.
//!
//! Both ends run on one thread over a pipe in memory, so a time is the processor time of client and
//! server together.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dc_core::Form;
use dc_rustls::client::{Config, UniqueName};
use dc_rustls::server::{Acceptor, Store};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn handshakes(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let vendor = Vendor::default();
    let device = Device::new("router");
    let mut group = c.benchmark_group("handshake");
    let mut measure = |name: &str, scene: &Scene| {
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| scene.connect(&runtime, &device.name));
        });
    };
    measure("stock client, stock server", &Scene::stock(&vendor));
    let fallback = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    measure(
        "stock client, our server falls back",
        &Scene::new(Client::Stock(stock_client(&vendor)), Server::Ours(fallback)),
    );
    measure(
        "our client, stock server",
        &Scene::new(
            Client::Ours(our_client(&vendor, UniqueName::Ignored)),
            Server::Stock(stock_server(&vendor)),
        ),
    );
    for (name, form, policy) in [
        ("RFC 9345 credential", Form::Rfc9345, UniqueName::Ignored),
        ("named credential", Form::Named, UniqueName::Required),
    ] {
        let store = Store::new(provider());
        store.install(vendor.enrol(&device, &[form])).unwrap();
        let client = Client::Ours(our_client(&vendor, policy));
        measure(
            name,
            &Scene::new(client, Server::Ours(Acceptor::new(store))),
        );
    }
    group.finish();
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

fn our_client(vendor: &Vendor, policy: UniqueName) -> Config {
    Config::builder(provider())
        .roots(vendor.roots())
        .unique_name(policy)
        .without_resumption()
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

criterion_group!(benches, handshakes);
criterion_main!(benches);
