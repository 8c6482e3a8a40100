//! The words for what rustls and webpki do not trust.

use std::fmt;

use rustls::{CertificateError, OtherError};

/// The reason that rustls does not trust a chain, in words; any other error of rustls as it is.
#[derive(Clone, Copy, Debug)]
pub struct Untrusted<'a>(pub &'a rustls::Error);

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rustls::Error::InvalidCertificate(error) = self.0 else {
            return fmt::Display::fmt(self.0, f);
        };
        f.write_str(match error {
            CertificateError::BadEncoding => "a certificate of the chain cannot be read",
            CertificateError::BadSignature => {
                "a certificate of the chain is not signed by the next one: get the whole chain from the CA"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "a certificate of the chain has expired: get a new one from the CA, or check the clock"
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "the certificate's extKeyUsage does not allow this use"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is not for the wanted name"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "a certificate of the chain is not valid yet: check the clock"
            }
            CertificateError::UnknownIssuer => {
                "no root that is trusted has signed the chain: check the root, and that no intermediate is missing"
            }
            // Whatever else there is has no words of its own in rustls, but a name.
            CertificateError::Other(OtherError(inner)) => return unnamed(&inner.to_string(), f),
            other => return unnamed(&other.to_string(), f),
        })
    }
}

/// The words of webpki that are the name of a variant, as `UnsupportedCriticalExtension`.
fn unnamed(variant: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if variant == "UnsupportedCriticalExtension" {
        return f.write_str("a certificate of the chain has a critical extension that clients do not know: ask the CA for one without");
    }
    f.write_str("the chain is not acceptable:")?;
    let mut name = variant.chars().take_while(char::is_ascii_alphanumeric);
    name.try_for_each(|letter| match letter.is_ascii_uppercase() {
        true => write!(f, " {}", letter.to_ascii_lowercase()),
        false => write!(f, "{letter}"),
    })
}
