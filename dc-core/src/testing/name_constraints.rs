//! CAs that exclude names.

use std::vec::Vec;

use pki_types::CertificateDer;

use super::CertificateTemplate;

/// A CA that excludes these dNSNames.
pub(crate) fn excluding(names: &[&str]) -> CertificateDer<'static> {
    ca(tlv(0x30, &contents(names)))
}

/// A CA with this NameConstraints.
pub(crate) fn ca(value: Vec<u8>) -> CertificateDer<'static> {
    let template = CertificateTemplate {
        is_ca: true,
        others: std::vec![(&[2, 5, 29, 30], value)],
        ..CertificateTemplate::default()
    };
    template.build().der
}

/// The contents of a NameConstraints that excludes these dNSNames.
pub(crate) fn contents(excluded: &[&str]) -> Vec<u8> {
    let subtrees = excluded
        .iter()
        .map(|name| tlv(0x30, &tlv(0x82, name.as_bytes())));
    tlv(0xa1, &subtrees.collect::<Vec<_>>().concat())
}

/// A DER element of less than 128 bytes.
pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat()
}
