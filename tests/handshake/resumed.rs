//! Sessions: resumed within the life of the credential, not after it.

use std::fmt;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use dc_core::{Form, Offer};
use dc_rustls::client::{Config, NamePolicy, Peer, Stream};
use dc_rustls::server::{Acceptor, Settings, Store};
use dc_tests::message::find_extension;
use dc_tests::pair::{Outcome, connect};
use dc_tests::pipe::{End, pipe};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;
use rustls::server::ClientHello;
use rustls::{HandshakeKind, KeyLog, ServerConfig};

use crate::rogue::NAME;
use crate::setup::{ALL, Clock, HOUR, acceptor, client, client_at, stock_server};

const EARLY_DATA: u16 = 42;
const PRE_SHARED_KEY: u16 = 41;

fn kind(outcome: &Outcome) -> HandshakeKind {
    let client = outcome.client.as_ref().unwrap();
    client.connection().handshake_kind().unwrap()
}

#[test]
fn a_resumed_connection_still_says_who_it_is_with() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    for policy in [NamePolicy::Required, NamePolicy::Ignored] {
        for chunk in [1, ALL] {
            let client = client(&vendor, policy);
            let full = connect(&client, &device.name, &acceptor, chunk);
            let resumed = connect(&client, &device.name, &acceptor, chunk);
            assert_eq!(kind(&full), HandshakeKind::Full);
            assert_eq!(kind(&resumed), HandshakeKind::Resumed);
            assert_eq!(full.peer(), resumed.peer());
            assert!(matches!(resumed.peer(), Peer::Delegated { .. }));
        }
    }
}

#[test]
fn a_client_does_not_resume_after_the_credential() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let clock = Clock::now();
    let client = client_at(&vendor, &clock);
    let stored = vendor.issue_for(&device, Form::Named, HOUR);
    let identity =
        dc_rustls::server::Identity::new(vendor.chain(), vec![stored], device.key.private_key());
    let store = Store::new(provider());
    store.install(identity).unwrap();
    let acceptor = Acceptor::new(Arc::clone(&store));
    let full = connect(&client, &device.name, &acceptor, ALL);
    assert_eq!(kind(&full), HandshakeKind::Full);
    clock.forward(2 * HOUR);
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let after = connect(&client, &device.name, &acceptor, ALL);
    assert_eq!(kind(&after), HandshakeKind::Full);
}

#[test]
fn a_server_does_not_resume_after_the_credential() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let clock = Clock::now();
    let settings = Settings::new(provider()).time_provider(Arc::new(clock.clone()));
    let store = Store::with_settings(settings);
    let stored = vendor.issue_for(&device, Form::Named, HOUR);
    let identity =
        dc_rustls::server::Identity::new(vendor.chain(), vec![stored], device.key.private_key());
    store.install(identity).unwrap();
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    // The client's clock stands still, so it would resume.
    let client = client(&vendor, NamePolicy::Required);
    let acceptor = Acceptor::new(store);
    let full = connect(&client, &device.name, &acceptor, ALL);
    assert_eq!(kind(&full), HandshakeKind::Full);
    clock.forward(23 * HOUR);
    let within = connect(&client, &device.name, &acceptor, ALL);
    assert_eq!(kind(&within), HandshakeKind::Resumed);
    clock.forward(2 * HOUR);
    // The server has nothing valid left, and a session is not enough.
    let after = connect(&client, &device.name, &acceptor, ALL);
    assert!(after.client.is_err());
}

/// RFC 9345 §7.4: nor does it do so by being resumed under the next one.
#[test]
fn a_session_ends_with_the_first_credential_however_often_it_is_resumed() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let clock = Clock::now();
    let settings = Settings::new(provider()).time_provider(Arc::new(clock.clone()));
    let store = Store::with_settings(settings);
    let stored = vendor.issue_for(&device, Form::Named, HOUR);
    let identity =
        dc_rustls::server::Identity::new(vendor.chain(), vec![stored], device.key.private_key());
    store.install(identity).unwrap();
    let acceptor = Acceptor::new(Arc::clone(&store));
    // The client's clock stands still, so it would resume.
    let client = client(&vendor, NamePolicy::Required);
    let next = || kind(&connect(&client, &device.name, &acceptor, ALL));
    assert_eq!(next(), HandshakeKind::Full);
    let renewed = vendor.enrol(&device, &[Form::Named]);
    store.install(renewed).unwrap();
    for _ in 0..3 {
        clock.forward(HOUR / 4);
        assert_eq!(next(), HandshakeKind::Resumed);
    }
    clock.forward(HOUR / 2);
    // Only one that was made under the next credential goes on.
    let kinds: Vec<_> = (0..6).map(|_| next()).collect();
    assert_eq!(kinds[0], HandshakeKind::Full);
    assert_eq!(kinds[5], HandshakeKind::Resumed);
    clock.forward(2 * HOUR);
    assert_eq!(next(), HandshakeKind::Resumed);
}

#[test]
fn a_session_survives_the_renewal_of_the_credential() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let store = Store::new(provider());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(Arc::clone(&store));
    let client = client(&vendor, NamePolicy::Required);
    let full = connect(&client, &device.name, &acceptor, ALL);
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let resumed = connect(&client, &device.name, &acceptor, ALL);
    assert_eq!(kind(&resumed), HandshakeKind::Resumed);
    assert_eq!(full.peer(), resumed.peer());
}

#[test]
fn a_session_with_a_certificate_is_not_taken_for_one_with_a_credential() {
    let vendor = Vendor::default();
    let fallback = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    let client = client(&vendor, NamePolicy::Preferred);
    let full = connect(&client, "router.cpe.example.com", &fallback, ALL);
    let resumed = connect(&client, "router.cpe.example.com", &fallback, ALL);
    assert_eq!(kind(&resumed), HandshakeKind::Resumed);
    assert_eq!(
        (full.peer(), resumed.peer()),
        (&Peer::Certificate, &Peer::Certificate)
    );
}

/// Reads from a connection whenever a key is logged, which is in the middle of another one's handshake.
struct ReadsMeanwhile(Mutex<Stream<End>>);

impl KeyLog for ReadsMeanwhile {
    fn log(&self, label: &str, _: &[u8], _: &[u8]) {
        if label == "SERVER_TRAFFIC_SECRET_0" {
            self.0.lock().unwrap().read_exact(&mut [0; 4]).unwrap();
        }
    }
}

impl fmt::Debug for ReadsMeanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadsMeanwhile")
    }
}

#[test]
fn a_ticket_that_comes_in_the_handshake_of_another_connection_is_for_its_own_peer() {
    let vendor = Vendor::default();
    let [router, camera] = ["router", "camera"].map(Device::new);
    let [serves_router, serves_camera] =
        [&router, &camera].map(|device| acceptor(&vendor, device, &[Form::Named]));
    let asks_router = client(&vendor, NamePolicy::Required);
    let (near, far) = pipe(ALL);
    let name = ServerName::try_from(router.name.clone()).unwrap();
    let first = thread::scope(|scope| {
        scope.spawn(|| {
            serves_router
                .accept(far)
                .unwrap()
                .write_all(b"pong")
                .unwrap()
        });
        asks_router.connect(name, near).unwrap()
    });
    let full = first.peer().clone();
    let asks_camera = Config::builder(provider())
        .roots(vendor.roots())
        .key_log(Arc::new(ReadsMeanwhile(Mutex::new(first))))
        .build()
        .unwrap();
    let other = connect(&asks_camera, &camera.name, &serves_camera, ALL);
    assert_ne!(*other.peer(), full);
    let resumed = connect(&asks_router, &router.name, &serves_router, ALL);
    assert_eq!(kind(&resumed), HandshakeKind::Resumed);
    assert_eq!(*resumed.peer(), full);
}

#[test]
fn a_client_without_resumption_resumes_nothing() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let client = Config::builder(provider())
        .roots(vendor.roots())
        .without_resumption()
        .build()
        .unwrap();
    for _ in 0..2 {
        let outcome = connect(&client, &device.name, &acceptor, ALL);
        assert_eq!(kind(&outcome), HandshakeKind::Full);
    }
}

/// A session that was made without the name proves no name.
#[test]
fn a_session_without_a_name_is_not_resumed_where_a_name_is_required() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let ours = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    let with_certificate = ours.clone().fallback(stock_server(&vendor));
    let without = |hello: &ClientHello<'_>, _: &Offer| hello.server_name().is_none();
    let stock = with_certificate.clone().only_if(without);
    for (policy, acceptor, peer_is) in [
        (NamePolicy::Ignored, &ours, "an unnamed credential"),
        (NamePolicy::Preferred, &stock, "a certificate"),
    ] {
        // One that goes on to ask for the name, in every way that a configuration can be made of another.
        let before = client(&vendor, policy);
        let required = client(&vendor, NamePolicy::Required);
        for kind_before in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let outcome = connect(&before.clone(), &device.name, acceptor, ALL);
            assert_eq!(kind(&outcome), kind_before, "{peer_is}");
        }
        let outcome = connect(&required, &device.name, &with_certificate, ALL);
        assert_eq!(kind(&outcome), HandshakeKind::Full, "{peer_is}");
        assert!(matches!(
            outcome.peer(),
            Peer::Delegated {
                unique_name: Some(_),
                ..
            }
        ));
    }
}

/// Not even to a server whose tickets allow it.
#[test]
fn nothing_is_sent_early() {
    let vendor = Vendor::default();
    let mut stock = ServerConfig::clone(&stock_server(&vendor));
    stock.max_early_data_size = 1 << 14;
    let acceptor = Acceptor::new(Store::new(provider())).fallback(Arc::new(stock));
    let client = client(&vendor, NamePolicy::Preferred);
    connect(&client, NAME, &acceptor, ALL).client.unwrap();
    let (near, mut far) = pipe(ALL);
    thread::scope(|scope| {
        scope.spawn(|| {
            client
                .connect(ServerName::try_from(NAME).unwrap(), near)
                .err()
        });
        let mut record = vec![0; 1 << 14];
        let length = far.read(&mut record).unwrap();
        drop(far);
        let hello = &record[5..length];
        assert!(find_extension(hello, PRE_SHARED_KEY).is_some());
        assert!(find_extension(hello, EARLY_DATA).is_none());
    });
}

#[test]
fn configurations_do_not_share_sessions() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let clients: [Config; 2] = [(); 2].map(|()| client(&vendor, NamePolicy::Required));
    for client in &clients {
        let outcome = connect(client, &device.name, &acceptor, ALL);
        assert_eq!(kind(&outcome), HandshakeKind::Full);
    }
}
