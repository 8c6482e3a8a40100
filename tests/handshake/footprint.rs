//! What a connection costs beside one of stock rustls: nothing for a record of application data, and less than a
//! kilobyte of memory while it is idle.

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use dc_core::Form;
use dc_rustls::client::{self, Config, NamePolicy};
use dc_rustls::server::{self, Acceptor};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::setup::{acceptor, client_of, stock_server};

trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

type Ends = (Box<dyn Io>, Box<dyn Io>);

enum Client {
    Stock(Arc<ClientConfig>),
    Ours(Config),
}

impl Client {
    async fn connect(&self, io: DuplexStream) -> Box<dyn Io> {
        let name = ServerName::try_from(NAME).unwrap();
        match self {
            Self::Stock(config) => {
                let connector = TlsConnector::from(Arc::clone(config));
                Box::new(connector.connect(name, io).await.unwrap())
            }
            Self::Ours(config) => {
                let tls: client::AsyncStream<_> = config.connect_async(name, io).await.unwrap();
                Box::new(tls)
            }
        }
    }
}

enum Server {
    Stock(Arc<ServerConfig>),
    Ours(Acceptor),
}

impl Server {
    async fn accept(&self, io: DuplexStream) -> Box<dyn Io> {
        match self {
            Self::Stock(config) => {
                let acceptor = TlsAcceptor::from(Arc::clone(config));
                Box::new(acceptor.accept(io).await.unwrap())
            }
            Self::Ours(acceptor) => {
                let tls: server::AsyncStream<_> = acceptor.accept_async(io).await.unwrap();
                Box::new(tls)
            }
        }
    }
}

/// Both kinds of each end, which all understand each other.
struct Scene {
    runtime: Runtime,
    stock_client: Client,
    our_client: Client,
    stock_server: Server,
    our_server: Server,
}

impl Scene {
    fn new() -> Self {
        let vendor = Vendor::default();
        let stock_client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(vendor.roots())
            .with_no_client_auth();
        let our_client = client_of(&vendor).unique_name(NamePolicy::Preferred);
        Self {
            runtime: Builder::new_current_thread().build().unwrap(),
            stock_client: Client::Stock(Arc::new(stock_client)),
            our_client: Client::Ours(our_client.build().unwrap()),
            stock_server: Server::Stock(stock_server(&vendor)),
            our_server: Server::Ours(acceptor(
                &vendor,
                &Device::new("router"),
                &[Form::Named, Form::Rfc9345],
            )),
        }
    }

    /// Ends that have sent each other one byte, so that the handshake and its tickets are over.
    fn connect(&self, client: &Client, server: &Server) -> Ends {
        let (near, far) = duplex(CAPACITY);
        self.runtime.block_on(async {
            let (mut near, mut far) = tokio::join!(client.connect(near), server.accept(far));
            exchange(&mut near, &mut far, b"?").await;
            exchange(&mut far, &mut near, b"!").await;
            (near, far)
        })
    }

    /// The bytes that both ends of an idle connection hold, once the configurations keep all that they keep.
    fn idle_bytes(&self, client: &Client, server: &Server) -> i64 {
        // Tickets fill the sessions of both ends up to their limit before anything is counted.
        for _ in 0..300 {
            self.connect(client, server);
        }
        let mut ends = None;
        let info = measure(|| ends = Some(self.connect(client, server)));
        info.bytes_current
    }

    /// The allocations of records that go from the client to the server and back.
    fn bulk(&self, client: &Client, server: &Server) -> AllocationInfo {
        let (mut near, mut far) = self.connect(client, server);
        let data = vec![7; RECORD];
        let mut there = vec![0; RECORD];
        let mut pass = || {
            self.runtime.block_on(async {
                for _ in 0..RECORDS {
                    send(&mut near, &mut far, &data, &mut there).await;
                    send(&mut far, &mut near, &data, &mut there).await;
                }
            });
        };
        // The first ones let the buffers grow.
        pass();
        measure(pass)
    }
}

async fn exchange(from: &mut Box<dyn Io>, to: &mut Box<dyn Io>, data: &[u8]) {
    send(from, to, data, &mut vec![0; data.len()]).await;
}

async fn send(from: &mut Box<dyn Io>, to: &mut Box<dyn Io>, data: &[u8], there: &mut [u8]) {
    from.write_all(data).await.unwrap();
    from.flush().await.unwrap();
    to.read_exact(there).await.unwrap();
    assert_eq!(there, data);
}

#[test]
fn a_record_of_application_data_allocates_as_in_stock_rustls() {
    let scene = Scene::new();
    let stock = scene.bulk(&scene.stock_client, &scene.stock_server);
    assert!(stock.count_total >= 2 * RECORDS as u64, "{stock:?}");
    for (client, server) in [
        (&scene.our_client, &scene.stock_server),
        (&scene.our_client, &scene.our_server),
    ] {
        let ours = scene.bulk(client, server);
        assert_eq!(ours.count_total, stock.count_total);
        assert_eq!(ours.bytes_total, stock.bytes_total);
    }
}

#[test]
fn an_idle_connection_takes_less_than_a_kilobyte_more_than_in_stock_rustls() {
    let scene = Scene::new();
    let stock = scene.idle_bytes(&scene.stock_client, &scene.stock_server);
    let client = scene.idle_bytes(&scene.our_client, &scene.stock_server) - stock;
    let both = scene.idle_bytes(&scene.our_client, &scene.our_server) - stock;
    println!(
        "stock {stock} bytes for both ends; our client {client} more, our server {} more",
        both - client
    );
    assert!(client <= 1024, "client: {client} bytes more");
    assert!(
        both - client <= 1024,
        "server: {} bytes more",
        both - client
    );
}

const NAME: &str = "router.cpe.example.com";
const RECORD: usize = 16 * 1024;
const RECORDS: usize = 64;
/// Room for a record and what surrounds it.
const CAPACITY: usize = 2 * RECORD;
