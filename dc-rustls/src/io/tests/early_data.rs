//! 0-RTT: what it does to hellos.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection,
};

use super::OFFER;
use crate::io::Adapter;
use crate::provider::wrap;
use crate::side::Side;
use crate::testing::backend;

/// Both directions of a connection that is driven by hand.
#[derive(Debug, Default)]
struct Buffers {
    arriving: Vec<u8>,
    sent: Vec<u8>,
}

impl Read for Buffers {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.arriving.len().min(buf.len());
        if length == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buf[..length].copy_from_slice(&self.arriving[..length]);
        self.arriving.drain(..length);
        Ok(length)
    }
}

impl Write for Buffers {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.sent.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The server: rustls alone, or with our adapter and wrapped provider.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Server {
    Stock,
    Ours,
}

const GROUPS: [&dyn SupportedKxGroup; 2] =
    [backend::kx_group::SECP384R1, backend::kx_group::X25519];

fn provider(groups: &[&'static dyn SupportedKxGroup]) -> CryptoProvider {
    CryptoProvider {
        kx_groups: groups.to_vec(),
        ..backend::default_provider()
    }
}

struct Scene {
    client: Arc<ClientConfig>,
    key: rcgen::CertifiedKey<rcgen::KeyPair>,
    sessions: Arc<ServerSessionMemoryCache>,
}

impl Scene {
    fn new() -> Self {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(key.cert.der().clone()).unwrap();
        let provider = wrap(&provider(&GROUPS), Side::Client { offer: OFFER });
        let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.enable_early_data = true;
        Self {
            client: Arc::new(client),
            key,
            sessions: ServerSessionMemoryCache::new(8),
        }
    }

    fn server(
        &self,
        server: Server,
        groups: &[&'static dyn SupportedKxGroup],
        early: u32,
    ) -> Arc<ServerConfig> {
        let base = provider(groups);
        let key = PrivateKeyDer::Pkcs8(self.key.signing_key.serialize_der().into());
        let key = base.key_provider.load_private_key(key).unwrap();
        let certified = CertifiedKey::new(vec![self.key.cert.der().clone()], key);
        let provider = match server {
            Server::Stock => base,
            Server::Ours => wrap(&base, Side::Server),
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.max_early_data_size = early;
        config.session_storage = self.sessions.clone();
        Arc::new(config)
    }

    /// Connects, and says whether early data was sent, and what arrived early and later.
    fn connect(&self, server: Server, config: Arc<ServerConfig>, chunk: usize) -> Report {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(self.client.clone(), name).unwrap();
        let sent = client.early_data().map(|mut early| {
            early.write_all(b"early").unwrap();
        });
        let mut near = Adapter::client(Buffers::default(), OFFER);
        let mut server_end = ServerConnection::new(config).unwrap();
        let mut far = match server {
            Server::Stock => Adapter::stock(Buffers::default(), &[]),
            Server::Ours => Adapter::server(Buffers::default(), &[]),
        };
        let mut early = Vec::new();
        client.writer().write_all(b"later").unwrap();
        for _ in 0..20 {
            write(&mut client, &mut near);
            carry(&mut near, &mut far, chunk, |far| {
                read(&mut server_end, far);
                if let Some(mut data) = server_end.early_data() {
                    data.read_to_end(&mut early).unwrap();
                }
            });
            write(&mut server_end, &mut far);
            carry(&mut far, &mut near, chunk, |near| read(&mut client, near));
        }
        let mut later = [0; 5];
        server_end.reader().read_exact(&mut later).unwrap();
        assert_eq!(&later, b"later");
        assert_eq!(client.handshake_kind(), server_end.handshake_kind());
        Report {
            kind: client.handshake_kind().unwrap(),
            sent: sent.is_some(),
            accepted: client.is_early_data_accepted(),
            early,
        }
    }
}

#[derive(Debug, PartialEq)]
struct Report {
    kind: HandshakeKind,
    sent: bool,
    accepted: bool,
    early: Vec<u8>,
}

fn write<D: rustls::SideData>(
    connection: &mut rustls::ConnectionCommon<D>,
    io: &mut Adapter<Buffers>,
) {
    while connection.wants_write() {
        connection.write_tls(io).unwrap();
    }
    io.flush().unwrap();
}

fn read<D: rustls::SideData>(
    connection: &mut rustls::ConnectionCommon<D>,
    io: &mut Adapter<Buffers>,
) {
    loop {
        match connection.read_tls(io) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            read => assert_ne!(read.unwrap(), 0),
        }
        connection.process_new_packets().unwrap();
    }
}

fn carry(
    from: &mut Adapter<Buffers>,
    to: &mut Adapter<Buffers>,
    chunk: usize,
    mut arrive: impl FnMut(&mut Adapter<Buffers>),
) {
    let sent = std::mem::take(&mut from.get_mut().sent);
    for piece in sent.chunks(chunk) {
        to.get_mut().arriving.extend_from_slice(piece);
        arrive(to);
    }
}

/// The first connection gets the ticket and the second uses it, at one byte a time and at once.
fn resumed(server: Server, groups: &[&'static dyn SupportedKxGroup], limit: u32) -> [Report; 2] {
    [1, usize::MAX].map(|chunk| {
        let scene = Scene::new();
        let config = scene.server(server, &GROUPS, 1000);
        let first = scene.connect(server, config, chunk);
        assert_eq!((first.kind, first.sent), (HandshakeKind::Full, false));
        scene.connect(server, scene.server(server, groups, limit), chunk)
    })
}

const REFUSED: Report = Report {
    kind: HandshakeKind::Resumed,
    sent: true,
    accepted: false,
    early: Vec::new(),
};

#[test]
fn early_data_is_accepted() {
    for server in [Server::Stock, Server::Ours] {
        for report in resumed(server, &GROUPS, 1000) {
            let accepted = Report {
                accepted: true,
                early: b"early".to_vec(),
                ..REFUSED
            };
            assert_eq!(report, accepted, "{server:?}");
        }
    }
}

#[test]
fn early_data_is_refused() {
    for server in [Server::Stock, Server::Ours] {
        assert_eq!(resumed(server, &GROUPS, 0), [REFUSED; 2], "{server:?}");
    }
}

/// Encrypted records are between the two hellos, and the second has a binder.
#[test]
fn early_data_is_refused_with_a_retry() {
    for server in [Server::Stock, Server::Ours] {
        let reports = resumed(server, &[backend::kx_group::X25519], 1000);
        assert_eq!(reports, [REFUSED; 2], "{server:?}");
    }
}
