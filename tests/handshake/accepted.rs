//! What is accepted, at any size of reads and writes.

use dc_core::{Form, SignatureScheme};
use dc_rustls::client::{NamePolicy, Peer};
use dc_rustls::server::Served;
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Key, Vendor};

use crate::setup::{acceptor, client};

const CHUNKS: [usize; 5] = [1, 7, 1000, 16_384, usize::MAX];

#[test]
fn a_named_credential_for_the_wanted_name() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Rfc9345, Form::Named]);
    for chunk in CHUNKS {
        for policy in [NamePolicy::Required, NamePolicy::Preferred] {
            let outcome = connect(&client(&vendor, policy), &device.name, &acceptor, chunk);
            match outcome.peer() {
                Peer::Delegated {
                    form,
                    unique_name,
                    scheme,
                    ..
                } => {
                    assert_eq!(*form, Form::Named);
                    assert_eq!(unique_name.as_ref().unwrap().as_str(), device.name);
                    assert_eq!(*scheme, SignatureScheme::ECDSA_SECP256R1_SHA256);
                }
                other => panic!("{other:?}"),
            }
            assert!(matches!(
                outcome.server,
                Ok(Served::Delegated {
                    form: Form::Named,
                    ..
                })
            ));
        }
    }
}

#[test]
fn an_rfc9345_credential_for_clients_that_know_no_names() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Rfc9345, Form::Named]);
    for chunk in CHUNKS {
        let client = client(&vendor, NamePolicy::Ignored);
        let outcome = connect(&client, &device.name, &acceptor, chunk);
        assert!(matches!(
            outcome.peer(),
            Peer::Delegated {
                form: Form::Rfc9345,
                unique_name: None,
                ..
            }
        ));
    }
}

#[test]
fn every_pair_of_key_types() {
    let keys = [Key::p256, Key::p384, Key::ed25519];
    for vendor_key in keys {
        let vendor = Vendor::new(vendor_key());
        for device_key in keys {
            let device = Device::with_key("router", device_key());
            for (forms, policy) in [
                ([Form::Named], NamePolicy::Required),
                ([Form::Rfc9345], NamePolicy::Ignored),
            ] {
                let acceptor = acceptor(&vendor, &device, &forms);
                let outcome = connect(&client(&vendor, policy), &device.name, &acceptor, 999);
                assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
            }
        }
    }
}
