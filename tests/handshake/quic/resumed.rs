//! Sessions and early data: within the life of the credential, with a peer that is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dc_core::Form;
use dc_rustls::client::{Builder, Peer};
use dc_rustls::quinn::{self as quic, EarlyData};
use dc_rustls::server::{Acceptor, Identity, Settings, Store};
use dc_rustls::{Error, Refusal};
use dc_tests::vendor::{Device, Vendor, provider};
use quinn::{Connection, Endpoint};

use super::pair::{ALPN, Listening, configure, connect, exchange, serving};
use crate::setup::{Clock, HOUR, acceptor, client_of, stock_server};

/// A client that counts its full handshakes.
fn counting(client: Builder) -> (quinn::ClientConfig, Arc<AtomicUsize>) {
    let full = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&full);
    let client = client
        .alpn_protocols([ALPN.to_vec()])
        .observe(move |_| _ = counter.fetch_add(1, Ordering::Relaxed));
    let config = configure(&client.build().unwrap(), EarlyData::Allowed);
    (config, full)
}

/// A connection that sends early, if there is a session to do it under.
struct Early {
    connection: Connection,
    /// Whom the client took the server for before it answered.
    at_first: Peer,
    /// What came back, if the server took it.
    answer: Option<Vec<u8>>,
    _endpoint: Endpoint,
}

async fn early(config: &quinn::ClientConfig, server: &Listening, name: &str) -> Option<Early> {
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config.clone(), server.address, name);
    let (connection, accepted) = connecting.unwrap().into_0rtt().ok()?;
    let at_first = quic::server(&connection).unwrap().peer().clone();
    let (answer, accepted) = tokio::join!(exchange(&connection), accepted);
    server.outcome().await.unwrap();
    assert_eq!(answer.is_ok(), accepted, "{answer:?}");
    Some(Early {
        connection,
        at_first,
        answer: answer.ok(),
        _endpoint: endpoint,
    })
}

impl Early {
    fn peer(&self) -> Peer {
        quic::server(&self.connection).unwrap().peer().clone()
    }
}

#[tokio::test]
async fn a_resumed_connection_is_no_full_handshake_and_says_who_it_is_with() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let server = Listening::new(&acceptor, EarlyData::Never);
    let (config, full) = counting(client_of(&vendor));
    let first = connect(&config, &server, &device.name).await;
    let second = connect(&config, &server, &device.name).await;
    assert_eq!(full.load(Ordering::Relaxed), 1);
    assert_eq!(first.peer(), second.peer());
    // Whoever has the same configuration for TCP has other sessions.
    assert_eq!(first.served(), second.served());
}

#[tokio::test]
async fn early_data_goes_to_a_peer_that_is_known_from_the_session() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    for forms in [[Form::Named].as_slice(), &[]] {
        // A credential, then the fallback.
        let acceptor = match forms {
            [] => Acceptor::new(Store::new(provider())),
            forms => acceptor(&vendor, &device, forms),
        };
        let acceptor = acceptor.fallback(stock_server(&vendor));
        let server = Listening::new(&acceptor, EarlyData::Allowed);
        let (config, full) = counting(client_of(&vendor).or_certificate());
        assert!(early(&config, &server, &device.name).await.is_none());
        // That one was given up without a word to the server, which may not have noticed yet.
        let server = Listening::new(&acceptor, EarlyData::Allowed);
        let first = connect(&config, &server, &device.name).await;
        let second = early(&config, &server, &device.name).await.unwrap();
        assert_eq!(second.answer.as_deref(), Some(&b"early ping"[..]));
        assert_eq!(second.at_first, first.peer());
        assert_eq!(second.peer(), first.peer());
        assert_eq!(full.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn no_early_data_unless_both_ends_want_it() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    for (ours, theirs) in [
        (EarlyData::Never, EarlyData::Allowed),
        (EarlyData::Allowed, EarlyData::default()),
    ] {
        let server = Listening::new(&acceptor, theirs);
        let client = client_of(&vendor).alpn_protocols([ALPN.to_vec()]);
        let config = configure(&client.build().unwrap(), ours);
        connect(&config, &server, &device.name).await.peer();
        assert!(early(&config, &server, &device.name).await.is_none());
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_the_session_refuses_early_data_and_is_verified_anew() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let first_acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let server = Listening::new(&first_acceptor, EarlyData::Allowed);
    let (config, full) = counting(client_of(&vendor));
    let first = connect(&config, &server, &device.name).await.peer();
    // It was started anew, with a new key.
    let renewed = Device::new("router");
    let second_acceptor = acceptor(&vendor, &renewed, &[Form::Named]);
    let again = serving(&second_acceptor, EarlyData::Allowed);
    server.endpoint.set_server_config(Some(again));
    let met = early(&config, &server, &device.name).await.unwrap();
    assert_eq!(met.answer, None);
    assert_eq!(met.at_first, first);
    assert_ne!(met.peer(), first);
    assert_eq!(full.load(Ordering::Relaxed), 2);
    assert_eq!(exchange(&met.connection).await.unwrap(), b"ping");
}

#[tokio::test]
async fn no_session_outlives_the_credential_at_either_end() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    for client_is_late in [true, false] {
        let (ours, theirs) = (Clock::now(), Clock::now());
        let settings = Settings::new(provider()).time_provider(Arc::new(theirs.clone()));
        let store = Store::with_settings(settings);
        let stored = vendor.issue_for(&device, Form::Named, HOUR);
        let identity = Identity::new(vendor.chain(), vec![stored], device.key.private_key());
        store.install(identity).unwrap();
        let server = Listening::new(&Acceptor::new(Arc::clone(&store)), EarlyData::Allowed);
        let client = client_of(&vendor).time_provider(Arc::new(ours.clone()));
        let (config, full) = counting(client);
        connect(&config, &server, &device.name).await.peer();
        store
            .install(vendor.enrol(&device, &[Form::Named]))
            .unwrap();
        match client_is_late {
            true => {
                ours.forward(2 * HOUR);
                // A session that is over is no reason to send anything early.
                assert!(early(&config, &server, &device.name).await.is_none());
            }
            false => {
                theirs.forward(2 * HOUR);
                let met = early(&config, &server, &device.name).await.unwrap();
                assert_eq!(met.answer, None);
                assert_eq!(full.load(Ordering::Relaxed), 2);
            }
        }
    }
}

#[tokio::test]
async fn an_unwanted_peer_is_found_on_an_open_connection_and_not_resumed() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let server = Listening::new(&acceptor, EarlyData::Allowed);
    let wanted = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&wanted);
    let client = client_of(&vendor).authorize(move |_, _| asked.load(Ordering::Relaxed));
    let (config, _) = counting(client);
    let met = connect(&config, &server, &device.name).await;
    met.server().recheck().unwrap();
    wanted.store(false, Ordering::Relaxed);
    let refused = met.server().recheck();
    assert!(matches!(
        refused,
        Err(Error::Refused(Refusal::NotAuthorized))
    ));
    wanted.store(true, Ordering::Relaxed);
    // Its sessions are gone.
    assert!(early(&config, &server, &device.name).await.is_none());
}
