//! One end is this project's, the other is rustls as it comes.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Served, Store};
use dc_rustls::{Error, Refusal};
use dc_tests::pair::{connect, last_words};
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use crate::setup::{ALL, acceptor, client, stock_server};

const NAME: &str = "router.cpe.example.com";

/// A stock client's handshake with our acceptor.
fn stock_client(
    vendor: &Vendor,
    acceptor: &Acceptor,
    versions: &[&'static SupportedProtocolVersion],
) -> (Result<(), rustls::Error>, Result<Served, Error>) {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(vendor.roots())
        .with_no_client_auth();
    let name = ServerName::try_from(NAME).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = acceptor.accept(far)?;
            tls.write_all(b"pong")?;
            Ok(tls.served().clone())
        });
        let mut tls = StreamOwned::new(connection, near);
        let client = match tls.read_exact(&mut [0; 4]) {
            Ok(()) => Ok(()),
            Err(error) => Err(last_words(&mut tls.conn, &mut tls.sock, error).unwrap()),
        };
        drop(tls);
        (client, server.join().unwrap())
    })
}

/// Our client's handshake with a stock server.
fn stock_serves(
    client: &Config,
    config: Arc<ServerConfig>,
) -> (Result<Peer, Error>, Option<rustls::Error>) {
    let (near, far) = pipe(ALL);
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), far);
            let error = tls
                .write_all(b"pong")
                .and_then(|()| tls.read(&mut [0]))
                .err();
            last_words(&mut tls.conn, &mut tls.sock, error?)
        });
        let name = ServerName::try_from(NAME).unwrap();
        let result = client.connect(name, near).and_then(|mut tls| {
            tls.read_exact(&mut [0; 4])?;
            Ok(tls.peer().clone())
        });
        (result, server.join().unwrap())
    })
}

#[test]
fn a_stock_client_gets_the_fallback_in_either_version() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor =
        acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]).fallback(stock_server(&vendor));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let (client, server) = stock_client(&vendor, &acceptor, &[version]);
        assert_eq!(client, Ok(()));
        assert_eq!(server.unwrap(), Served::Certificate);
    }
}

#[test]
fn a_stock_client_gets_a_clean_alert_where_there_is_no_fallback() {
    let vendor = Vendor::default();
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let (client, server) = stock_client(&vendor, &acceptor, rustls::ALL_VERSIONS);
    let alert = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
    assert_eq!(client, Err(alert));
    assert!(matches!(server, Err(Error::NothingSuits)));
}

#[test]
fn what_is_not_tls_gets_rustls_own_alert() {
    let acceptor = Acceptor::new(Store::new(provider()));
    let (mut near, far) = pipe(ALL);
    near.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let error = acceptor.accept(far).unwrap_err();
    assert!(
        matches!(error, Error::Tls(rustls::Error::InvalidMessage(_))),
        "{error:?}"
    );
    let mut alert = Vec::new();
    near.read_to_end(&mut alert).unwrap();
    assert_eq!(alert[..1], [21]);
}

#[test]
fn our_client_accepts_a_stock_server_unless_a_credential_is_required() {
    let vendor = Vendor::default();
    for policy in [NamePolicy::Preferred, NamePolicy::Ignored] {
        let (peer, _) = stock_serves(&client(&vendor, policy), stock_server(&vendor));
        assert_eq!(peer.unwrap(), Peer::Certificate);
    }
    let required = client(&vendor, NamePolicy::Required);
    let (peer, server) = stock_serves(&required, stock_server(&vendor));
    assert!(matches!(
        peer,
        Err(Error::Refused(Refusal::CredentialRequired))
    ));
    let alert = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
    assert_eq!(server, Some(alert));
}

fn tls12_server(
    vendor: &Vendor,
    resolver: Arc<dyn ResolvesServerCert>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ServerConfig> {
    let _ = vendor;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    Arc::new(config)
}

fn certified(vendor: &Vendor, ocsp: Option<Vec<u8>>) -> Arc<dyn ResolvesServerCert> {
    let key = provider()
        .key_provider
        .load_private_key(vendor.private_key())
        .unwrap();
    let mut certified = CertifiedKey::new(vendor.chain(), key);
    certified.ocsp = ocsp;
    Arc::new(SingleCertAndKey::from(certified))
}

#[test]
fn our_client_talks_tls12_only_when_it_is_allowed() {
    let vendor = Vendor::default();
    let server = || tls12_server(&vendor, certified(&vendor, None), &rustls::version::TLS12);
    let (refused, _) = stock_serves(&client(&vendor, NamePolicy::Preferred), server());
    assert!(refused.is_err());
    let allowed = Config::builder(provider())
        .roots(vendor.roots())
        .unique_name(NamePolicy::Preferred)
        .allow_tls12()
        .build()
        .unwrap();
    let (peer, _) = stock_serves(&allowed, server());
    assert_eq!(peer.unwrap(), Peer::Certificate);
}

/// A blob that stands for a good credential: what our own server gives rustls as OCSP response.
pub(crate) fn smuggled(vendor: &Vendor, device: &Device) -> Vec<u8> {
    let stored = vendor.issue(device, Form::Named);
    let [head, rest] = [&stored.bytes[..6], &stored.bytes[6..]];
    let spki_len = usize::from(rest[1]) << 8 | usize::from(rest[2]);
    let (spki, rest) = rest[3..].split_at(spki_len);
    let (name_and_alg, signature) = rest.split_at(1 + usize::from(rest[0]) + 2);
    [&[0x23], head, spki, name_and_alg, &signature[2..]].concat()
}

/// Whoever holds the certificate's key could otherwise pass for any device to this client.
#[test]
fn a_credential_smuggled_in_as_an_ocsp_response_is_refused() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = Config::builder(provider())
        .roots(vendor.roots())
        .allow_tls12()
        .build()
        .unwrap();
    for (version, refusal) in [
        (&rustls::version::TLS12, Refusal::VersionTooOld),
        (&rustls::version::TLS13, Refusal::MalformedExtensions),
    ] {
        let resolver = certified(&vendor, Some(smuggled(&vendor, &device)));
        let (peer, _) = stock_serves(&client, tls12_server(&vendor, resolver, version));
        match peer {
            Err(Error::Refused(got)) => assert_eq!(got, refusal),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_stapled_ocsp_response_passes_both_ways() {
    let vendor = Vendor::default();
    // SEQUENCE { ENUMERATED 3 }: tryLater, the shortest response there is.
    let resolver = certified(&vendor, Some(vec![0x30, 3, 0x0a, 1, 3]));
    let config = tls12_server(&vendor, resolver, &rustls::version::TLS13);
    let (peer, _) = stock_serves(&client(&vendor, NamePolicy::Preferred), config);
    assert_eq!(peer.unwrap(), Peer::Certificate);
}

#[test]
fn one_acceptor_serves_clients_of_all_kinds_in_turn() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor =
        acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]).fallback(stock_server(&vendor));
    for _ in 0..2 {
        for policy in [
            NamePolicy::Required,
            NamePolicy::Preferred,
            NamePolicy::Ignored,
        ] {
            let outcome = connect(&client(&vendor, policy), &device.name, &acceptor, ALL);
            assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
            let (stock, served) = stock_client(&vendor, &acceptor, rustls::ALL_VERSIONS);
            assert_eq!((stock, served.unwrap()), (Ok(()), Served::Certificate));
        }
    }
}
