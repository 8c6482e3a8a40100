//! What is refused, with the alert that arrives at the other end, at one byte a time too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dc_core::pem::StoredCredential;
use dc_core::{Error, Form, UniqueName as Name};
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Identity, Store};
use dc_rustls::{Error as TlsError, Refusal};
use dc_tests::pair::{Outcome, connect};
use dc_tests::vendor::{Device, Key, Vendor, provider};
use rustls::AlertDescription;

use crate::setup::{
    ALL, Clock, HOUR, acceptor, careless_acceptor, client, client_at, stock_server,
};

const CHUNKS: [usize; 3] = [1, 100, ALL];

/// Connects to a server that serves `identity` unchecked, wants the name of `device`, and expects
/// illegal_parameter to arrive.
fn refuse(
    client: &Config,
    device: &Device,
    identity: impl Fn() -> Identity,
    reason: impl Fn(&Error) -> bool,
) {
    for chunk in CHUNKS {
        let outcome = connect(client, &device.name, &careless_acceptor(identity()), chunk);
        assert_refused(&outcome, &reason, AlertDescription::IllegalParameter);
    }
}

#[track_caller]
fn assert_refused(outcome: &Outcome, reason: impl Fn(&Error) -> bool, alert: AlertDescription) {
    match outcome.refusal() {
        Refusal::Credential(error) => assert!(reason(error), "{error:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome.alert_at_server(), alert);
}

fn identity(vendor: &Vendor, stored: Vec<StoredCredential>, key: &Key) -> Identity {
    Identity::new(vendor.chain(), stored, key.private_key())
}

#[test]
fn the_evil_twin() {
    let vendor = Vendor::default();
    let (router, twin) = (Device::new("router"), Device::new("twin"));
    let acceptor = careless_acceptor(vendor.enrol(&twin, &[Form::Named, Form::Rfc9345]));
    let policies = [NamePolicy::Required, NamePolicy::Preferred];
    for (policy, chunk) in policies
        .into_iter()
        .flat_map(|it| CHUNKS.map(|chunk| (it, chunk)))
    {
        // Who only prefers a name does not fall back to less either.
        let client = client(&vendor, policy);
        let outcome = connect(&client, &router.name, &acceptor, chunk);
        let expected = Error::NameMismatch {
            wanted: router.name.clone().try_into().unwrap(),
            got: Name::try_from(&*twin.name).unwrap().into_owned(),
        };
        assert_refused(
            &outcome,
            |e| *e == expected,
            AlertDescription::IllegalParameter,
        );
    }
}

#[test]
fn an_unnamed_credential_where_a_name_is_required() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = client(&vendor, NamePolicy::Required);
    // A server that does not understand names finds nothing to send.
    let acceptor = acceptor(&vendor, &device, &[Form::Rfc9345]);
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    assert_eq!(
        outcome.alert_at_client(),
        AlertDescription::HandshakeFailure
    );
    assert!(matches!(outcome.server, Err(TlsError::NothingSuits)));
}

#[test]
fn a_plain_certificate_where_a_credential_is_required() {
    let vendor = Vendor::default();
    let acceptor = Acceptor::new(Store::new(provider())).fallback(stock_server(&vendor));
    for chunk in CHUNKS {
        let client = client(&vendor, NamePolicy::Required);
        let outcome = connect(&client, "router.cpe.example.com", &acceptor, chunk);
        assert_eq!(*outcome.refusal(), Refusal::CredentialRequired);
        assert_eq!(
            outcome.alert_at_server(),
            AlertDescription::HandshakeFailure
        );
    }
    let client = Config::builder(provider())
        .roots(vendor.roots())
        .or_certificate()
        .build()
        .unwrap();
    let outcome = connect(&client, "router.cpe.example.com", &acceptor, ALL);
    assert_eq!(*outcome.peer(), Peer::Certificate);
}

#[test]
fn an_expired_credential() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let clock = Clock::now();
    clock.forward(2 * HOUR);
    refuse(
        &client_at(&vendor, &clock),
        &device,
        || {
            let stored = vendor.issue_for(&device, Form::Named, HOUR);
            identity(&vendor, vec![stored], &device.key)
        },
        |error| matches!(error, Error::Expired { .. }),
    );
}

#[test]
fn a_credential_of_more_than_seven_days() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let clock = Clock::now();
    // A clock that is behind by 5 hours makes 168 hours 173; the certificate is not new.
    clock.back(5 * HOUR);
    refuse(
        &client_at(&vendor, &clock),
        &device,
        || {
            let stored = vendor.issue_for(&device, Form::Named, 168 * HOUR);
            identity(&vendor, vec![stored], &device.key)
        },
        |error| matches!(error, Error::ValidityTooLong { .. }),
    );
}

#[test]
fn a_credential_of_another_delegation_certificate() {
    let (vendor, other) = (Vendor::default(), Vendor::default());
    let device = Device::new("router");
    refuse(
        &client(&vendor, NamePolicy::Required),
        &device,
        || {
            identity(
                &vendor,
                vec![other.issue(&device, Form::Named)],
                &device.key,
            )
        },
        |error| *error == Error::BadSignature,
    );
}

#[test]
fn a_changed_name_and_a_changed_signature() {
    let vendor = Vendor::default();
    let (router, twin) = (Device::new("router"), Device::new("twin01"));
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut stored = vendor.issue(&twin, Form::Named);
        change(&mut stored.bytes);
        identity(&vendor, vec![stored], &twin.key)
    };
    let client = client(&vendor, NamePolicy::Required);
    let renamed = |bytes: &mut Vec<u8>| {
        let at = bytes.windows(6).position(|w| w == b"twin01").unwrap();
        bytes[at..at + 6].copy_from_slice(b"router");
    };
    let is_bad_signature = |error: &Error| *error == Error::BadSignature;
    refuse(&client, &router, || changed(renamed), is_bad_signature);
    let flipped = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    refuse(&client, &twin, || changed(flipped), is_bad_signature);
}

#[test]
fn a_handshake_by_another_key() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    for chunk in CHUNKS {
        let stolen = identity(
            &vendor,
            vec![vendor.issue(&device, Form::Named)],
            &Key::p256(),
        );
        let client = client(&vendor, NamePolicy::Required);
        let outcome = connect(&client, &device.name, &careless_acceptor(stolen), chunk);
        let is_it = |error: &Error| *error == Error::BadCertificateVerify;
        assert_refused(&outcome, is_it, AlertDescription::DecryptError);
    }
}

#[test]
fn a_name_that_the_certificate_does_not_have() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let client = client(&vendor, NamePolicy::Required);
    // A server that looks has nothing for another zone.
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let outcome = connect(&client, "router.example.com", &acceptor, ALL);
    assert_eq!(
        outcome.alert_at_client(),
        AlertDescription::HandshakeFailure
    );
    // From one that does not look, the client takes no such certificate.
    let careless = careless_acceptor(vendor.enrol(&device, &[Form::Named]));
    let outcome = connect(&client, "router.example.com", &careless, ALL);
    assert!(matches!(
        outcome.client,
        Err(TlsError::Tls(rustls::Error::InvalidCertificate(_)))
    ));
    assert_eq!(outcome.alert_at_server(), AlertDescription::BadCertificate);
}

#[test]
fn a_root_that_is_not_trusted() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let client = client(&Vendor::default(), NamePolicy::Required);
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    assert_eq!(outcome.alert_at_server(), AlertDescription::UnknownCA);
}

#[test]
fn an_install_of_what_no_client_would_accept() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let install = |identity| Store::new(provider()).install(identity).unwrap_err();
    let good = || vec![vendor.issue(&device, Form::Named)];

    let wrong_key = install(identity(&vendor, good(), &Key::p256()));
    assert!(matches!(wrong_key, TlsError::KeyMismatch));
    let other = install(identity(&Vendor::default(), good(), &device.key));
    assert!(matches!(other, TlsError::Credential(Error::BadSignature)));
    let nothing = install(identity(&vendor, vec![], &device.key));
    assert!(matches!(nothing, TlsError::MissingCredential));
    let no_chain = install(Identity::new(vec![], good(), device.key.private_key()));
    assert!(matches!(no_chain, TlsError::MissingCertificate));
}

#[test]
fn an_update_of_what_no_client_would_accept_keeps_the_last_good_one() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let store = Store::new(provider());
    store
        .install(vendor.enrol(&device, &[Form::Named]))
        .unwrap();
    let bad = identity(
        &vendor,
        vec![vendor.issue(&device, Form::Named)],
        &Key::p256(),
    );
    store.install(bad).unwrap_err();
    let acceptor = Acceptor::new(Arc::clone(&store));
    let client = client(&vendor, NamePolicy::Required);
    let outcome = connect(&client, &device.name, &acceptor, ALL);
    assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
}

#[test]
fn a_peer_that_the_application_does_not_want_full_or_resumed() {
    let vendor = Vendor::default();
    let device = Device::new("router");
    let acceptor = acceptor(&vendor, &device, &[Form::Named]);
    let stolen = Arc::new(AtomicBool::new(false));
    let is_stolen = Arc::clone(&stolen);
    let spki = vendor.issue(&device, Form::Named).bytes[9..].to_vec();
    let client = Config::builder(provider())
        .roots(vendor.roots())
        .authorize(move |wanted, peer| {
            let Peer::Delegated { spki: key, .. } = peer else {
                return false;
            };
            assert!(spki.starts_with(key));
            assert_eq!(wanted.to_str(), "router.cpe.example.com");
            !is_stolen.load(Ordering::Relaxed)
        })
        .build()
        .unwrap();
    for chunk in CHUNKS {
        stolen.store(false, Ordering::Relaxed);
        assert!(
            connect(&client, &device.name, &acceptor, chunk)
                .client
                .is_ok()
        );
        stolen.store(true, Ordering::Relaxed);
        // The session is not resumed, and the full handshake is refused.
        let outcome = connect(&client, &device.name, &acceptor, chunk);
        assert_eq!(*outcome.refusal(), Refusal::NotAuthorized);
        assert_eq!(outcome.alert_at_server(), AlertDescription::AccessDenied);
    }
}
