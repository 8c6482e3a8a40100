//! The name that a CA knows a certificate by (RFC 9773 §4.1).

use der::Decode;
use instant_acme::CertificateIdentifier;
use pki_types::Der;
use x509_cert::Certificate;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;

/// The name of a DER certificate; none if it does not say whose key signed it.
pub(super) fn identifier(certificate_der: &[u8]) -> Option<CertificateIdentifier<'static>> {
    let certificate = Certificate::from_der(certificate_der).ok()?;
    let tbs = certificate.tbs_certificate();
    let (_, authority) = tbs.get_extension::<AuthorityKeyIdentifier>().ok()??;
    let key = authority.key_identifier?;
    let (key, serial) = (key.as_bytes(), tbs.serial_number().as_bytes());
    let identifier = CertificateIdentifier::new(Der::from_slice(key), Der::from_slice(serial));
    Some(identifier.into_owned())
}

#[cfg(test)]
mod tests {
    use dc_pki::names::ZoneName;
    use dc_pki::pem;
    use dc_pki::time::from_seconds;

    use super::*;
    use crate::renewal::testing::{Ca, request};

    /// RFC 9773 §4.1 has this serial number as its example: with the zero octet that DER puts before it.
    #[test]
    fn a_serial_number_is_named_as_der_has_it() {
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        let ca = Ca::new(from_seconds(1_800_000_000));
        let chain = ca.sign(&request(&zone), &[zone.wildcard()]);
        let chain = pem::certificates("chain".as_ref(), &chain).unwrap();
        let named = identifier(&chain[0]).unwrap().to_string();
        let (authority, serial) = named.split_once('.').unwrap();
        assert_eq!(serial, "AIdlQyE");
        assert!(authority.len() > 20, "{authority}");
        assert!(identifier(b"no certificate").is_none());
    }
}
