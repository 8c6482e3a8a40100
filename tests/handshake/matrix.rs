//! Every way to make a connection, with every kind of peer, over both providers.

use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Served, Settings, Store};
use dc_tests::backend::{BACKENDS, Backend};
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Vendor};
use rustls::crypto::CryptoProvider;
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use rustls::{ClientConfig, HandshakeKind, ServerConfig};

use crate::ends::{AnyClient, AnyServer};
use crate::setup::ALL;

/// Who connects with whom, and what the client is then told.
#[derive(Clone, Copy, Debug)]
struct Row {
    client: Client,
    server: Server,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Client {
    Stock,
    Ours(NamePolicy),
    /// [`NamePolicy::Required`], with [`dc_rustls::client::Builder::or_certificate`].
    OrCertificate,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Server {
    Stock,
    /// With a fallback.
    Ours(&'static [Form]),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    Certificate,
    Credential(Form),
}

const BOTH: &[Form] = &[Form::Rfc9345, Form::Named];
const CERTIFICATE: Answer = Answer::Certificate;
const NAMED: Answer = Answer::Credential(Form::Named);
const RFC9345: Answer = Answer::Credential(Form::Rfc9345);

#[rustfmt::skip]
const ROWS: [Row; 17] = [
    Row { client: Client::Stock, server: Server::Stock, answer: CERTIFICATE },
    Row { client: Client::Stock, server: Server::Ours(&[]), answer: CERTIFICATE },
    Row { client: Client::Stock, server: Server::Ours(BOTH), answer: CERTIFICATE },
    Row { client: Client::Ours(NamePolicy::Ignored), server: Server::Stock, answer: CERTIFICATE },
    Row { client: Client::Ours(NamePolicy::Ignored), server: Server::Ours(&[]), answer: CERTIFICATE },
    Row { client: Client::Ours(NamePolicy::Ignored), server: Server::Ours(&[Form::Named]), answer: CERTIFICATE },
    Row { client: Client::Ours(NamePolicy::Ignored), server: Server::Ours(BOTH), answer: RFC9345 },
    Row { client: Client::Ours(NamePolicy::Preferred), server: Server::Stock, answer: CERTIFICATE },
    Row { client: Client::Ours(NamePolicy::Preferred), server: Server::Ours(&[]), answer: CERTIFICATE },
    Row { client: Client::Ours(NamePolicy::Preferred), server: Server::Ours(&[Form::Rfc9345]), answer: RFC9345 },
    Row { client: Client::Ours(NamePolicy::Preferred), server: Server::Ours(BOTH), answer: NAMED },
    Row { client: Client::Ours(NamePolicy::Required), server: Server::Ours(&[Form::Named]), answer: NAMED },
    Row { client: Client::Ours(NamePolicy::Required), server: Server::Ours(BOTH), answer: NAMED },
    Row { client: Client::OrCertificate, server: Server::Stock, answer: CERTIFICATE },
    Row { client: Client::OrCertificate, server: Server::Ours(&[]), answer: CERTIFICATE },
    Row { client: Client::OrCertificate, server: Server::Ours(&[Form::Rfc9345]), answer: CERTIFICATE },
    Row { client: Client::OrCertificate, server: Server::Ours(BOTH), answer: NAMED },
];

/// What kind of handshake it is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Path {
    Full,
    /// The server asks for another key share.
    Retry,
    Resumed,
    /// Both at once: the second ClientHello has a binder.
    ResumedRetry,
    /// 0-RTT.
    Early(Early),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Early {
    Accepted,
    Refused,
    /// Refused by asking for another key share.
    Retry,
}

const PATHS: [Path; 7] = [
    Path::Full,
    Path::Retry,
    Path::Resumed,
    Path::ResumedRetry,
    Path::Early(Early::Accepted),
    Path::Early(Early::Refused),
    Path::Early(Early::Retry),
];

impl Path {
    /// What both ends say; rustls 0.23 counts a resumption with a retry as a resumption.
    fn kind(self) -> HandshakeKind {
        match self {
            Self::Full => HandshakeKind::Full,
            Self::Retry => HandshakeKind::FullWithHelloRetryRequest,
            Self::Resumed | Self::ResumedRetry | Self::Early(_) => HandshakeKind::Resumed,
        }
    }
}

#[test]
fn all_paths_whole_records() {
    run_all(ALL, 100_000);
}

#[test]
fn all_paths_at_one_byte_a_time() {
    run_all(1, 300);
}

fn run_all(chunk: usize, body: usize) {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let mut cells = Vec::new();
    for &ours in BACKENDS {
        for &theirs in BACKENDS {
            for row in ROWS {
                cells.extend(PATHS.map(|path| (ours, theirs, row, path)));
            }
        }
    }
    let pairs = BACKENDS.len() * BACKENDS.len();
    assert_eq!(cells.len(), pairs * 17 * 7);
    let bench = Bench {
        vendor: &vendor,
        device: &device,
        chunk,
        body,
    };
    thread::scope(|scope| {
        for half in cells.chunks(cells.len().div_ceil(2)) {
            scope.spawn(move || {
                for &(client, server, row, path) in half {
                    let cell = format!("{} - {}, {row:?}, {path:?}", client.name, server.name);
                    bench.run(&cell, [client, server], row, path);
                }
            });
        }
    });
}

#[derive(Clone, Copy)]
struct Bench<'a> {
    vendor: &'a Vendor,
    device: &'a Device,
    chunk: usize,
    body: usize,
}

impl Bench<'_> {
    fn run(&self, cell: &str, [near, far]: [Backend; 2], row: Row, path: Path) {
        let sessions = ServerSessionMemoryCache::new(64);
        let client = self.client(row.client, near.prefers_p384());
        let server = |provider, early| self.server(row.server, provider, &sessions, early);
        let any = || far.provider();
        let strict = || far.x25519_only();
        let (first, second) = match path {
            Path::Full => (None, server(any(), 0)),
            Path::Retry => (None, server(strict(), 0)),
            Path::Resumed => (Some(server(any(), 0)), server(any(), 0)),
            Path::ResumedRetry => (Some(server(any(), 0)), server(strict(), 0)),
            Path::Early(Early::Accepted) => (Some(server(any(), 9000)), server(any(), 9000)),
            Path::Early(Early::Refused) => (Some(server(any(), 9000)), server(any(), 0)),
            Path::Early(Early::Retry) => (Some(server(any(), 9000)), server(strict(), 9000)),
        };
        if let Some(first) = first {
            let report = self.converse(cell, &client, &first);
            assert_eq!(report.kinds, [HandshakeKind::Full; 2], "{cell}");
            assert_eq!(report.early, [None, None], "{cell}");
            assert_answer(cell, &report, row);
        }
        let report = self.converse(cell, &client, &second);
        assert_eq!(report.kinds, [path.kind(); 2], "{cell}");
        assert_answer(cell, &report, row);
        let early = match path {
            Path::Early(Early::Accepted) => [Some(true), Some(true)],
            Path::Early(Early::Refused | Early::Retry) => [Some(false), None],
            _ => [None, None],
        };
        assert_eq!(report.early, early, "{cell}");
    }

    fn client(&self, client: Client, provider: Arc<CryptoProvider>) -> AnyClient {
        let ours = |policy| {
            Config::builder(provider.clone())
                .roots(self.vendor.roots())
                .unique_name(policy)
                .early_data()
        };
        match client {
            Client::Ours(policy) => AnyClient::Ours(ours(policy).build().unwrap()),
            Client::OrCertificate => {
                let builder = ours(NamePolicy::Required).or_certificate();
                AnyClient::Ours(builder.build().unwrap())
            }
            Client::Stock => {
                let mut config = ClientConfig::builder_with_provider(provider)
                    .with_protocol_versions(&[&rustls::version::TLS13])
                    .unwrap()
                    .with_root_certificates(self.vendor.roots())
                    .with_no_client_auth();
                config.enable_early_data = true;
                AnyClient::Stock(Arc::new(config))
            }
        }
    }

    fn server(
        &self,
        server: Server,
        provider: Arc<CryptoProvider>,
        sessions: &Arc<ServerSessionMemoryCache>,
        early: u32,
    ) -> AnyServer {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.vendor.chain(), self.vendor.private_key())
            .unwrap();
        config.max_early_data_size = early;
        config.session_storage = sessions.clone();
        let config = Arc::new(config);
        match server {
            Server::Stock => AnyServer::Stock(config),
            Server::Ours(forms) => {
                let sessions: Arc<dyn StoresServerSessions> = sessions.clone();
                let settings = Settings::new(provider)
                    .session_storage(sessions)
                    .max_early_data(early);
                let store = Store::with_settings(settings);
                if !forms.is_empty() {
                    store
                        .install(self.vendor.enrol(self.device, forms))
                        .unwrap();
                }
                AnyServer::Ours(Acceptor::new(store).fallback(config))
            }
        }
    }

    fn converse(&self, cell: &str, client: &AnyClient, server: &AnyServer) -> Report {
        let (near, far) = pipe(self.chunk);
        let request: Vec<u8> = (0..self.body).map(|i| (i % 251) as u8).collect();
        thread::scope(|scope| {
            let far = scope.spawn(|| server.serve(far, request.len()));
            let near = client.ask(&self.device.name, near, &request);
            let far = far.join();
            let (Ok(near), Ok(Ok(far))) = (near.as_ref(), far.as_ref()) else {
                panic!("{cell}: {near:?}, {far:?}");
            };
            Report {
                peer: near.peer.clone(),
                served: far.served.clone(),
                kinds: [near.kind, far.kind],
                early: [near.early, far.early],
            }
        })
    }
}

#[track_caller]
fn assert_answer(cell: &str, report: &Report, row: Row) {
    let peer = match &report.peer {
        None => None,
        Some(Peer::Certificate) => Some(Answer::Certificate),
        Some(Peer::Delegated { form, .. }) => Some(Answer::Credential(*form)),
        Some(other) => panic!("{cell}: {other:?}"),
    };
    let served = match &report.served {
        None => None,
        Some(Served::Certificate) => Some(Answer::Certificate),
        Some(Served::Delegated { form, .. }) => Some(Answer::Credential(*form)),
        Some(other) => panic!("{cell}: {other:?}"),
    };
    let ours = |is_ours: bool| is_ours.then_some(row.answer);
    assert_eq!(peer, ours(row.client != Client::Stock), "{cell}");
    assert_eq!(served, ours(row.server != Server::Stock), "{cell}");
}

/// How it went; stock ends do not say who answered.
#[derive(Debug)]
struct Report {
    peer: Option<Peer>,
    served: Option<Served>,
    kinds: [HandshakeKind; 2],
    /// Whether early data was taken, where it was sent or arrived.
    early: [Option<bool>; 2],
}
