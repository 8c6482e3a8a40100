//! What an observer is shown, whatever comes of the connection.

use std::sync::{Arc, Mutex};

use dc_core::Form;
use dc_rustls::Refusal;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Identity, Store};
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Vendor, provider};

use crate::setup::{ALL, Clock, HOUR, acceptor, careless_acceptor, client_of, stock_server};

type Seen = Arc<Mutex<Vec<Option<(Form, Vec<u8>)>>>>;

/// A client that writes down which credentials it is shown.
fn observing(vendor: &Vendor, policy: NamePolicy, clock: &Clock) -> (Config, Seen) {
    let seen = Seen::default();
    let writer = Arc::clone(&seen);
    let end_entity = vendor.chain()[0].clone();
    let client = client_of(vendor)
        .unique_name(policy)
        .time_provider(Arc::new(clock.clone()))
        .observe(move |presented| {
            assert_eq!(*presented.end_entity, end_entity);
            assert!(presented.offer.schemes(Form::Named).is_some());
            let credential = presented
                .credential
                .map(|(form, bytes)| (form, bytes.to_vec()));
            writer.lock().unwrap().push(credential);
        })
        .build()
        .unwrap();
    (client, seen)
}

#[test]
fn an_observer_sees_the_credential_that_is_accepted_once() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let (client, seen) = observing(&vendor, NamePolicy::Required, &Clock::now());
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
    let seen = seen.lock().unwrap();
    assert!(matches!(&seen[..], [Some((Form::Named, _))]), "{seen:?}");
}

#[test]
fn an_observer_sees_the_credential_that_is_refused() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let stored = vendor.issue_for(&device, Form::Named, HOUR);
    let identity = Identity::new(
        vendor.chain(),
        vec![stored.clone()],
        device.key.private_key(),
    );
    let clock = Clock::now();
    clock.forward(2 * HOUR);
    let (client, seen) = observing(&vendor, NamePolicy::Required, &clock);
    let outcome = connect(&client, &device.name, &careless_acceptor(identity), ALL);
    assert!(matches!(outcome.refusal(), Refusal::Credential(_)));
    assert_eq!(*seen.lock().unwrap(), [Some((Form::Named, stored.bytes))]);
}

#[test]
fn an_observer_sees_that_there_is_no_credential() {
    let vendor = Vendor::default();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    let (client, seen) = observing(&vendor, NamePolicy::Preferred, &Clock::now());
    let outcome = connect(&client, "router.cpe.example.com", &acceptor, ALL);
    assert_eq!(*outcome.peer(), Peer::Certificate);
    assert_eq!(*seen.lock().unwrap(), [None]);
}
