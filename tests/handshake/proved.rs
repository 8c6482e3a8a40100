//! What a connection proves: one name, whatever names the certificate has.

use std::sync::Arc;
use std::thread;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer, Stream};
use dc_rustls::server::{Acceptor, Store};
use dc_tests::pair::connect;
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::HandshakeKind;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use tokio::io::duplex;

use crate::rogue::NAME;
use crate::setup::{ALL, acceptor, client, stock_server};

const NEIGHBOUR: &str = "camera.cpe.example.com";
/// Other ways to say [`NAME`].
const ALIKE: [&str; 3] = [NAME, "ROUTER.cpe.example.COM", "router.cpe.example.com."];
/// Names that the device has not proved to have, whatever the certificate says.
const OTHERS: [&str; 4] = [
    NEIGHBOUR,
    "cpe.example.com",
    "a.router.cpe.example.com",
    "192.0.2.1",
];

fn name(text: &str) -> ServerName<'static> {
    ServerName::try_from(text.to_owned()).unwrap()
}

fn assert_proves_its_name_alone(authenticates: impl Fn(&ServerName<'_>) -> bool) {
    for alike in ALIKE {
        assert!(authenticates(&name(alike)), "{alike}");
    }
    for other in OTHERS {
        assert!(!authenticates(&name(other)), "{other}");
    }
}

/// The certificate is a wildcard, so that it has the neighbour's name as well.
#[test]
fn the_certificate_has_the_names_of_all_devices() {
    let vendor = Vendor::default();
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(vendor.roots()), provider());
    let verifier = verifier.build().unwrap();
    for wanted in [NAME, NEIGHBOUR] {
        let (chain, now) = (vendor.chain(), UnixTime::now());
        let verified = verifier.verify_server_cert(&chain[0], &[], &name(wanted), &[], now);
        assert!(verified.is_ok(), "{wanted}");
    }
}

/// With each form of credential, with a certificate, and when a session is resumed.
#[test]
fn no_connection_proves_another_name_than_the_one_it_was_made_for() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let ours = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    let stock = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    for (policy, acceptor) in [
        (NamePolicy::Required, &ours),
        (NamePolicy::Ignored, &ours),
        (NamePolicy::Preferred, &stock),
    ] {
        let client = client(&vendor, policy);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let outcome = connect(&client, NAME, acceptor, ALL);
            let tls = outcome.client.unwrap();
            assert_eq!(tls.connection().handshake_kind(), Some(kind));
            assert_proves_its_name_alone(|name| tls.authenticates(name));
        }
    }
}

fn peer(client: &Config, acceptor: &Acceptor) -> Peer {
    connect(client, NAME, acceptor, ALL).peer().clone()
}

/// A peer without its connection: only a unique name is something that it has proved.
#[test]
fn a_peer_proves_its_unique_name_and_nothing_without_one() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let ours = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    let stock = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    let named = peer(&client(&vendor, NamePolicy::Required), &ours);
    assert_proves_its_name_alone(|name| named.authenticates(name));
    for (policy, acceptor) in [
        (NamePolicy::Ignored, &ours),
        (NamePolicy::Preferred, &stock),
    ] {
        let unnamed = peer(&client(&vendor, policy), acceptor);
        for text in ALIKE.into_iter().chain(OTHERS) {
            assert!(!unnamed.authenticates(&name(text)), "{text}");
        }
    }
}

#[test]
fn the_peer_is_what_is_left_when_a_connection_is_taken_apart() {
    let vendor = Vendor::default();
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let client = client(&vendor, NamePolicy::Required);
    let (near, far) = pipe(ALL);
    let tls: Stream<End> = thread::scope(|scope| {
        scope.spawn(|| acceptor.accept(far).map(drop));
        client.connect(name(NAME), near).unwrap()
    });
    let peer = tls.peer().clone();
    let (connection, _) = tls.into_parts().unwrap();
    // The vendor's, whichever device it is.
    assert_eq!(connection.peer_certificates(), Some(&vendor.chain()[..]));
    assert_proves_its_name_alone(|name| peer.authenticates(name));
}

#[tokio::test]
async fn an_asynchronous_connection_proves_the_same() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    for policy in [NamePolicy::Required, NamePolicy::Ignored] {
        let (near, far) = duplex(1 << 16);
        let client = client(&vendor, policy);
        let (tls, _) = tokio::join!(
            client.connect_async(name(NAME), near),
            acceptor.accept_async(far)
        );
        let tls = tls.unwrap();
        assert_proves_its_name_alone(|name| tls.authenticates(name));
    }
}
