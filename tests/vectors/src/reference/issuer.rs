//! Whether an issuer may grant a request.

use super::Reference;
use super::certificate::Certificate;
use super::credential::WEEK;
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::credentials::{Certificate as Entry, KeyType, RequestVector};

impl Reference<'_> {
    /// The `valid_time` of the credential that may be issued.
    pub(super) fn grant(&self, asked: &RequestVector, entry: &Entry) -> Result<u32, Fault> {
        let certificate = Certificate::read(&entry.der.0).ok_or(Fault::Malformed)?;
        let path = entry
            .intermediates
            .iter()
            .map(|der| Certificate::read(&der.0));
        let path = path
            .collect::<Option<Vec<_>>>()
            .ok_or(Fault::UntrustedPath)?;
        if !self.is_valid(&certificate, asked.now) && self.keeps(Rule::IssuersCertificateIsValid) {
            return Err(Fault::CertificateNotValid);
        }
        self.may_delegate(&certificate, false)?;
        if let Some(name) = &asked.unique_name {
            let name = self.unique_name(name.as_bytes())?;
            if !self.is_covered(&name, &certificate) && self.keeps(Rule::IssuedNameIsCovered) {
                return Err(Fault::NameNotCovered);
            }
            if self.is_excluded(&name, &path) && self.keeps(Rule::IssuedNameIsNotExcluded) {
                return Err(Fault::NameExcluded);
            }
        }
        let key = self.key(&asked.spki.0)?;
        let usable = key.kind.is_some_and(|kind| kind != KeyType::Rsa);
        if !usable && self.keeps(Rule::IssuedKeyMayBeACredentials) {
            return Err(Fault::ForbiddenScheme);
        }
        self.lifetime(asked, &certificate)
    }

    fn lifetime(&self, asked: &RequestVector, certificate: &Certificate<'_>) -> Result<u32, Fault> {
        let now = i64::try_from(asked.now).unwrap_or(i64::MAX);
        let lifetime = i64::try_from(asked.lifetime).unwrap_or(i64::MAX);
        let end = now.saturating_add(lifetime);
        let most = match self.keeps(Rule::SevenDaysMayBeIssued) {
            true => WEEK,
            false => WEEK - 1,
        };
        let before_end = match self.keeps(Rule::IssuedEndsBeforeTheCertificate) {
            true => end < certificate.not_after,
            false => end <= certificate.not_after,
        };
        let allowed = (lifetime <= most || !self.keeps(Rule::SevenDaysAreIssuedAtMost))
            && (lifetime > 0 || !self.keeps(Rule::SomeLifetimeIsIssued))
            && (before_end || !self.keeps(Rule::IssuedEndsWithTheCertificate));
        let valid_time = match self.keeps(Rule::IssuedTimeCountsFromNotBefore) {
            true => end - certificate.not_before,
            false => lifetime,
        };
        let fitting = match self.keeps(Rule::IssuedTimeHas32Bits) {
            true => u32::try_from(valid_time).ok(),
            false => u32::try_from(valid_time & i64::from(u32::MAX)).ok(),
        };
        fitting.filter(|_| allowed).ok_or(Fault::LifetimeNotAllowed)
    }
}
