//! Clients that present credentials over QUIC (RFC 9345 §4.1.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dc_core::{Form, Role};
use dc_rustls::client::{Builder, IdentityStore, NamePolicy, Peer};
use dc_rustls::quinn::{self as quic, EarlyData};
use dc_rustls::server::{Acceptor, ClientCredentials, Settings};
use dc_tests::vendor::{Device, Key, Vendor, provider};
use quinn::{Endpoint, TransportConfig};
use rustls::AlertDescription as Alert;
use rustls::compress::{BROTLI_DECOMPRESSOR, CertDecompressor, DecompressionFailed};
use rustls::time_provider::TimeProvider;
use tokio::runtime::Builder as RuntimeBuilder;

use super::pair::{ALPN, Listening, Met, configure, connect, exchange, serving};
use crate::clients::{FRONTS, Front, Site};
use crate::events::logged;
use crate::setup::{Clock, HOUR, stock_server};

const CAMERA: &str = "camera.cpe.example.com";

/// quinn's configuration of a client, early data included.
fn over_quic(client: Builder) -> quinn::ClientConfig {
    let client = client.alpn_protocols([ALPN.to_vec()]).build().unwrap();
    configure(&client, EarlyData::Allowed)
}

/// A client with the camera's credentials of these forms.
fn camera(site: &Site, forms: &[Form]) -> quinn::ClientConfig {
    over_quic(site.builder().client_identity(site.identities(forms)))
}

async fn meet(site: &Site, client: &quinn::ClientConfig, acceptor: &Acceptor) -> Met {
    let server = Listening::new(acceptor, EarlyData::Allowed);
    connect(client, &server, &site.router.name).await
}

impl Met {
    /// The client, as the server knows it.
    #[track_caller]
    fn known(&self) -> &quic::Client {
        assert!(self.client.is_ok(), "{:?}", self.client);
        self.server.as_ref().unwrap()
    }

    /// The form and the name that the client has.
    #[track_caller]
    fn delegated(&self) -> (Form, Option<String>) {
        match self.known().peer.as_deref() {
            Some(Peer::Delegated {
                form, unique_name, ..
            }) => (*form, unique_name.as_ref().map(ToString::to_string)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_learns_of_either_form() {
    let site = Site::new();
    for front in FRONTS {
        for (policy, forms, expected) in [
            (NamePolicy::Required, &Form::ALL[..], Form::Named),
            (NamePolicy::Preferred, &Form::ALL, Form::Named),
            (NamePolicy::Preferred, &[Form::Rfc9345], Form::Rfc9345),
            (NamePolicy::Ignored, &Form::ALL, Form::Rfc9345),
        ] {
            let acceptor = site.acceptor(front, site.policy().unique_name(policy));
            let met = meet(&site, &camera(&site, forms), &acceptor).await;
            let name = (expected == Form::Named).then(|| CAMERA.to_owned());
            assert_eq!(met.delegated(), (expected, name), "{front:?}, {policy:?}");
            let Some(Peer::Delegated { spki, .. }) = met.known().peer.as_deref() else {
                unreachable!();
            };
            assert_eq!(*spki, site.camera.key.spki());
            // What was next to it is no certificate.
            assert_eq!(met.known().certificates, site.clients.chain());
            let is_delegated = matches!(met.peer(), Peer::Delegated { .. });
            assert_eq!(is_delegated, front == Front::Credential);
        }
    }
}

#[tokio::test]
async fn after_a_hello_retry_request() {
    let site = Site::new();
    let backend = &dc_tests::backend::BACKENDS[0];
    for front in FRONTS {
        let client = dc_rustls::client::Config::builder(backend.prefers_p384());
        let client = client.roots(site.vendor.roots()).or_certificate();
        let client = over_quic(client.client_identity(site.identities(&Form::ALL)));
        let settings = Settings::new(backend.x25519_only());
        let acceptor = site.acceptor_with(front, settings, site.policy());
        let fallback = rustls::ServerConfig::builder_with_provider(backend.x25519_only())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(site.vendor.chain(), site.vendor.private_key())
            .unwrap();
        let acceptor = acceptor.fallback(Arc::new(fallback));
        let met = meet(&site, &client, &acceptor).await;
        assert_eq!(met.delegated().1.as_deref(), Some(CAMERA), "{front:?}");
    }
}

#[tokio::test]
async fn clients_that_present_nothing() {
    let site = Site::new();
    for front in FRONTS {
        for client in [
            over_quic(site.builder()),
            // Of a form that was not asked for.
            camera(&site, &[Form::Rfc9345]),
        ] {
            let optional = site.acceptor(front, site.policy().optional());
            let met = meet(&site, &client, &optional).await;
            assert_eq!(met.known().peer, None);
            assert!(met.known().certificates.is_empty());
            let mandatory = site.acceptor(front, site.policy());
            let met = meet(&site, &client, &mandatory).await;
            assert_eq!(met.alert_at_client().0, Alert::CertificateRequired);
        }
    }
}

#[test]
fn the_log_has_why_a_client_was_refused() {
    let site = Site::new();
    let runtime = RuntimeBuilder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let acceptor = site.acceptor(FRONTS[0], site.policy().authorize(|_| false));
    let text = logged(|| {
        let camera = runtime.block_on(async {
            let camera = camera(&site, &[Form::Named]);
            meet(&site, &camera, &acceptor).await
        });
        assert_eq!(camera.alert_at_client().0, Alert::AccessDenied);
    });
    let line = text
        .lines()
        .find(|line| line.contains("did not serve a client"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    for part in ["DEBUG", "NotAuthorized"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn a_certificate_where_that_is_enough() {
    let site = Site::new();
    let key = provider().key_provider;
    let key = key.load_private_key(site.clients.private_key()).unwrap();
    let certified = rustls::sign::CertifiedKey::new(site.clients.chain(), key);
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    let client = over_quic(site.builder().client_auth(resolver));
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy().or_certificate());
        let met = meet(&site, &client, &acceptor).await;
        assert_eq!(met.known().peer.as_deref(), Some(&Peer::Certificate));
        let acceptor = site.acceptor(front, site.policy());
        let met = meet(&site, &client, &acceptor).await;
        assert_eq!(met.alert_at_client().0, Alert::HandshakeFailure);
    }
}

/// What is refused, and the alert that it gets as CRYPTO_ERROR.
#[tokio::test]
async fn what_a_server_does_not_accept() {
    let site = Site::new();
    let strangers = Site::new();
    let of = |identity| {
        let store = IdentityStore::new(provider());
        dc_rustls::client::danger::install_unchecked(&store, identity).unwrap();
        over_quic(site.builder().client_identity(store))
    };
    let wrong_role = of(site.identity(vec![site.issue_as(Role::Server, Form::Named)]));
    let mut stored = site.issue(Form::Named);
    *stored.bytes.last_mut().unwrap() ^= 1;
    let tampered = of(site.identity(vec![stored]));
    let other = Device::new("camera").key.private_key();
    let chain = site.clients.chain();
    let stored = vec![site.issue(Form::Named)];
    let wrong_key = of(dc_rustls::server::Identity::new(chain, stored, other));
    let stranger = over_quic(
        site.builder()
            .client_identity(strangers.identities(&Form::ALL)),
    );
    let unwanted = camera(&site, &Form::ALL);
    for front in FRONTS {
        for (client, expected) in [
            (&wrong_role, Alert::IllegalParameter),
            (&tampered, Alert::IllegalParameter),
            (&wrong_key, Alert::DecryptError),
            (&stranger, Alert::UnknownCA),
            (&unwanted, Alert::AccessDenied),
        ] {
            let policy = match expected {
                Alert::AccessDenied => site.policy().authorize(|_| false),
                _ => site.policy(),
            };
            let met = meet(&site, client, &site.acceptor(front, policy)).await;
            assert_eq!(met.alert_at_client().0, expected, "{front:?}");
        }
    }
}

#[tokio::test]
async fn an_expired_credential() {
    let site = Site::new();
    for front in FRONTS {
        let clock = Clock::now();
        let acceptor = acceptor_at(&site, front, &clock, site.policy());
        let client = client_until(&site, &Clock::now(), HOUR);
        assert_eq!(
            meet(&site, &client, &acceptor).await.delegated().0,
            Form::Named
        );
        clock.forward(2 * HOUR);
        let client = client_until(&site, &Clock::now(), HOUR);
        let met = meet(&site, &client, &acceptor).await;
        assert_eq!(met.alert_at_client().0, Alert::IllegalParameter);
    }
}

/// A server whose time is `clock`'s.
fn acceptor_at(site: &Site, front: Front, clock: &Clock, policy: ClientCredentials) -> Acceptor {
    let clock = Arc::new(clock.clone());
    let settings = Settings::new(provider()).time_provider(clock.clone());
    let mut config = (*stock_server(&site.vendor)).clone();
    config.time_provider = clock;
    let acceptor = site.acceptor_with(front, settings, policy);
    acceptor.fallback(Arc::new(config))
}

/// A client whose credential lasts for so long.
fn client_until(site: &Site, clock: &Clock, lifetime: std::time::Duration) -> quinn::ClientConfig {
    let now = clock.current_time().unwrap();
    let stored = site
        .clients
        .issue_as(Role::Client, &site.camera, Form::Named, now, lifetime);
    let clock = Arc::new(clock.clone());
    let identities = IdentityStore::with_time_provider(provider(), clock.clone());
    identities.install(site.identity(vec![stored])).unwrap();
    let client = site.builder().client_identity(identities);
    over_quic(client.time_provider(clock))
}

/// A server that says of each stream how it came and from whom, and of each connection whom it was taken to be with
/// at first.
async fn answer(
    acceptor: &Acceptor,
    at_first: Arc<AtomicUsize>,
) -> (Endpoint, std::net::SocketAddr) {
    let config = serving(acceptor, EarlyData::Allowed);
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
    let accepting = endpoint.clone();
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            let (connection, _) = incoming
                .accept()
                .unwrap()
                .into_0rtt()
                .unwrap_or_else(|_| unreachable!());
            if quic::client(&connection).is_some() {
                at_first.fetch_add(1, Ordering::Relaxed);
            }
            tokio::spawn(async move {
                while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                    let how = if receive.is_0rtt() { "early" } else { "late" };
                    let client = quic::client(&connection).unwrap();
                    let name = match client.peer.as_deref() {
                        Some(Peer::Delegated { unique_name, .. }) => {
                            unique_name.as_ref().unwrap().to_string()
                        }
                        Some(other) => panic!("{other:?}"),
                        None => "nobody".to_owned(),
                    };
                    receive.read_to_end(100).await.unwrap();
                    let line = format!("{how} {name}, {}", client.certificates.len());
                    send.write_all(line.as_bytes()).await.unwrap();
                    send.finish().unwrap();
                }
            });
        }
    });
    let address = endpoint.local_addr().unwrap();
    (endpoint, address)
}

/// The answer to a line that was sent early, if that was possible.
async fn ask(client: &quinn::ClientConfig, address: std::net::SocketAddr, name: &str) -> String {
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint
        .connect_with(client.clone(), address, name)
        .unwrap();
    let connection = match connecting.into_0rtt() {
        Ok((connection, accepted)) => {
            tokio::spawn(accepted);
            connection
        }
        Err(connecting) => connecting.await.unwrap(),
    };
    let line = match exchange(&connection).await {
        Ok(line) => line,
        // The server has not taken it early.
        Err(_) => exchange(&connection).await.unwrap(),
    };
    String::from_utf8(line).unwrap()
}

#[tokio::test]
async fn a_resumed_connection_and_early_data_are_from_a_client_that_is_known() {
    let site = Site::new();
    for front in FRONTS {
        let clock = Clock::now();
        let acceptor = acceptor_at(&site, front, &clock, site.policy().optional());
        let client = client_until(&site, &clock, HOUR);
        let known_at_first = Arc::new(AtomicUsize::new(0));
        let (_server, address) = answer(&acceptor, known_at_first.clone()).await;
        let ask = async || ask(&client, address, &site.router.name).await;
        let count = || known_at_first.load(Ordering::Relaxed);
        assert_eq!(ask().await, format!("late {CAMERA}, 1"));
        // Whoever it is, it has not said so in its hello.
        assert_eq!(count(), 0);
        clock.forward(HOUR - std::time::Duration::from_secs(60));
        assert_eq!(ask().await, format!("early {CAMERA}, 1"));
        assert_eq!(count(), 1);
        clock.forward(std::time::Duration::from_secs(120));
        // The session has ended with the credential, and there is none that could be presented.
        assert_eq!(ask().await, "late nobody, 0");
        assert_eq!(count(), 1);
    }
}

#[tokio::test]
async fn a_client_is_asked_about_again_before_a_session_is_resumed() {
    let site = Site::new();
    for front in FRONTS {
        let is_wanted = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&is_wanted);
        let policy = site.policy();
        let policy = policy.authorize(move |_| asked.load(Ordering::Relaxed));
        let acceptor = site.acceptor(front, policy);
        let client = camera(&site, &Form::ALL);
        let server = Listening::new(&acceptor, EarlyData::Never);
        let met = connect(&client, &server, &site.router.name).await;
        assert_eq!(met.delegated().0, Form::Named);
        is_wanted.store(false, Ordering::Relaxed);
        let met = connect(&client, &server, &site.router.name).await;
        assert_eq!(met.alert_at_client().0, Alert::AccessDenied);
    }
}

/// Flights of many small packets in both directions, cut wherever those end.
#[tokio::test]
async fn long_chains_and_many_authorities_in_small_packets() {
    let mut small = TransportConfig::default();
    small.initial_mtu(1200).mtu_discovery_config(None);
    let small = Arc::new(small);
    for size in [300, 3000, 15_000] {
        let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 3, size));
        let mut roots = site.clients.roots();
        for _ in 0..100 {
            roots.add(Vendor::default().root_der()).unwrap();
        }
        let policy = ClientCredentials::roots(&provider(), roots).unwrap();
        for front in FRONTS {
            // Each cut is somewhere else.
            for others in 0..4 {
                let others = (0..others).map(|other| vec![other; 97]);
                let protocols = others.chain([ALPN.to_vec()]);
                let client = site.builder().alpn_protocols(protocols);
                let client = client.client_identity(site.identities(&Form::ALL));
                let mut config = configure(&client.build().unwrap(), EarlyData::Never);
                config.transport_config(small.clone());
                let acceptor = site.acceptor(front, policy.clone());
                let met = meet(&site, &config, &acceptor).await;
                assert_eq!(met.delegated().1.as_deref(), Some(CAMERA));
                assert_eq!(met.known().certificates.len(), 4);
            }
        }
    }
}

/// Counts what it decompresses.
#[derive(Debug)]
struct Counting(AtomicUsize);

impl CertDecompressor for Counting {
    fn decompress(&self, input: &[u8], output: &mut [u8]) -> Result<(), DecompressionFailed> {
        self.0.fetch_add(1, Ordering::Relaxed);
        BROTLI_DECOMPRESSOR.decompress(input, output)
    }

    fn algorithm(&self) -> rustls::CertificateCompressionAlgorithm {
        BROTLI_DECOMPRESSOR.algorithm()
    }
}

#[tokio::test]
async fn a_compressed_certificate() {
    static COUNTING: Counting = Counting(AtomicUsize::new(0));
    let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 1, 3000));
    let mut fallback = (*stock_server(&site.vendor)).clone();
    fallback.cert_decompressors = vec![&COUNTING];
    let acceptor = site.acceptor(Front::Certificate, site.policy());
    let acceptor = acceptor.fallback(Arc::new(fallback));
    let met = meet(&site, &camera(&site, &Form::ALL), &acceptor).await;
    assert_eq!(met.delegated().1.as_deref(), Some(CAMERA));
    assert_eq!(met.known().certificates.len(), 2);
    assert_eq!(COUNTING.0.load(Ordering::Relaxed), 1);
    // One that was changed inside is refused as it would be without.
    let mut stored = site.issue(Form::Named);
    stored.bytes[2] ^= 1;
    let store = IdentityStore::new(provider());
    let identity = site.identity(vec![stored]);
    dc_rustls::client::danger::install_unchecked(&store, identity).unwrap();
    let client = over_quic(site.builder().client_identity(store));
    let met = meet(&site, &client, &acceptor).await;
    assert_eq!(met.alert_at_client().0, Alert::IllegalParameter);
    assert_eq!(COUNTING.0.load(Ordering::Relaxed), 2);
}
