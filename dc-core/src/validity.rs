//! The time in which certificates are valid, for whoever remembers that they were verified.

use core::time::Duration;

use pki_types::{CertificateDer, UnixTime};

use crate::certificate::{DelegationCertificate, malformed};
use crate::error::{Error, Field};
use crate::fields::Fields;

/// A span of seconds, both ends included; it may be empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Validity {
    /// The first second.
    pub not_before: UnixTime,
    /// The last second.
    pub not_after: UnixTime,
}

impl Validity {
    /// The span from one second to another.
    #[must_use]
    pub fn new(not_before: UnixTime, not_after: UnixTime) -> Self {
        Self {
            not_before,
            not_after,
        }
    }

    /// The span in which a certificate says that it is valid (RFC 5280 §4.1.2.5). Nothing else of it is judged.
    ///
    /// Fails with [`Error::MalformedCertificate`] if it cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let fields = Fields::read(certificate).map_err(malformed(Field::Certificate))?;
        let time = |time: x509_cert::time::Time| {
            UnixTime::since_unix_epoch(Duration::from_secs(time.to_unix_duration().as_secs()))
        };
        Ok(Self::new(
            time(fields.validity.not_before),
            time(fields.validity.not_after),
        ))
    }

    /// The seconds that both spans have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }

    /// True if this second is one of them.
    #[must_use]
    pub fn contains(&self, now: UnixTime) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

impl From<&DelegationCertificate<'_>> for Validity {
    fn from(certificate: &DelegationCertificate<'_>) -> Self {
        Self::new(certificate.not_before(), certificate.not_after())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CertificateTemplate, NOT_AFTER, NOT_BEFORE};

    fn span(first: u64, last: u64) -> Validity {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        Validity::new(at(first), at(last))
    }

    #[test]
    fn is_what_the_certificate_says() {
        let der = CertificateTemplate::default().build().der;
        let validity = Validity::of(&der).unwrap();
        assert_eq!(validity, span(NOT_BEFORE, NOT_AFTER));
        let certificate = DelegationCertificate::parse(der).unwrap();
        assert_eq!(Validity::from(&certificate), validity);
        let cut = CertificateDer::from(&b"\x30\x00"[..]);
        assert!(Validity::of(&cut).is_err());
    }

    #[test]
    fn both_ends_count() {
        let both = span(1, 5).and(span(3, 9));
        assert_eq!(both, span(3, 5));
        for (now, is_within) in [(2, false), (3, true), (5, true), (6, false)] {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
            assert_eq!(both.contains(now), is_within);
            assert!(!span(1, 2).and(span(4, 5)).contains(now));
        }
    }
}
