//! Open connections whose device has been withdrawn, or whose credential has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dc_core::{Error, Form};
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Store};
use dc_rustls::{Error as TlsError, Refusal};
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use tokio::io::duplex;

use crate::rogue::NAME;
use crate::setup::{ALL, Clock, HOUR, acceptor, client_at, client_of, stock_server};

const SECOND: Duration = Duration::from_secs(1);

fn is_expired(error: &TlsError) -> bool {
    matches!(
        error,
        TlsError::Refused(Refusal::Credential(Error::Expired { .. }))
    )
}

fn is_unwanted(error: &TlsError) -> bool {
    matches!(error, TlsError::Refused(Refusal::NotAuthorized))
}

/// A client that can be told not to talk to anybody any more.
fn with_a_list(vendor: &Vendor) -> (Config, Arc<AtomicBool>) {
    let withdrawn = Arc::new(AtomicBool::new(false));
    let is_withdrawn = Arc::clone(&withdrawn);
    let client = client_of(vendor)
        .authorize(move |wanted, peer| {
            assert!(peer.authenticates(wanted));
            !is_withdrawn.load(Ordering::Relaxed)
        })
        .build()
        .unwrap();
    (client, withdrawn)
}

#[test]
fn a_credential_counts_through_its_last_second_and_no_longer() {
    let vendor = Vendor::default();
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let clock = Clock::now();
    let client = client_at(&vendor, &clock);
    for _ in 0..2 {
        let tls = connect(&client, NAME, &acceptor, ALL).client.unwrap();
        let Peer::Delegated { expires, .. } = tls.peer() else {
            panic!("{:?}", tls.peer());
        };
        let left = Duration::from_secs(expires.as_secs() - clock.seconds());
        tls.recheck().unwrap();
        clock.forward(left);
        tls.recheck().unwrap();
        clock.forward(SECOND);
        let error = tls.recheck().unwrap_err();
        assert!(is_expired(&error), "{error:?}");
        clock.back(left + SECOND);
    }
}

#[test]
fn a_certificate_does_not_end_an_open_connection() {
    let vendor = Vendor::default();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    let clock = Clock::now();
    let client = client_of(&vendor)
        .unique_name(NamePolicy::Preferred)
        .time_provider(Arc::new(clock.clone()))
        .build()
        .unwrap();
    let tls = connect(&client, NAME, &acceptor, ALL).client.unwrap();
    clock.forward(1000 * HOUR);
    tls.recheck().unwrap();
}

/// Also if the application takes its word back afterwards.
#[test]
fn a_withdrawn_device_fails_and_loses_its_sessions() {
    let vendor = Vendor::default();
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let (client, withdrawn) = with_a_list(&vendor);
    let kind = || {
        let outcome = connect(&client, NAME, &acceptor, ALL);
        let connection = outcome.client.as_ref().unwrap().connection();
        connection.handshake_kind().unwrap()
    };
    let tls = connect(&client, NAME, &acceptor, ALL).client.unwrap();
    tls.recheck().unwrap();
    assert_eq!(kind(), HandshakeKind::Resumed);
    withdrawn.store(true, Ordering::Relaxed);
    let error = tls.recheck().unwrap_err();
    assert!(is_unwanted(&error), "{error:?}");
    withdrawn.store(false, Ordering::Relaxed);
    tls.recheck().unwrap();
    assert_eq!(kind(), HandshakeKind::Full);
}

/// The same without an open connection: the next one asks, and asking discards.
#[test]
fn a_session_that_was_not_wanted_once_is_not_resumed_later() {
    let vendor = Vendor::default();
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let (client, withdrawn) = with_a_list(&vendor);
    let meet = || connect(&client, NAME, &acceptor, ALL).client;
    meet().unwrap();
    withdrawn.store(true, Ordering::Relaxed);
    assert!(is_unwanted(&meet().unwrap_err()));
    withdrawn.store(false, Ordering::Relaxed);
    let tls = meet().unwrap();
    let kind = tls.connection().handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Full));
}

#[tokio::test]
async fn an_asynchronous_connection_asks_the_same() {
    let vendor = Vendor::default();
    let acceptor = acceptor(&vendor, &Device::new("router"), &[Form::Named]);
    let (client, withdrawn) = with_a_list(&vendor);
    let (near, far) = duplex(1 << 16);
    let name = ServerName::try_from(NAME).unwrap();
    let (tls, _) = tokio::join!(client.connect_async(name, near), acceptor.accept_async(far));
    let tls = tls.unwrap();
    tls.recheck().unwrap();
    withdrawn.store(true, Ordering::Relaxed);
    assert!(is_unwanted(&tls.recheck().unwrap_err()));
}
