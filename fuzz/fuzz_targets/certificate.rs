//! Delegation certificates.
#![no_main]

use dc_core::danger::LenientUsage;
use dc_core::{DelegationCertificate, UniqueName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let lenient = LenientUsage.parse(input.into());
    let Ok(certificate) = DelegationCertificate::parse(input.into()) else {
        return;
    };
    // What is good is good enough for the lenient, and says the same to them.
    let lenient = lenient.expect("strictly parsed");
    assert_eq!(certificate.spki(), lenient.spki());
    // Nothing is repaired: the certificate and its key are as they came.
    assert_eq!(certificate.der(), input);
    let spki = certificate.spki();
    assert!(input.windows(spki.len()).any(|window| window == spki));
    assert!(certificate.expiry(0) == certificate.not_before());
    assert!(certificate.expiry(u32::MAX) > certificate.not_before());
    for dns in certificate.dns_names() {
        if let Ok(name) = UniqueName::try_from(dns.as_str()) {
            assert_eq!(certificate.covers(&name), Ok(()));
        }
    }
});
