//! Cases 40, 41, 52 and 53 of the catalogue for a client's certificate, with a credential that is in order next to it.

use std::time::Duration;

use dc_core::{Error, Form};
use dc_rustls::client::Identity;
use dc_rustls::server::{Acceptor, Settings};
use dc_rustls::{Error as TlsError, Refusal};
use dc_tests::vendor::{Oddity, Vendor, provider};
use rustls::{AlertDescription, CertificateError};

use crate::clients::{FRONTS, Front, Meeting, Site};
use crate::setup::{ALL, Clock};

/// Meets a client whose chain is `odd`'s, at a server with this clock. Its credential is for another chain, and in order.
fn meet(front: Front, clock: &Clock, odd: Vendor) -> Meeting {
    let good = Site::new();
    let stored = good.issue(Form::Named);
    let site = Site::with_clients(odd);
    let key = good.camera.key.private_key();
    let identity = Identity::new(site.clients.chain(), vec![stored], key);
    let client = site.careless(identity);
    site.meet(&client, &acceptor(&site, front, clock), ALL)
}

fn acceptor(site: &Site, front: Front, clock: &Clock) -> Acceptor {
    let clock = std::sync::Arc::new(clock.clone());
    match front {
        Front::Credential => {
            let settings = Settings::new(provider()).time_provider(clock);
            site.acceptor_with(front, settings.expiry_margin(Duration::ZERO), site.policy())
        }
        Front::Certificate => {
            let mut config = (*crate::setup::stock_server(&site.vendor)).clone();
            config.time_provider = clock;
            let acceptor = site.acceptor(front, site.policy());
            acceptor.fallback(std::sync::Arc::new(config))
        }
    }
}

#[track_caller]
fn assert_refused(
    meeting: &Meeting,
    reason: impl Fn(&CertificateError) -> bool,
    alert: AlertDescription,
) {
    match &meeting.server {
        Err(TlsError::Tls(rustls::Error::InvalidCertificate(error))) => {
            assert!(reason(error), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(meeting.alert(), alert);
}

#[test]
fn case_40_a_client_certificate_that_is_not_valid_yet() {
    let clock = Clock::now();
    // The certificate begins in 1975.
    clock.back(53 * YEAR);
    assert_refused(
        &meet(Front::Certificate, &clock, Vendor::default()),
        |error| {
            use CertificateError::{NotValidYet, NotValidYetContext};
            matches!(error, NotValidYet | NotValidYetContext { .. })
        },
        AlertDescription::CertificateExpired,
    );
}

#[test]
fn case_41_a_client_certificate_that_has_expired() {
    let clock = Clock::now();
    clock.forward(2500 * YEAR);
    assert_refused(
        &meet(Front::Certificate, &clock, Vendor::default()),
        |error| {
            use CertificateError::{Expired, ExpiredContext};
            matches!(error, Expired | ExpiredContext { .. })
        },
        AlertDescription::CertificateExpired,
    );
}

#[test]
fn case_52_a_client_certificate_of_a_ca() {
    for front in FRONTS {
        assert_refused(
            &meet(front, &Clock::now(), Vendor::odd(Oddity::CaLeaf)),
            |error| format!("{error:?}").contains("CaUsedAsEndEntity"),
            AlertDescription::CertificateUnknown,
        );
    }
}

#[test]
fn case_53_delegation_usage_on_the_client_intermediate_only() {
    for front in FRONTS {
        let meeting = meet(
            front,
            &Clock::now(),
            Vendor::odd(Oddity::UsageOnIntermediate),
        );
        let refusal = Refusal::Credential(Error::MissingDelegationUsage);
        let alert = AlertDescription::IllegalParameter;
        assert_eq!(meeting.refused(), (&refusal, alert));
    }
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
