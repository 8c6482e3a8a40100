//! ClientHellos that rustls never sends.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::Error;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Served, Settings, Store};
use dc_tests::backend::{BACKENDS, Backend};
use dc_tests::message::{
    CLIENT_HELLO, add_extensions, extension, find_extension, remove_extension, vector,
};
use dc_tests::mutant::{self, Framing, Rewrite, Wire};
use dc_tests::pair::last_words;
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::server::ServerSessionMemoryCache;
use rustls::{
    AlertDescription as Alert, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion,
    ServerConfig, StreamOwned, SupportedProtocolVersion,
};

use crate::rogue::NAME;
use crate::setup::{ALL, acceptor, stock_server};

const CHUNKS: [usize; 2] = [1, ALL];
const STATUS_REQUEST: u16 = 5;
const SIGNATURE_ALGORITHMS: u16 = 13;
const PRE_SHARED_KEY: u16 = 41;
const KEY_SHARE: u16 = 51;

pub(crate) type Answer = Result<Served, Error>;

/// What our acceptor makes of a client that talks on the other end.
pub(crate) fn accept(acceptor: &Acceptor, far: End) -> Answer {
    let mut tls = acceptor.accept(far)?;
    let mut line = [0; 4];
    tls.read_exact(&mut line)?;
    tls.write_all(&line)?;
    Ok(tls.served().clone())
}

/// A stock client with these extensions added: like the many that copy the hello of a browser.
fn imitator(
    vendor: &Vendor,
    added: &[u8],
    version: &'static SupportedProtocolVersion,
    acceptor: &Acceptor,
    chunk: usize,
) -> (Result<ProtocolVersion, rustls::Error>, Answer) {
    let added = added.to_vec();
    let change = move |hello: &[u8]| add_extensions(hello, &added);
    pretender(vendor, change, version, acceptor, chunk)
}

/// A stock client whose hello is changed.
pub(crate) fn pretender(
    vendor: &Vendor,
    change: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
    version: &'static SupportedProtocolVersion,
    acceptor: &Acceptor,
    chunk: usize,
) -> (Result<ProtocolVersion, rustls::Error>, Answer) {
    let rewrite = mutant::only(CLIENT_HELLO, change);
    let mut config = ClientConfig::builder_with_provider(mutant::provider(&provider(), &rewrite))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    config.cert_decompressors.clear();
    let name = ServerName::try_from(NAME).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let (near, far) = pipe(chunk);
    thread::scope(|scope| {
        let server = scope.spawn(|| accept(acceptor, far));
        let wire = Wire::new(near, &rewrite, Framing::default());
        let mut tls = StreamOwned::new(connection, wire);
        let exchanged = tls
            .write_all(b"ping")
            .and_then(|()| tls.read_exact(&mut [0; 4]));
        let client = match exchanged {
            Ok(()) => Ok(tls.conn.protocol_version().unwrap()),
            Err(error) => Err(last_words(&mut tls.conn, &mut tls.sock, error).unwrap()),
        };
        drop(tls);
        (client, server.join().unwrap())
    })
}

pub(crate) fn list(kind: u16, schemes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(schemes.len()).unwrap().to_be_bytes();
    extension(kind, &[&length, schemes].concat())
}

#[test]
fn a_list_that_is_malformed() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let forms = [Form::Named, Form::Rfc9345];
    let acceptor = acceptor(&vendor, &device, &forms).fallback(stock_server(&vendor));
    let good = list(34, &[4, 3]);
    for added in [
        extension(34, &[]),
        extension(34, &[0]),
        list(34, &[]),
        list(34, &[4]),
        list(34, &[4, 3, 4]),
        extension(34, &[0, 2, 4, 3, 0]),
        extension(34, &[0, 4, 4, 3]),
        list(0xff22, &[]),
        list(0xff22, &[4, 3, 4]),
        [good, list(0xff22, &[4])].concat(),
    ] {
        for chunk in CHUNKS {
            let (client, server) =
                imitator(&vendor, &added, &rustls::version::TLS13, &acceptor, chunk);
            let alert = rustls::Error::AlertReceived(Alert::DecodeError);
            assert_eq!(client, Err(alert), "{added:x?}");
            assert!(matches!(server, Err(Error::MalformedOffer)), "{server:?}");
        }
    }
}

/// An extension that is there twice is one that rustls sees too.
#[test]
fn a_list_that_is_there_twice() {
    let vendor = Vendor::default();
    let forms = [Form::Named, Form::Rfc9345];
    let acceptor =
        acceptor(&vendor, &Device::new("router"), &forms).fallback(stock_server(&vendor));
    for kind in [34, 0xff22] {
        let twice = list(kind, &[4, 3]).repeat(2);
        let (client, server) = imitator(&vendor, &twice, &rustls::version::TLS13, &acceptor, ALL);
        let alert = rustls::Error::AlertReceived(Alert::IllegalParameter);
        assert_eq!(client, Err(alert));
        assert!(
            matches!(server, Err(Error::Tls(rustls::Error::InvalidMessage(_)))),
            "{server:?}"
        );
    }
}

/// Unknown schemes, GREASE (RFC 8701) and those that no credential may have are passed over.
#[test]
fn a_list_with_nothing_that_suits() {
    let vendor = Vendor::default();
    let forms = [Form::Named, Form::Rfc9345];
    let alone = acceptor(&vendor, &Device::new("router"), &forms);
    let with_fallback = alone.clone().fallback(stock_server(&vendor));
    for schemes in [
        &[0x0a, 0x0a][..],
        &[0xfa, 0xfa, 0x12, 0x34],
        &[8, 4],
        &[8, 9, 8, 0x0a, 8, 0x0b],
        &[5, 3],
        &[2, 3, 4, 1],
    ] {
        for kind in [34, 0xff22] {
            let tls13 = &rustls::version::TLS13;
            let added = list(kind, schemes);
            let (client, server) = imitator(&vendor, &added, tls13, &with_fallback, ALL);
            assert_eq!(client, Ok(ProtocolVersion::TLSv1_3), "{schemes:x?}");
            assert_eq!(server.unwrap(), Served::Certificate);
            let (client, server) = imitator(&vendor, &added, tls13, &alone, ALL);
            let alert = rustls::Error::AlertReceived(Alert::HandshakeFailure);
            assert_eq!(client, Err(alert));
            assert!(matches!(server, Err(Error::NothingSuits)));
        }
    }
}

/// RFC 9345 §4.1.1: below TLS 1.3 the extension is ignored, whatever is in it.
#[test]
fn a_list_from_a_client_without_tls13() {
    let vendor = Vendor::default();
    let forms = [Form::Named, Form::Rfc9345];
    let acceptor =
        acceptor(&vendor, &Device::new("router"), &forms).fallback(stock_server(&vendor));
    for added in [list(34, &[4, 3]), list(0xff22, &[4, 3]), list(34, &[])] {
        for chunk in CHUNKS {
            let tls12 = &rustls::version::TLS12;
            let (client, server) = imitator(&vendor, &added, tls12, &acceptor, chunk);
            assert_eq!(client, Ok(ProtocolVersion::TLSv1_2));
            assert_eq!(server.unwrap(), Served::Certificate);
        }
    }
}

/// The client understands no credential, so it fails when it gets one.
#[track_caller]
pub(crate) fn assert_got_a_credential(
    (client, server): (Result<ProtocolVersion, rustls::Error>, Answer),
) {
    assert!(
        matches!(client, Err(rustls::Error::InvalidMessage(_))),
        "{client:?}"
    );
    let alert = rustls::Error::AlertReceived(Alert::DecodeError);
    assert!(
        matches!(&server, Err(Error::Tls(error)) if *error == alert),
        "{server:?}"
    );
}

/// It says so, and takes nothing: no harm is done to the clients behind it.
#[test]
fn a_client_that_only_pretends() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let forms = [Form::Named, Form::Rfc9345];
    let acceptor = acceptor(&vendor, &device, &forms).fallback(stock_server(&vendor));
    for kind in [34, 0xff22] {
        let tls13 = &rustls::version::TLS13;
        let outcome = imitator(&vendor, &list(kind, &[4, 3]), tls13, &acceptor, ALL);
        assert_got_a_credential(outcome);
        let (client, server) = imitator(&vendor, &[], tls13, &acceptor, ALL);
        assert!(client.is_ok());
        assert_eq!(server.unwrap(), Served::Certificate);
    }
}

/// Our client, whose hellos are rewritten once more.
struct Near {
    config: Config,
    rewrite: Rewrite,
}

impl Near {
    fn new(
        vendor: &Vendor,
        policy: NamePolicy,
        base: &CryptoProvider,
        change: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let rewrite = mutant::only(CLIENT_HELLO, change);
        let config = Config::builder(mutant::provider(base, &rewrite))
            .roots(vendor.roots())
            .unique_name(policy)
            .build()
            .unwrap();
        Self { config, rewrite }
    }

    /// One that takes both forms, whose second hello is changed.
    fn changing(vendor: &Vendor, base: &CryptoProvider, change: mutant::Change) -> Self {
        Self::new(
            vendor,
            NamePolicy::Preferred,
            base,
            move |hello| match is_second(hello) {
                true => change(hello),
                false => hello.to_vec(),
            },
        )
    }

    fn meet(
        &self,
        acceptor: &Acceptor,
        chunk: usize,
    ) -> (Result<(Peer, HandshakeKind), Error>, Answer) {
        let (near, far) = pipe(chunk);
        thread::scope(|scope| {
            let server = scope.spawn(|| accept(acceptor, far));
            let wire = Wire::new(near, &self.rewrite, Framing::default());
            let name = ServerName::try_from(NAME).unwrap();
            let client = self.config.connect(name, wire).and_then(|mut tls| {
                tls.write_all(b"ping")?;
                tls.read_exact(&mut [0; 4])?;
                let kind = tls.connection().handshake_kind().unwrap();
                Ok((tls.peer().clone(), kind))
            });
            (client, server.join().unwrap())
        })
    }
}

/// NSS and tlslite-ng are like that: the server relabels their offer to make rustls carry a blob.
#[test]
fn a_client_that_asks_for_no_certificate_status() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    for backend in BACKENDS {
        let sessions = ServerSessionMemoryCache::new(64);
        let server = |provider| {
            let settings = Settings::new(provider).session_storage(sessions.clone());
            let store = Store::with_settings(settings);
            let forms = [Form::Named, Form::Rfc9345];
            store.install(vendor.enrol(&device, &forms)).unwrap();
            Acceptor::new(store)
        };
        let any = server(backend.provider());
        let strict = server(backend.x25519_only());
        for policy in [
            NamePolicy::Required,
            NamePolicy::Preferred,
            NamePolicy::Ignored,
        ] {
            for chunk in CHUNKS {
                use HandshakeKind::{Full, FullWithHelloRetryRequest, Resumed};
                for (first, second, kind) in [
                    (None, &any, Full),
                    (None, &strict, FullWithHelloRetryRequest),
                    (Some(&any), &any, Resumed),
                    (Some(&any), &strict, Resumed),
                ] {
                    let no_status = |hello: &[u8]| remove_extension(hello, STATUS_REQUEST);
                    let base = backend.prefers_p384();
                    let near = Near::new(&vendor, policy, &base, no_status);
                    if let Some(first) = first {
                        near.meet(first, chunk).0.unwrap();
                    }
                    let (client, server) = near.meet(second, chunk);
                    let (peer, found) = client.unwrap();
                    assert!(matches!(peer, Peer::Delegated { .. }));
                    assert_eq!(found, kind);
                    assert!(matches!(server, Ok(Served::Delegated { .. })));
                }
            }
        }
    }
}

/// RFC 8446 §4.1.2: only a few extensions may change behind a HelloRetryRequest, and none of these.
#[test]
fn a_second_hello_with_another_offer() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let backend: Backend = BACKENDS[0];
    let store = Store::new(backend.x25519_only());
    let forms = [Form::Named, Form::Rfc9345];
    store.install(vendor.enrol(&device, &forms)).unwrap();
    let acceptor = Acceptor::new(store).fallback(stock_server(&vendor));
    let changes: [mutant::Change; 7] = [
        // A session, whose end the server would not have looked at.
        |hello| add_extensions(hello, &extension(PRE_SHARED_KEY, &one_session())),
        |hello| remove_extension(hello, 0xff22),
        |hello| remove_extension(hello, 34),
        |hello| add_extensions(&remove_extension(hello, 0xff22), &list(0xff22, &[4, 3])),
        |hello| add_extensions(&remove_extension(hello, 34), &list(34, &[])),
        |hello| remove_extension(hello, STATUS_REQUEST),
        |hello| {
            let algorithms = list(SIGNATURE_ALGORITHMS, &[4, 3]);
            add_extensions(&remove_extension(hello, SIGNATURE_ALGORITHMS), &algorithms)
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        for chunk in CHUNKS {
            let base = backend.prefers_p384();
            let near = Near::changing(&vendor, &base, change);
            let (client, server) = near.meet(&acceptor, chunk);
            let alert = rustls::Error::AlertReceived(Alert::IllegalParameter);
            assert!(
                matches!(&client, Err(Error::Tls(error)) if *error == alert),
                "{number}: {client:?}, {server:?}"
            );
            assert!(matches!(server, Err(Error::OfferChanged)), "{server:?}");
        }
    }
}

/// An identity of one byte, and its binder.
fn one_session() -> Vec<u8> {
    let identities = vector(2, &[0, 1, 7, 0, 0, 0, 0]);
    let binders = vector(2, &vector(1, &[0; 32]));
    [identities, binders].concat()
}

/// Nor may an offer change that no credential of the server's suits. What else changes is for stock rustls to judge.
#[test]
fn a_second_hello_with_another_offer_to_a_server_without_a_credential() {
    let vendor = Vendor::default();
    let backend: Backend = BACKENDS[0];
    let provider = backend.x25519_only();
    let fallback = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vendor.chain(), vendor.private_key())
        .unwrap();
    let acceptor = Acceptor::new(Store::new(provider)).fallback(Arc::new(fallback));
    let changes: [(mutant::Change, bool); 6] = [
        (|hello| remove_extension(hello, 0xff22), true),
        (|hello| remove_extension(hello, 34), true),
        (
            |hello| add_extensions(&remove_extension(hello, 34), &list(34, &[4, 3])),
            true,
        ),
        (
            |hello| add_extensions(&remove_extension(hello, 0xff22), &list(0xff22, &[])),
            true,
        ),
        (|hello| remove_extension(hello, STATUS_REQUEST), false),
        (<[u8]>::to_vec, false),
    ];
    for (number, (change, is_refused)) in changes.into_iter().enumerate() {
        for chunk in CHUNKS {
            let base = backend.prefers_p384();
            let near = Near::changing(&vendor, &base, change);
            let (client, server) = near.meet(&acceptor, chunk);
            let alert = rustls::Error::AlertReceived(Alert::IllegalParameter);
            match (is_refused, &client, &server) {
                (true, Err(Error::Tls(error)), Err(Error::OfferChanged)) if *error == alert => {}
                (false, Ok((Peer::Certificate, _)), Ok(Served::Certificate)) => {}
                _ => panic!("{number}: {client:?}, {server:?}"),
            }
        }
    }
}

/// The second has the key share that the server wants: X25519.
pub(crate) fn is_second(hello: &[u8]) -> bool {
    let share = find_extension(hello, KEY_SHARE).unwrap();
    share[6..8] == [0, 0x1d]
}
