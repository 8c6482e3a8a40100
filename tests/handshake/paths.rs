//! Parts of TLS 1.3 that go on behind a handshake with a credential, and small print before it.

use std::fmt;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use dc_core::{Form, SignatureScheme};
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Settings, Store};
use dc_tests::backend::BACKENDS;
use dc_tests::mutant::{Cut, Framing};
use dc_tests::pair::connect;
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Key, Vendor, provider};
#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, KeyLog, ServerConfig, ServerConnection, StreamOwned};

use crate::rogue::{CHUNKS, NAME, Scene};
use crate::setup::{ALL, acceptor, client, stock_server};

#[test]
fn keys_are_updated_from_both_ends() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let client = client(&vendor, NamePolicy::Required);
    for chunk in CHUNKS {
        let (near, far) = pipe(chunk);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut tls = acceptor.accept(far).unwrap();
                for round in 0..4 {
                    let mut line = [0; 4];
                    tls.read_exact(&mut line).unwrap();
                    if round % 2 == 0 {
                        tls.connection_mut().refresh_traffic_keys().unwrap();
                    }
                    tls.write_all(&line).unwrap();
                }
            });
            let name = ServerName::try_from(NAME).unwrap();
            let mut tls = client.connect(name, near).unwrap();
            for round in 0..4 {
                tls.connection_mut().refresh_traffic_keys().unwrap();
                let line = [round; 4];
                tls.write_all(&line).unwrap();
                let mut reply = [0; 4];
                tls.read_exact(&mut reply).unwrap();
                assert_eq!(reply, line);
            }
        });
    }
}

#[test]
fn both_ends_export_the_same() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    for policy in [NamePolicy::Required, NamePolicy::Ignored] {
        let client = client(&vendor, policy);
        // Full, then resumed.
        for _ in 0..2 {
            let (near, far) = pipe(ALL);
            let (near, far) = thread::scope(|scope| {
                let server = scope.spawn(|| {
                    let mut tls = acceptor.accept(far).unwrap();
                    tls.write_all(b"pong").unwrap();
                    CONTEXTS.map(|context| export(tls.connection(), context))
                });
                let name = ServerName::try_from(NAME).unwrap();
                let mut tls = client.connect(name, near).unwrap();
                tls.read_exact(&mut [0; 4]).unwrap();
                let near = CONTEXTS.map(|context| export(tls.connection(), context));
                (near, server.join().unwrap())
            });
            assert_eq!(near, far);
            assert!(near[0] != near[1] && near[1] != near[2]);
        }
    }
}

/// One looks like a ClientHello, and one like a Certificate.
const CONTEXTS: [Option<&[u8]>; 4] = [
    None,
    Some(b"\x01\0\0\x2c\x03\x03"),
    Some(b"\x0b\0\0\x04\0\0\0\0"),
    Some(b""),
];

fn export<D>(connection: &rustls::ConnectionCommon<D>, context: Option<&[u8]>) -> [u8; 32] {
    let label = b"EXPERIMENTAL test";
    connection
        .export_keying_material([0; 32], label, context)
        .unwrap()
}

/// Lines of a key log.
#[derive(Default)]
struct Log(Mutex<Vec<Line>>);

type Line = (String, Vec<u8>, Vec<u8>);

impl Log {
    fn lines(&self) -> Vec<Line> {
        let mut lines = self.0.lock().unwrap().clone();
        lines.sort();
        lines
    }
}

impl KeyLog for Log {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = (label.to_owned(), client_random.to_vec(), secret.to_vec());
        self.0.lock().unwrap().push(line);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

#[test]
fn both_ends_log_the_same_keys_as_stock_rustls_does() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let [near, far] = [(); 2].map(|()| Arc::new(Log::default()));
    let settings = Settings::new(provider()).key_log(far.clone());
    let store = Store::with_settings(settings);
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let client = Config::builder(provider())
        .roots(vendor.roots())
        .key_log(near.clone())
        .build()
        .unwrap();
    let outcome = connect(&client, NAME, &Acceptor::new(store), ALL);
    assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
    assert_eq!(near.lines(), far.lines());
    let sent = outcome.client.as_ref().unwrap().get_ref().sent();
    // Behind the record, message and version.
    let random = &sent[5 + 4 + 2..][..32];
    assert!(near.lines().iter().all(|(_, logged, _)| logged == random));
    let labels: Vec<String> = near.lines().into_iter().map(|(label, ..)| label).collect();
    assert_eq!(labels, stock_labels(&vendor));
}

fn stock_labels(vendor: &Vendor) -> Vec<String> {
    let log = Arc::new(Log::default());
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    config.key_log = log.clone();
    let name = ServerName::try_from(NAME).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let (near, far) = pipe(ALL);
    let server = ServerConnection::new(stock_server(vendor)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| StreamOwned::new(server, far).write_all(b"pong").unwrap());
        let mut tls = StreamOwned::new(connection, near);
        tls.read_exact(&mut [0; 4]).unwrap();
    });
    log.lines().into_iter().map(|(label, ..)| label).collect()
}

#[test]
fn the_application_protocol_is_agreed_on() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let protocols = |names: &[&str]| -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    };
    let settings = Settings::new(provider()).alpn_protocols(protocols(&["h2", "http/1.1"]));
    let store = Store::with_settings(settings);
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store);
    let client = |names: &[&str]| {
        Config::builder(provider())
            .roots(vendor.roots())
            .alpn_protocols(protocols(names))
            .build()
            .unwrap()
    };
    for chunk in CHUNKS {
        let outcome = connect(&client(&["http/1.1", "h2"]), NAME, &acceptor, chunk);
        let agreed = outcome.client.as_ref().unwrap().connection();
        assert_eq!(agreed.alpn_protocol(), Some(&b"h2"[..]));
        let outcome = connect(&client(&["dot"]), NAME, &acceptor, chunk);
        let alert = rustls::AlertDescription::NoApplicationProtocol;
        assert_eq!(outcome.alert_at_client(), alert);
    }
}

/// The most that one record holds, at the stock end.
const FRAGMENTS: [usize; 5] = [32, 33, 64, 300, 16_389];

#[test]
fn a_stock_server_with_small_fragments() {
    let vendor = Vendor::with_intermediates(Key::p256(), 2, 500);
    for fragment in FRAGMENTS {
        let mut config = ServerConfig::clone(&stock_server(&vendor));
        config.max_fragment_size = Some(fragment);
        config.cert_compressors.clear();
        let acceptor = Acceptor::new(Store::new(provider())).fallback(Arc::new(config));
        for chunk in CHUNKS {
            let client = client(&vendor, NamePolicy::Preferred);
            let outcome = connect(&client, NAME, &acceptor, chunk);
            assert_eq!(*outcome.peer(), Peer::Certificate, "{fragment}");
        }
    }
}

/// The ClientHello is in many records too; the server answers it with the fallback.
#[test]
fn a_stock_client_with_small_fragments() {
    let vendor = Vendor::default();
    let forms = [Form::Named, Form::Rfc9345];
    let acceptor =
        acceptor(&vendor, &Device::new("router"), &forms).fallback(stock_server(&vendor));
    for fragment in FRAGMENTS {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(vendor.roots())
            .with_no_client_auth();
        config.max_fragment_size = Some(fragment);
        let config = Arc::new(config);
        for chunk in CHUNKS {
            let name = ServerName::try_from(NAME).unwrap();
            let connection = ClientConnection::new(Arc::clone(&config), name).unwrap();
            let (near, far) = pipe(chunk);
            thread::scope(|scope| {
                scope.spawn(|| acceptor.accept(far).unwrap().write_all(b"pong").unwrap());
                let mut tls = StreamOwned::new(connection, near);
                tls.read_exact(&mut [0; 4]).unwrap();
            });
        }
    }
}

/// Post-quantum key shares make a ClientHello longer than one packet; ring has none.
#[cfg(feature = "aws-lc-rs")]
#[test]
fn a_key_share_of_more_than_a_kilobyte() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let hybrid = || {
        Arc::new(CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
            ..aws_lc_rs::default_provider()
        })
    };
    let store = Store::new(hybrid());
    let forms = [Form::Named, Form::Rfc9345];
    store.install(vendor.enrol(&device, &forms)).unwrap();
    let acceptor = Acceptor::new(store);
    for chunk in CHUNKS {
        let client = Config::builder(hybrid()).roots(vendor.roots());
        let outcome = connect(&client.build().unwrap(), NAME, &acceptor, chunk);
        assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
    }
}

#[test]
fn every_key_type_of_a_device_under_both_providers() {
    let vendor = Vendor::default();
    for backend in BACKENDS {
        for (key, scheme) in KEYS {
            // Whether ring can be the other end is not the question for P-521.
            if backend.name == "ring" && *scheme == SignatureScheme::ECDSA_SECP521R1_SHA512 {
                continue;
            }
            let device = Device::with_key("router", key());
            let store = Store::new(backend.provider());
            let forms = [Form::Named, Form::Rfc9345];
            store.install(vendor.enrol(&device, &forms)).unwrap();
            let acceptor = Acceptor::new(store);
            for policy in [NamePolicy::Required, NamePolicy::Ignored] {
                let client = Config::builder(backend.provider())
                    .roots(vendor.roots())
                    .unique_name(policy)
                    .build()
                    .unwrap();
                let outcome = connect(&client, NAME, &acceptor, ALL);
                assert!(
                    matches!(outcome.peer(), Peer::Delegated { scheme: found, .. } if found == scheme),
                    "{} {scheme:?}",
                    backend.name
                );
            }
        }
    }
}

type MakeKey = fn() -> Key;

const KEYS: &[(MakeKey, SignatureScheme)] = &[
    (Key::p256, SignatureScheme::ECDSA_SECP256R1_SHA256),
    (Key::p384, SignatureScheme::ECDSA_SECP384R1_SHA384),
    (Key::ed25519, SignatureScheme::ED25519),
    #[cfg(feature = "aws-lc-rs")]
    (Key::p521, SignatureScheme::ECDSA_SECP521R1_SHA512),
];

/// ring verifies no P-521, so a client with it does not offer it.
#[cfg(all(feature = "aws-lc-rs", feature = "ring"))]
#[test]
fn a_client_gets_no_credential_whose_key_it_cannot_use() {
    let vendor = Vendor::default();
    let device = Device::with_key("router", Key::p521());
    let store = Store::new(BACKENDS[1].provider());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store).fallback(stock_server(&vendor));
    let outcome = connect(
        &client(&vendor, NamePolicy::Preferred),
        NAME,
        &acceptor,
        ALL,
    );
    assert_eq!(*outcome.peer(), Peer::Certificate);
}

/// CertificateRequest comes in front of Certificate, and the client's own Certificate is empty.
#[test]
fn a_server_that_asks_for_a_certificate() {
    let scene = Scene::new();
    let client = scene.client(NamePolicy::Required);
    for cut in [Cut::Coalesced, Cut::Every(1)] {
        for chunk in CHUNKS {
            let own = scene.credential(Form::Named);
            let verdict = scene
                .device()
                .block(0, own)
                .asks_for(scene.vendor.roots())
                .framing(Framing { cut, padding: 0 })
                .meet(&client, chunk);
            assert!(matches!(verdict.accepted(), Peer::Delegated { .. }));
        }
    }
}
