//! Names that a CA above the delegation certificate excludes, below the wildcard that it permits.

use std::sync::Arc;

use dc_core::{Error, Form};
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::Store;
use dc_rustls::{Error as TlsError, Refusal};
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Oddity, Vendor, provider};
use rustls::AlertDescription;

use crate::gullible::Gullible;
use crate::rogue::{CHUNKS, NAME};
use crate::setup::{ALL, acceptor, careless_acceptor, client};

/// A client with a verifier that lets a wildcard pass which stands for an excluded name too. rustls's own does not: it
/// refuses the neighbours as well.
fn trusting() -> Config {
    let algorithms = provider().signature_verification_algorithms;
    let builder = Config::builder(provider()).verifier(Arc::new(Gullible(algorithms)));
    builder.build().unwrap()
}

#[test]
fn a_neighbour_of_an_excluded_name_is_accepted() {
    let vendor = Vendor::odd(Oddity::IntermediateExcludes);
    let camera = Device::new("camera");
    let acceptor = acceptor(&vendor, &camera, &[Form::Named]);
    let outcome = connect(&trusting(), &camera.name, &acceptor, ALL);
    assert!(matches!(outcome.peer(), Peer::Delegated { .. }));
}

#[test]
fn an_excluded_name_is_refused() {
    let vendor = Vendor::odd(Oddity::IntermediateExcludes);
    let acceptor = careless_acceptor(vendor.enrol(&Device::new("router"), &[Form::Named]));
    for chunk in CHUNKS {
        let outcome = connect(&trusting(), NAME, &acceptor, chunk);
        match outcome.refusal() {
            Refusal::Credential(Error::NameExcluded { subtree, .. }) => assert_eq!(subtree, NAME),
            other => panic!("{other:?}"),
        }
        let alert = AlertDescription::IllegalParameter;
        assert_eq!(outcome.alert_at_server(), alert);
    }
}

/// By rustls's verifier, which comes first.
#[test]
fn an_excluded_name_is_refused_with_the_chain() {
    for oddity in [Oddity::IntermediateExcludes, Oddity::RootExcludes] {
        let vendor = Vendor::odd(oddity);
        let acceptor = careless_acceptor(vendor.enrol(&Device::new("router"), &[Form::Named]));
        let client = client(&vendor, NamePolicy::Required);
        let outcome = connect(&client, NAME, &acceptor, ALL);
        assert!(
            matches!(
                outcome.client,
                Err(TlsError::Tls(rustls::Error::InvalidCertificate(_)))
            ),
            "{oddity:?}"
        );
    }
}

#[test]
fn a_server_does_not_install_what_its_chain_excludes() {
    let vendor = Vendor::odd(Oddity::IntermediateExcludes);
    let install = |label| {
        let identity = vendor.enrol(&Device::new(label), &[Form::Named]);
        Store::new(provider()).install(identity)
    };
    install("camera").unwrap();
    let error = install("router").unwrap_err();
    assert!(
        matches!(error, TlsError::Credential(Error::NameExcluded { .. })),
        "{error:?}"
    );
}
