use dc_pki::time::from_seconds;
use proptest::prelude::*;

use super::*;
use crate::renewal::testing::{Ca, Fault, request};

const NOW: u64 = 1_800_000_000;

fn zone() -> ZoneName {
    ZoneName::parse("cpe.example.com").unwrap()
}

fn returned(ca: &Ca) -> Result<Returned, ReturnedError> {
    let (zone, csr) = (zone(), request(&zone()));
    let chain = ca.sign(&csr, &[zone.wildcard()]);
    check_for(&chain, &csr, ca, NOW)
}

fn check_for(chain: &[u8], csr: &[u8], ca: &Ca, now: u64) -> Result<Returned, ReturnedError> {
    let expected = Expected {
        zone: &zone(),
        roles: Roles::Server,
        spki: &requested_key(csr).unwrap(),
        anchors: &ca.anchors(),
    };
    check(chain, &expected, from_seconds(now))
}

#[test]
fn the_certificate_that_was_asked_for_is_taken_without_its_root() {
    let mut ca = Ca::new(from_seconds(NOW));
    let plain = returned(&ca).unwrap();
    assert_eq!(plain.chain.len(), 2);
    assert_eq!(
        plain.not_after().as_secs() - plain.not_before().as_secs(),
        47 * 86_400
    );
    ca.with_root = true;
    let with_root = returned(&ca).unwrap();
    assert_eq!(with_root.chain.len(), 2);
    let csr = request(&zone());
    let chain = String::from_utf8(ca.sign(&csr, &[zone().wildcard()])).unwrap();
    // As `openssl pkcs7 -print_certs` writes it.
    let talkative = chain.replace(
        "-----BEGIN",
        "subject=\n\nissuer=CN = Test Issuing\n-----BEGIN",
    );
    let taken = check_for(talkative.as_bytes(), &csr, &ca, NOW).unwrap();
    assert!(taken.chain_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    let pem = with_root.chain_pem();
    let again = pem::certificates("again".as_ref(), pem.as_bytes()).unwrap();
    assert_eq!(again, with_root.chain);
}

#[test]
fn every_wrong_certificate_is_refused_with_what_is_wrong() {
    for fault in Fault::ALL {
        let error = returned(&Ca::with(from_seconds(NOW), fault)).unwrap_err();
        let said = error.to_string();
        let expected: &[&str] = match fault {
            Fault::BadDelegationUsage | Fault::CriticalDelegationUsage => {
                &["may not delegate", "DelegationUsage"]
            }
            Fault::Decades => &["3651 d", "825 d"],
            Fault::Disorder => &["number 2", "put the server's own first"],
            Fault::Empty => &["returned nothing"],
            Fault::Ended => &["ended on 2027-01-14", "it is 2027-01-15"],
            Fault::Garbage => &["no chain in PEM"],
            Fault::Huge => &["65535 at most"],
            Fault::IsCa => &["CA:TRUE"],
            Fault::Manyfold => &["12 certificates", "10 at most"],
            Fault::MoreNames => &["*.cpe.example.com, www.example.org", "alone"],
            Fault::NoDelegationUsage => &["DelegationUsage", "1.3.6.1.4.1.44363.44"],
            Fault::NoDigitalSignature => &["may not delegate", "digitalSignature"],
            Fault::NoIntermediate => &["chain of 1", "CN=Test Issuing", "intermediate is missing"],
            Fault::NoPurpose => &["without extKeyUsage", "serverAuth"],
            Fault::NotYet => &["begins on 2027-01-17", "clocks"],
            Fault::OtherIntermediate => &["gap", "CN=Test Issuing", "CN=Another"],
            Fault::OtherKey => &["another key"],
            Fault::OtherName => &["*.other.example.org", "*.cpe.example.com alone"],
            Fault::OtherRoot => &["no root in 'anchors'", "CN=Test Root"],
            Fault::PrivateKey => &["private key"],
            Fault::Truncated => &["no chain in PEM"],
            Fault::WrongPurpose => &["clientAuth alone", "serverAuth"],
        };
        for part in expected {
            assert!(said.contains(part), "{fault:?}: {said} lacks {part}");
        }
    }
}

#[test]
fn a_zone_of_both_roles_needs_both_purposes() {
    let ca = Ca::new(from_seconds(NOW));
    let (zone, csr) = (zone(), request(&zone()));
    let chain = ca.sign(&csr, &[zone.wildcard()]);
    let expected = Expected {
        zone: &zone,
        roles: Roles::Both,
        spki: &requested_key(&csr).unwrap(),
        anchors: &ca.anchors(),
    };
    let error = check(&chain, &expected, from_seconds(NOW)).unwrap_err();
    assert!(error.to_string().contains("clientAuth"), "{error}");
}

/// A signature of another key is found, although every name fits.
#[test]
fn a_chain_of_right_names_and_wrong_signatures_is_refused() {
    let (one, two) = (Ca::new(from_seconds(NOW)), Ca::new(from_seconds(NOW)));
    let csr = request(&zone());
    let chain = one.sign(&csr, &[zone().wildcard()]);
    let error = check_for(&chain, &csr, &two, NOW).unwrap_err();
    assert!(matches!(error, ReturnedError::Untrusted(_)), "{error}");
}

#[test]
fn a_clock_that_is_an_hour_slow_takes_it_and_one_that_is_a_day_slow_says_so() {
    let ca = Ca::new(from_seconds(NOW));
    let csr = request(&zone());
    let chain = ca.sign(&csr, &[zone().wildcard()]);
    let begins = NOW - 86_400;
    assert!(check_for(&chain, &csr, &ca, begins - 3_599).is_ok());
    let error = check_for(&chain, &csr, &ca, begins - 86_400).unwrap_err();
    assert!(matches!(error, ReturnedError::NotYet { .. }), "{error}");
    let error = check_for(&chain, &csr, &ca, NOW + 46 * 86_400).unwrap_err();
    assert!(matches!(error, ReturnedError::Ended { .. }), "{error}");
}

proptest! {
    #[test]
    fn nothing_that_comes_back_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let ca = Ca::new(from_seconds(NOW));
        let csr = request(&zone());
        prop_assert!(check_for(&bytes, &csr, &ca, NOW).is_err());
    }

    /// Bytes that were changed on their way are never taken for another certificate.
    #[test]
    fn a_chain_that_was_changed_is_refused_or_the_same(at in 0..3000usize, to in any::<u8>()) {
        let ca = Ca::new(from_seconds(NOW));
        let csr = request(&zone());
        let mut chain = ca.sign(&csr, &[zone().wildcard()]);
        let right = check_for(&chain, &csr, &ca, NOW).unwrap();
        let at = at % chain.len();
        chain[at] = to;
        if let Ok(taken) = check_for(&chain, &csr, &ca, NOW) {
            prop_assert_eq!(taken.certificate(), right.certificate());
        }
    }
}
