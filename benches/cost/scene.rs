//! The connections that are compared: who is at each end, and how.

use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;

use dc_core::Form;
use dc_rustls::client::{Builder, Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Settings, Store};
use dc_tests::message::{add_extensions, extension, vector};
use dc_tests::vendor::{Device, Key, Vendor, provider};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::wire::{Far, Mute, Near, Other, ready, wire};

/// A client of either kind.
pub(crate) enum Client {
    Stock(Arc<ClientConfig>),
    Ours(Config),
}

/// A server of either kind.
pub(crate) enum Server {
    Stock(Arc<ServerConfig>),
    Ours(Acceptor),
}

/// A client and a server that meet again and again.
pub(crate) struct Scene {
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) name: ServerName<'static>,
    /// The handshake that each connection has.
    pub(crate) kind: HandshakeKind,
    /// The bytes that go each way once it is over.
    pub(crate) bytes: usize,
    /// How many times.
    pub(crate) times: usize,
}

/// The end that is counted, and how it waits.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Client,
    Server,
    AsyncClient,
    AsyncServer,
}

impl Scene {
    /// One connection from beginning to end, `end` of which is counted if `is_counted`.
    pub(crate) fn meet(&self, end: End, is_counted: bool) {
        let serve = |far| -> Other<'_> { Box::pin(async move { self.serve_async(far).await }) };
        let connect = |far| -> Other<'_> { Box::pin(async move { self.connect_async(far).await }) };
        let mut near = match end {
            End::Client | End::AsyncClient => wire(is_counted, serve),
            End::Server | End::AsyncServer => wire(is_counted, connect),
        };
        match (end, is_counted) {
            (End::Client, true) => crate::wire::counted(|| self.connect(&mut near)),
            (End::Client, false) => self.connect(&mut near),
            (End::Server, true) => crate::wire::counted(|| self.serve(&mut near)),
            (End::Server, false) => self.serve(&mut near),
            (End::AsyncClient, true) => crate::wire::counted(|| self.connect_ready(&mut near)),
            (End::AsyncClient, false) => self.connect_ready(&mut near),
            (End::AsyncServer, true) => crate::wire::counted(|| self.serve_ready(&mut near)),
            (End::AsyncServer, false) => self.serve_ready(&mut near),
        }
        near.finish();
    }

    fn connect_ready(&self, near: &mut Near<'_>) {
        ready(self.connect_async(near));
    }

    fn serve_ready(&self, near: &mut Near<'_>) {
        ready(self.serve_async(near));
    }

    fn connect(&self, io: &mut Near<'_>) {
        let name = self.name.clone();
        match &self.client {
            Client::Stock(config) => {
                let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
                connection.complete_io(io).unwrap();
                self.ask(&mut rustls::Stream::new(&mut connection, io));
                assert_eq!(connection.handshake_kind(), Some(self.kind));
            }
            Client::Ours(config) => {
                let mut tls = config.connect(name, io).unwrap();
                self.ask(&mut tls);
                assert_eq!(tls.connection().handshake_kind(), Some(self.kind));
                black_box(tls.peer());
            }
        }
    }

    fn serve(&self, io: &mut Near<'_>) {
        match &self.server {
            Server::Stock(config) => {
                let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
                connection.complete_io(io).unwrap();
                self.answer(&mut rustls::Stream::new(&mut connection, io));
            }
            Server::Ours(acceptor) => {
                let mut tls = acceptor.accept(io).unwrap();
                self.answer(&mut tls);
                black_box(tls.served());
            }
        }
    }

    async fn connect_async(&self, io: impl AsyncRead + AsyncWrite + Unpin) {
        let name = self.name.clone();
        match &self.client {
            Client::Stock(config) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let mut tls = connector.connect(name, io).await.unwrap();
                self.ask_async(&mut tls).await;
                assert_eq!(tls.get_ref().1.handshake_kind(), Some(self.kind));
            }
            Client::Ours(config) => {
                let mut tls = config.connect_async(name, io).await.unwrap();
                self.ask_async(&mut tls).await;
                assert_eq!(tls.connection().handshake_kind(), Some(self.kind));
            }
        }
    }

    async fn serve_async(&self, io: impl AsyncRead + AsyncWrite + Unpin) {
        match &self.server {
            Server::Stock(config) => {
                let acceptor = TlsAcceptor::from(Arc::clone(config));
                let mut tls = acceptor.accept(io).await.unwrap();
                self.answer_async(&mut tls).await;
            }
            Server::Ours(acceptor) => {
                let mut tls = acceptor.accept_async(io).await.unwrap();
                self.answer_async(&mut tls).await;
            }
        }
    }

    fn ask(&self, tls: &mut (impl Read + Write)) {
        let mut bytes = vec![7; self.bytes];
        for _ in 0..self.times {
            tls.write_all(&bytes).unwrap();
            tls.flush().unwrap();
            tls.read_exact(&mut bytes).unwrap();
        }
    }

    fn answer(&self, tls: &mut (impl Read + Write)) {
        let mut bytes = vec![7; self.bytes];
        for _ in 0..self.times {
            tls.read_exact(&mut bytes).unwrap();
            tls.write_all(&bytes).unwrap();
            tls.flush().unwrap();
        }
    }

    async fn ask_async(&self, tls: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
        let mut bytes = vec![7; self.bytes];
        for _ in 0..self.times {
            tls.write_all(&bytes).await.unwrap();
            tls.flush().await.unwrap();
            tls.read_exact(&mut bytes).await.unwrap();
        }
    }

    async fn answer_async(&self, tls: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
        let mut bytes = vec![7; self.bytes];
        for _ in 0..self.times {
            tls.read_exact(&mut bytes).await.unwrap();
            tls.write_all(&bytes).await.unwrap();
            tls.flush().await.unwrap();
        }
    }
}

/// A vendor, one of its devices, and what both ends are made of.
pub(crate) struct Cast {
    pub(crate) vendor: Vendor,
    pub(crate) device: Device,
}

impl Default for Cast {
    fn default() -> Self {
        Self::with_intermediates(0)
    }
}

impl Cast {
    /// With so many certificates between the root and the delegation certificate.
    pub(crate) fn with_intermediates(intermediates: usize) -> Self {
        let key = Key::p256();
        Self {
            vendor: Vendor::with_intermediates(key, intermediates, 0),
            device: Device::new("router"),
        }
    }

    /// Full handshakes, with a line each way behind them.
    pub(crate) fn scene(&self, client: Client, server: Server) -> Scene {
        Scene {
            client,
            server,
            name: ServerName::try_from(self.device.name.clone()).unwrap(),
            kind: HandshakeKind::Full,
            bytes: 4,
            times: 1,
        }
    }

    pub(crate) fn stock_client(&self, resumes: bool) -> Client {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(self.vendor.roots())
            .with_no_client_auth();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Client::Stock(Arc::new(config))
    }

    pub(crate) fn stock_server(&self) -> Server {
        Server::Stock(self.stock_config())
    }

    fn stock_config(&self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.vendor.chain(), self.vendor.private_key())
            .unwrap();
        // What is compressed is compressed once, and cannot be compared.
        config.cert_compressors.clear();
        Arc::new(config)
    }

    /// A client that resumes nothing and remembers nothing.
    pub(crate) fn our_client(&self, policy: NamePolicy) -> Client {
        let builder = self.builder(policy).without_resumption();
        Client::Ours(builder.without_remembering().build().unwrap())
    }

    /// A client that resumes nothing, and has seen the server a moment ago.
    pub(crate) fn remembering_client(&self) -> Client {
        let builder = self.builder(NamePolicy::Required).without_resumption();
        Client::Ours(builder.build().unwrap())
    }

    pub(crate) fn builder(&self, policy: NamePolicy) -> Builder {
        Config::builder(provider())
            .roots(self.vendor.roots())
            .unique_name(policy)
    }

    /// A server with a credential of this form, and the stock one to fall back on.
    pub(crate) fn our_server(&self, forms: &[Form]) -> Server {
        let settings = Settings::new(provider()).without_certificate_compression();
        let store = Store::with_settings(settings);
        if !forms.is_empty() {
            store
                .install(self.vendor.enrol(&self.device, forms))
                .unwrap();
        }
        Server::Ours(Acceptor::new(store).fallback(self.stock_config()))
    }
}

impl Cast {
    /// A server with so many identities, of devices of this vendor. The one that is wanted is in their middle, and there is
    /// nothing to fall back on.
    pub(crate) fn our_server_alone(&self, identities: usize) -> Server {
        let settings = Settings::new(provider()).without_certificate_compression();
        let store = Store::with_settings(settings);
        let mut other = Device::with_key("other", Key::p256());
        let identities = (0..identities).map(|number| {
            if number == identities / 2 {
                return self.vendor.enrol(&self.device, &[Form::Named]);
            }
            other.name = format!("d{number}.{}", dc_tests::vendor::ZONE);
            self.vendor.enrol(&other, &[Form::Named])
        });
        store.install_all(identities).unwrap();
        Server::Ours(Acceptor::new(store))
    }

    /// The record of a ClientHello that offers to take a named credential with so many schemes, of which P-256 is the last and
    /// nobody knows the others.
    pub(crate) fn hello(&self, schemes: u16) -> Vec<u8> {
        let Client::Stock(config) = self.stock_client(false) else {
            unreachable!("a stock client is one");
        };
        let name = ServerName::try_from(self.device.name.clone()).unwrap();
        let mut client = ClientConnection::new(config, name).unwrap();
        let mut record = Vec::new();
        client.write_tls(&mut record).unwrap();
        let unknown = (1..schemes).map(|number| 0xfe00 + number);
        let list: Vec<u8> = unknown.chain([0x0403]).flat_map(u16::to_be_bytes).collect();
        let offer = extension(Form::Named.extension_type(), &vector(2, &list));
        let hello = add_extensions(&record[5..], &offer);
        [&[22, 3, 1], vector(2, &hello).as_slice()].concat()
    }
}

impl Server {
    /// Answers a client that says no more than its hello.
    pub(crate) fn answer(&self, mute: &mut Mute<'_>) {
        let is_over = match self {
            Self::Stock(config) => {
                let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
                connection.complete_io(mute).is_err()
            }
            Self::Ours(acceptor) => acceptor.accept(mute).is_err(),
        };
        assert!(is_over);
    }
}

/// So that what is compared is what was meant.
pub(crate) fn is_delegated(client: &Client, scene: &Scene) -> bool {
    let Client::Ours(config) = client else {
        return false;
    };
    let serve = |far: Far| -> Other<'_> { Box::pin(async move { scene.serve_async(far).await }) };
    let mut near = wire(false, serve);
    let mut tls = config.connect(scene.name.clone(), &mut near).unwrap();
    scene.ask(&mut tls);
    matches!(tls.peer(), Peer::Delegated { .. })
}
