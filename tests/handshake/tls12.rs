//! Clients that are allowed to talk TLS 1.2, which has no credentials.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::Refusal;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Store};
use dc_tests::backend::{BACKENDS, Backend};
use dc_tests::pair::connect;
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Device, Vendor};
use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection, StreamOwned,
};

use crate::rogue::NAME;
use crate::setup::{ALL, acceptor};

const POLICIES: [NamePolicy; 3] = [
    NamePolicy::Required,
    NamePolicy::Preferred,
    NamePolicy::Ignored,
];

fn client(vendor: &Vendor, policy: NamePolicy, backend: Backend) -> Config {
    Config::builder(backend.provider())
        .roots(vendor.roots())
        .unique_name(policy)
        .allow_tls12()
        .build()
        .unwrap()
}

fn old_server(vendor: &Vendor, backend: Backend) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(backend.provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vendor.chain(), vendor.private_key())
        .unwrap();
    Arc::new(config)
}

#[test]
fn an_old_server_is_accepted_unless_a_credential_is_required() {
    let vendor = Vendor::default();
    for &backend in BACKENDS {
        let acceptor =
            Acceptor::new(Store::new(backend.provider())).fallback(old_server(&vendor, backend));
        for policy in POLICIES {
            for chunk in [1, ALL] {
                let outcome = connect(&client(&vendor, policy, backend), NAME, &acceptor, chunk);
                if policy == NamePolicy::Required {
                    assert_eq!(*outcome.refusal(), Refusal::CredentialRequired);
                    // In plaintext, where nothing puts in our own.
                    let alert = AlertDescription::CertificateUnknown;
                    assert_eq!(outcome.alert_at_server(), alert);
                    continue;
                }
                assert_eq!(*outcome.peer(), Peer::Certificate);
                let connection = outcome.client.as_ref().unwrap().connection();
                assert_eq!(
                    connection.protocol_version(),
                    Some(ProtocolVersion::TLSv1_2)
                );
            }
        }
    }
}

/// Sessions below TLS 1.3 are not kept.
#[test]
fn every_handshake_with_an_old_server_is_a_full_one() {
    let vendor = Vendor::default();
    let acceptor = Acceptor::new(Store::new(BACKENDS[0].provider()))
        .fallback(old_server(&vendor, BACKENDS[0]));
    let client = client(&vendor, NamePolicy::Preferred, BACKENDS[0]);
    for _ in 0..2 {
        let outcome = connect(&client, NAME, &acceptor, ALL);
        let connection = outcome.client.as_ref().unwrap().connection();
        assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[test]
fn a_new_server_answers_such_a_client_in_tls13() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    for policy in POLICIES {
        let outcome = connect(&client(&vendor, policy, BACKENDS[0]), NAME, &acceptor, ALL);
        assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
    }
}

#[test]
fn both_ends_export_the_same() {
    let vendor = Vendor::default();
    for &backend in BACKENDS {
        let server = ServerConnection::new(old_server(&vendor, backend)).unwrap();
        let client = client(&vendor, NamePolicy::Preferred, backend);
        let (near, far) = pipe(ALL);
        let (near, far) = thread::scope(|scope| {
            let server = scope.spawn(|| {
                let mut tls = StreamOwned::new(server, far);
                tls.write_all(b"pong").unwrap();
                let label = b"EXPERIMENTAL test";
                tls.conn
                    .export_keying_material([0; 32], label, None)
                    .unwrap()
            });
            let name = ServerName::try_from(NAME).unwrap();
            let mut tls = client.connect(name, near).unwrap();
            tls.read_exact(&mut [0; 4]).unwrap();
            let label = b"EXPERIMENTAL test";
            let near = tls
                .connection()
                .export_keying_material([0; 32], label, None);
            (near.unwrap(), server.join().unwrap())
        });
        assert_eq!(near, far);
    }
}
