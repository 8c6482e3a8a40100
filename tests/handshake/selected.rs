//! Which credential a server picks.

use std::sync::Arc;

use dc_core::{Form, SignatureScheme};
use dc_rustls::Error;
use dc_rustls::client::{NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Served, Settings, Store};
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Key, Vendor, provider};
use rustls::AlertDescription;

use crate::setup::{ALL, Clock, HOUR, acceptor, client, stock_server};

#[test]
fn the_one_for_the_very_name_of_several_that_are_installed() {
    let vendor = Vendor::default();
    let devices = ["old", "new"].map(Device::new);
    let store = Store::new(provider());
    let enrol = |device| vendor.enrol(device, &[Form::Rfc9345, Form::Named]);
    store.install_all(devices.each_ref().map(enrol)).unwrap();
    let acceptor = Acceptor::new(store);
    for device in &devices {
        let client = client(&vendor, NamePolicy::Required);
        let outcome = connect(&client, &device.name, &acceptor, ALL);
        let served = outcome.server.unwrap();
        assert!(matches!(
            served,
            Served::Delegated { unique_name: Some(name), .. } if name.as_str() == device.name
        ));
    }
}

/// Who prefers a name and gets none for the one it wants is served without, and does not fail.
#[test]
fn the_one_without_a_name_for_another_name_of_the_zone() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let alone = acceptor(&vendor, &device, &[Form::Named]);
    let both = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    let client = client(&vendor, NamePolicy::Preferred);
    let other = "camera.cpe.example.com";
    match connect(&client, other, &both, ALL).peer() {
        Peer::Delegated { form, .. } => assert_eq!(*form, Form::Rfc9345),
        other => panic!("{other:?}"),
    }
    let fallback = alone.clone().fallback(stock_server(&vendor));
    assert_eq!(
        *connect(&client, other, &fallback, ALL).peer(),
        Peer::Certificate
    );
    let outcome = connect(&client, other, &alone, ALL);
    assert_eq!(
        outcome.alert_at_client(),
        AlertDescription::HandshakeFailure
    );
    let error = outcome.server.unwrap_err();
    assert!(matches!(error, Error::NothingForName { .. }), "{error:?}");
    for text in [other, &device.name] {
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn the_one_of_the_zone_that_the_client_names() {
    let (here, there) = (Vendor::default(), Vendor::in_zone("printer.example.net"));
    let device = Device::new("router");
    let printer = Device {
        name: "p1.printer.example.net".to_owned(),
        key: Key::p256(),
    };
    let store = Store::new(provider());
    let identities = [
        here.enrol(&device, &[Form::Named, Form::Rfc9345]),
        there.enrol(&printer, &[Form::Named, Form::Rfc9345]),
    ];
    store.install_all(identities).unwrap();
    let acceptor = Acceptor::new(store);
    for (vendor, name) in [(&here, &device.name), (&there, &printer.name)] {
        for policy in [NamePolicy::Required, NamePolicy::Ignored] {
            let outcome = connect(&client(vendor, policy), name, &acceptor, ALL);
            assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
        }
    }
}

#[test]
fn none_that_has_almost_ended() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let clock = Clock::now();
    let settings = Settings::new(provider()).time_provider(Arc::new(clock.clone()));
    let store = Store::with_settings(settings);
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let acceptor = Acceptor::new(store).fallback(stock_server(&vendor));
    let serve = || {
        let client = client(&vendor, NamePolicy::Preferred);
        let outcome = connect(&client, &device.name, &acceptor, ALL);
        outcome.server.unwrap()
    };
    clock.forward(23 * HOUR + 54 * HOUR / 60);
    assert!(matches!(serve(), Served::Delegated { .. }));
    clock.forward(2 * HOUR / 60);
    assert_eq!(serve(), Served::Certificate);
}

#[test]
fn none_for_a_client_that_the_application_excludes() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let store = Store::new(provider());
    store
        .install(vendor.enrol(&device, &[Form::Named, Form::Rfc9345]))
        .unwrap();
    let acceptor = Acceptor::new(store)
        .fallback(stock_server(&vendor))
        .only_if(|hello, offer| {
            assert_eq!(hello.server_name(), Some("router.cpe.example.com"));
            offer.named.is_some()
        });
    for (policy, is_served) in [(NamePolicy::Required, true), (NamePolicy::Ignored, false)] {
        let outcome = connect(&client(&vendor, policy), &device.name, &acceptor, ALL);
        assert_eq!(outcome.server.unwrap() != Served::Certificate, is_served);
    }
}

#[test]
fn the_one_whose_key_type_the_client_can_verify() {
    let vendor = Vendor::default();
    let name = "router";
    let store = Store::new(provider());
    let keys = [Key::ed25519(), Key::p384(), Key::p256()];
    let devices = keys.map(|key| Device::with_key(name, key));
    let enrol = |device| vendor.enrol(device, &[Form::Named]);
    store.install_all(devices.each_ref().map(enrol)).unwrap();
    let acceptor = Acceptor::new(store);
    let outcome = connect(
        &client(&vendor, NamePolicy::Required),
        &devices[0].name,
        &acceptor,
        ALL,
    );
    match outcome.peer() {
        Peer::Delegated { scheme, .. } => assert_eq!(*scheme, SignatureScheme::ED25519),
        other => panic!("{other:?}"),
    }
}
