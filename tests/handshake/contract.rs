//! What this project relies on in rustls and no documentation promises: ARCHITECTURE.md lists it.

use std::sync::atomic::{AtomicUsize, Ordering};

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Store};
use dc_tests::backend::BACKENDS;
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::HandshakeKind;

use crate::setup::{ALL, acceptor, client};

/// The client offers a key share that the server does not want.
fn retrying_client(vendor: &Vendor, policy: NamePolicy) -> Config {
    Config::builder(BACKENDS[0].prefers_p384())
        .roots(vendor.roots())
        .unique_name(policy)
        .build()
        .unwrap()
}

fn retrying_acceptor(vendor: &Vendor, device: &Device) -> Acceptor {
    let store = Store::new(BACKENDS[0].x25519_only());
    let forms = [Form::Named, Form::Rfc9345];
    store.install(vendor.enrol(device, &forms)).unwrap();
    Acceptor::new(store)
}

#[test]
fn hello_retry_request_full() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = retrying_acceptor(&vendor, &device);
    for policy in [
        NamePolicy::Required,
        NamePolicy::Preferred,
        NamePolicy::Ignored,
    ] {
        for chunk in [1, 50, ALL] {
            let client = retrying_client(&vendor, policy);
            let outcome = connect(&client, &device.name, &acceptor, chunk);
            assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
            let stream = outcome.client.as_ref().unwrap();
            let kind = stream.connection().handshake_kind();
            assert_eq!(kind, Some(HandshakeKind::FullWithHelloRetryRequest));
        }
    }
}

#[test]
fn both_ends_export_the_same_secret_whatever_the_context() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let client = client(&vendor, NamePolicy::Required);
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    let stream = outcome.client.unwrap();
    // A context that is a ClientHello: exported through the one-shot hash, which maps nothing.
    let hello = stream.get_ref().sent()[5..].to_vec();
    let export = |context: &[u8]| {
        let exported = stream.connection().export_keying_material(
            [0; 32],
            b"EXPERIMENTAL test",
            Some(context),
        );
        exported.unwrap()
    };
    assert_ne!(export(&hello), export(b"other"));
}

/// The hello as it went over the wire has our extension first.
#[test]
fn the_offer_is_the_first_extension_on_the_wire() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named, Form::Rfc9345]);
    for (policy, kinds) in [
        (NamePolicy::Required, &[0xff22][..]),
        (NamePolicy::Preferred, &[0xff22, 34]),
        (NamePolicy::Ignored, &[34]),
    ] {
        let outcome = connect(&client(&vendor, policy), &device.name, &acceptor, ALL);
        let stream = outcome.client.unwrap();
        assert_eq!(
            extension_kinds(stream.get_ref().sent())[..kinds.len()],
            *kinds
        );
    }
}

/// The types of a ClientHello's extensions, from the first record that was sent.
fn extension_kinds(sent: &[u8]) -> Vec<u16> {
    let u16_at = |at: usize| usize::from(sent[at]) << 8 | usize::from(sent[at + 1]);
    let mut at = 5 + 4 + 2 + 32;
    at += 1 + usize::from(sent[at]);
    at += 2 + u16_at(at);
    at += 1 + usize::from(sent[at]);
    let end = at + 2 + u16_at(at);
    at += 2;
    let mut kinds = Vec::new();
    while at < end {
        kinds.push(u16::try_from(u16_at(at)).unwrap());
        at += 4 + u16_at(at + 2);
    }
    kinds
}

#[test]
fn many_threads_do_not_mix_their_peers_up() {
    let vendor = Vendor::default();
    let devices = ["a", "b", "c", "d"].map(Device::new);
    let acceptors = devices
        .each_ref()
        .map(|d| acceptor(&vendor, d, &[Form::Named]));
    let client = client(&vendor, NamePolicy::Required);
    let right = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (i, (device, acceptor)) in devices.iter().zip(&acceptors).enumerate() {
            let (client, right, wrong) = (&client, &right, &devices[(i + 1) % 4]);
            scope.spawn(move || {
                for _ in 0..20 {
                    let outcome = connect(client, &device.name, acceptor, ALL);
                    match outcome.peer() {
                        Peer::Delegated { unique_name, .. } => {
                            assert_eq!(unique_name.as_ref().unwrap().as_str(), device.name);
                        }
                        other => panic!("{other:?}"),
                    }
                    assert!(connect(client, &wrong.name, acceptor, ALL).client.is_err());
                    right.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(right.into_inner(), 80);
    let _ = provider();
}
