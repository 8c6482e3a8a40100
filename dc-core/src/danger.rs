//! Checks weaker than RFC 9345, for tests and for peers that are known to be wrong.

use core::time::Duration;

use pki_types::CertificateDer;

use crate::certificate::{DelegationCertificate, UsageValue};
use crate::error::Error;
use crate::verify::Verifier;

/// Accepts a delegation certificate whose DelegationUsage has an empty value, besides the `NULL`
/// (`05 00`) that RFC 9345 §4.2 defines.
///
/// Lost: nothing but strictness; drafts and NSS's test certificates have such a value. Anything else
/// is refused as [`DelegationCertificate::parse`] does.
#[derive(Clone, Copy, Debug)]
pub struct LenientUsage;

impl LenientUsage {
    /// Parses as [`DelegationCertificate::parse`] does, but for the value of DelegationUsage.
    pub fn parse(
        self,
        certificate: CertificateDer<'_>,
    ) -> Result<DelegationCertificate<'_>, Error> {
        DelegationCertificate::parse_with(certificate, UsageValue::NullOrEmpty)
    }
}

/// Accepts credentials that remain valid for longer than [`MAX_VALIDITY`](crate::MAX_VALIDITY).
///
/// Lost: the bound of RFC 9345 §4.1.3 on how long a stolen key is of use.
#[must_use]
pub fn with_max_validity(verifier: Verifier<'_>, max: Duration) -> Verifier<'_> {
    verifier.with_any_max_validity(max)
}
