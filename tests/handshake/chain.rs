//! What the inner verifier refuses about a delegation certificate, with a credential beside it, and what only we do.

use std::time::Duration;

use dc_core::{Error, Form};
use dc_rustls::server::Identity;
use dc_rustls::{Error as TlsError, Refusal};
use dc_tests::pair::{Outcome, connect};
use dc_tests::vendor::{Device, Oddity, Vendor};
use rustls::{AlertDescription, CertificateError};

use crate::setup::{ALL, Clock, careless_acceptor, client_at};

/// Connects at this time to a server whose chain is `odd`'s and whose credential is in order, for another chain.
fn connect_at(clock: &Clock, odd: &Vendor) -> Outcome {
    let device = Device::new("router");
    let stored = Vendor::default().issue(&device, Form::Named);
    let identity = Identity::new(odd.chain(), vec![stored], device.key.private_key());
    let client = client_at(odd, clock);
    connect(&client, &device.name, &careless_acceptor(identity), ALL)
}

#[track_caller]
fn assert_refused(
    outcome: &Outcome,
    reason: impl Fn(&CertificateError) -> bool,
    alert: AlertDescription,
) {
    match &outcome.client {
        Err(TlsError::Tls(rustls::Error::InvalidCertificate(error))) => {
            assert!(reason(error), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(outcome.alert_at_server(), alert);
}

#[test]
fn case_40_a_certificate_that_is_not_valid_yet() {
    let clock = Clock::now();
    // The certificate begins in 1975.
    clock.back(53 * YEAR);
    assert_refused(
        &connect_at(&clock, &Vendor::default()),
        |error| {
            use CertificateError::{NotValidYet, NotValidYetContext};
            matches!(error, NotValidYet | NotValidYetContext { .. })
        },
        AlertDescription::CertificateExpired,
    );
}

#[test]
fn case_41_a_certificate_that_has_expired() {
    let clock = Clock::now();
    clock.forward(2500 * YEAR);
    assert_refused(
        &connect_at(&clock, &Vendor::default()),
        |error| {
            use CertificateError::{Expired, ExpiredContext};
            matches!(error, Expired | ExpiredContext { .. })
        },
        AlertDescription::CertificateExpired,
    );
}

#[test]
fn case_52_a_certificate_of_a_ca() {
    assert_refused(
        &connect_at(&Clock::now(), &Vendor::odd(Oddity::CaLeaf)),
        |error| format!("{error:?}").contains("CaUsedAsEndEntity"),
        AlertDescription::CertificateUnknown,
    );
}

#[test]
fn case_53_delegation_usage_on_the_intermediate_only() {
    let outcome = connect_at(&Clock::now(), &Vendor::odd(Oddity::UsageOnIntermediate));
    let expected = Refusal::Credential(Error::MissingDelegationUsage);
    assert_eq!(*outcome.refusal(), expected);
    assert_eq!(
        outcome.alert_at_server(),
        AlertDescription::IllegalParameter
    );
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
