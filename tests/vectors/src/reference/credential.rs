//! The checks of a received credential (RFC 9345 §4.1.3 and §4.2, and those of the unique name), in their order.

use super::Reference;
use super::certificate::{self, Certificate, DELEGATION_USAGE};
use super::der;
use super::key::Key;
use super::rule::Rule;
use super::structure::Credential;
use crate::fault::Fault;
use crate::format::{Form, Offer, Role};

/// What is verified, and for whom.
#[derive(Clone, Debug)]
pub(super) struct Case<'a> {
    pub(super) role: Role,
    pub(super) offer: &'a Offer,
    pub(super) wanted: Option<&'a str>,
    pub(super) now: u64,
    /// The certificates between this one and the root.
    pub(super) path: &'a [Certificate<'a>],
    /// The root, if it is known as a certificate.
    pub(super) root: Option<&'a Certificate<'a>>,
    /// The policy that accepts an empty DelegationUsage.
    pub(super) lenient: bool,
}

/// What is known of a credential after all checks.
#[derive(Clone, Debug)]
pub(super) struct Verified<'a> {
    pub(super) credential: Credential<'a>,
    /// Unix time of its last second.
    pub(super) expires: u64,
    pub(super) key: Key<'a>,
    /// What the certificate's key signed.
    pub(super) message: Vec<u8>,
}

impl Reference<'_> {
    /// Decodes and verifies a credential that came with a certificate.
    pub(super) fn credential<'a>(
        &self,
        case: &Case<'_>,
        form: Form,
        data: &'a [u8],
        certificate: &Certificate<'_>,
    ) -> Result<Verified<'a>, Fault> {
        let offered = list(case.offer, form).is_some() || !self.keeps(Rule::FormWasOffered);
        let not_offered = if offered {
            Ok(())
        } else {
            Err(Fault::NotOffered)
        };
        if self.keeps(Rule::OfferComesBeforeDecoding) {
            not_offered?;
        }
        let credential = self.decode(form, data)?;
        not_offered?;
        for step in self.order() {
            self.step(step, case, &credential, certificate)?;
        }
        Ok(Verified {
            expires: self.expires(&credential, certificate, case.now)?,
            key: self.credentials_key(&credential)?,
            message: self.message(case.role, &credential, certificate),
            credential,
        })
    }

    /// The steps in their order; a broken rule swaps two that follow each other.
    fn order(&self) -> [Step; 7] {
        let mut order = [
            Step::Schemes,
            Step::Certificate,
            Step::Time,
            Step::Key,
            Step::Signature,
            Step::Name,
            Step::Coverage,
        ];
        for (at, rule) in [
            Rule::SchemesComeBeforeTheCertificate,
            Rule::CertificateComesBeforeTime,
            Rule::TimeComesBeforeTheKey,
            Rule::KeyComesBeforeTheSignature,
            Rule::SignatureComesBeforeTheName,
            Rule::NameComesBeforeCoverage,
        ]
        .into_iter()
        .enumerate()
        {
            if !self.keeps(rule) {
                order.swap(at, at + 1);
            }
        }
        order
    }

    fn step(
        &self,
        step: Step,
        case: &Case<'_>,
        credential: &Credential<'_>,
        certificate: &Certificate<'_>,
    ) -> Result<(), Fault> {
        match step {
            Step::Schemes => self.suits(credential, case.offer),
            Step::Certificate => {
                let usages = case
                    .path
                    .iter()
                    .filter(|authority| authority.may_delegate());
                let inherited =
                    usages.count() > 0 && !self.keeps(Rule::DelegationUsageIsNotInherited);
                match self.may_delegate(certificate, case.lenient) {
                    Err(Fault::NoDelegationUsage) if inherited => Ok(()),
                    result => result,
                }
            }
            Step::Time => self.expires(credential, certificate, case.now).map(drop),
            Step::Key => self.credentials_key(credential).map(drop),
            Step::Signature => self.signature_of(case.role, credential, certificate),
            Step::Name => self.name(case, credential),
            Step::Coverage => self.coverage(case, credential, certificate),
        }
    }

    /// Whether both of its algorithms were offered.
    pub(super) fn suits(&self, credential: &Credential<'_>, offer: &Offer) -> Result<(), Fault> {
        let own = list(offer, credential.form).unwrap_or_default();
        let other = match credential.form {
            Form::Named => list(offer, Form::Rfc9345),
            Form::Rfc9345 => list(offer, Form::Named),
        };
        let all = offer.signature_algorithms.as_slice();
        let offered = own.contains(&credential.scheme)
            || !self.keeps(Rule::SchemeIsInTheFormsOwnList)
                && other.unwrap_or_default().contains(&credential.scheme)
            || !self.keeps(Rule::SchemeIsNotLookedUpInSignatureAlgorithms)
                && all.contains(&credential.scheme);
        if !offered && self.keeps(Rule::SchemeWasOffered) {
            return Err(Fault::SchemeNotOffered);
        }
        let offered = all.contains(&credential.algorithm)
            || !self.keeps(Rule::AlgorithmIsNotLookedUpInTheFormsList)
                && own.contains(&credential.algorithm);
        if !offered && self.keeps(Rule::AlgorithmWasOffered) {
            return Err(Fault::AlgorithmNotOffered);
        }
        Ok(())
    }

    /// RFC 9345 §4.2.
    pub(super) fn may_delegate(
        &self,
        certificate: &Certificate<'_>,
        lenient: bool,
    ) -> Result<(), Fault> {
        let ids: Vec<&[u8]> = certificate.extensions.iter().map(|e| e.id).collect();
        let twice = ids.iter().enumerate().any(|(at, id)| {
            let before = ids.get(..at).unwrap_or_default();
            before.contains(id) && self.may_be_once(id)
        });
        if twice && self.keeps(Rule::CertificateHasNoExtensionTwice) {
            return Err(Fault::DuplicateCertificateExtension);
        }
        match certificate.extension(DELEGATION_USAGE) {
            None if self.keeps(Rule::CertificateHasDelegationUsage) => {
                return Err(Fault::NoDelegationUsage);
            }
            None => {}
            Some(usage) => {
                if usage.critical && self.keeps(Rule::DelegationUsageIsNotCritical) {
                    return Err(Fault::CriticalDelegationUsage);
                }
                if !self.is_null(usage.value, lenient) {
                    return Err(Fault::DelegationUsageNotNull);
                }
            }
        }
        self.may_sign(certificate)
    }

    /// Only broken rules do not look at some of the extensions.
    fn may_be_once(&self, id: &[u8]) -> bool {
        (id != certificate::SUBJECT_ALT_NAME || self.keeps(Rule::NamesAreThereOnce))
            && (id != certificate::KEY_USAGE || self.keeps(Rule::KeyUsageIsThereOnce))
    }

    fn is_null(&self, value: &[u8], lenient: bool) -> bool {
        match value {
            [der::NULL, 0] => true,
            [] => lenient || !self.keeps(Rule::DelegationUsageIsNotEmpty),
            _ => !self.keeps(Rule::DelegationUsageIsNull),
        }
    }

    fn may_sign(&self, certificate: &Certificate<'_>) -> Result<(), Fault> {
        let may = match certificate.key_usage() {
            None => !self.keeps(Rule::CertificateHasKeyUsage),
            Some(bits) => {
                let first = bits.first().copied().unwrap_or_default();
                first & DIGITAL_SIGNATURE != 0
                    || !self.keeps(Rule::KeyUsageHasDigitalSignature)
                    || !self.keeps(Rule::KeyAgreementIsNotEnough) && first & KEY_AGREEMENT != 0
            }
        };
        may.then_some(()).ok_or(Fault::NoDigitalSignature)
    }

    /// RFC 9345 §4.1.3, 1 and 2.
    fn expires(
        &self,
        credential: &Credential<'_>,
        certificate: &Certificate<'_>,
        now: u64,
    ) -> Result<u64, Fault> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let valid_time = match self.keeps(Rule::ValidTimeIsUnsigned) {
            true => i64::from(credential.valid_time),
            false => i64::from(credential.valid_time.cast_signed()),
        };
        let start = match self.keeps(Rule::ValidTimeCountsFromNotBefore) {
            true => certificate.not_before,
            false => now,
        };
        let mut end = start + valid_time;
        if !self.keeps(Rule::TimesHaveMoreThan32Bits) {
            end &= i64::from(u32::MAX);
        }
        let ended = match self.keeps(Rule::LastSecondIsValid) {
            true => now > end,
            false => now >= end,
        };
        if ended && self.keeps(Rule::CredentialHasNotEnded) {
            return Err(Fault::Expired);
        }
        let remaining = match self.keeps(Rule::LifetimeIsWhatRemains) {
            true => end - now,
            false => valid_time,
        };
        let most = match (
            self.keeps(Rule::SevenDaysAreAllowed),
            self.keeps(Rule::NoSecondMoreThanSevenDays),
        ) {
            (true, true) => WEEK,
            (false, _) => WEEK - 1,
            (_, false) => WEEK + 1,
        };
        if remaining > most && self.keeps(Rule::SevenDaysRemainAtMost) {
            return Err(Fault::LifetimeTooLong);
        }
        let beyond = end > certificate.not_after;
        if beyond && !self.keeps(Rule::CredentialMayEndAfterTheCertificate) {
            return Err(Fault::LifetimeTooLong);
        }
        Ok(u64::try_from(end).unwrap_or_default())
    }

    /// Scheme and key of the credential.
    pub(super) fn credentials_key<'a>(
        &self,
        credential: &Credential<'a>,
    ) -> Result<Key<'a>, Fault> {
        if !self.may_be_a_credentials(credential.scheme) {
            return Err(Fault::ForbiddenScheme);
        }
        let key = self.key(credential.spki)?;
        match self.fits_credential(credential.scheme, &key) {
            true => Ok(key),
            false => Err(Fault::SchemeKeyMismatch),
        }
    }

    /// The reference identity.
    fn name(&self, case: &Case<'_>, credential: &Credential<'_>) -> Result<(), Fault> {
        let Some(name) = &credential.unique_name else {
            return Ok(());
        };
        match (case.wanted, case.role) {
            (Some(_), Role::Client) if !self.keeps(Rule::ClientMayBeExpected) => Ok(()),
            (Some(wanted), _) => self.is_reference(name, wanted),
            (None, Role::Client) if !self.keeps(Rule::ClientMayBeUnknown) => {
                Err(Fault::NoReferenceIdentity)
            }
            (None, Role::Server) if self.keeps(Rule::ClientHasAReference) => {
                Err(Fault::NoReferenceIdentity)
            }
            (None, _) => Ok(()),
        }
    }

    /// The certificate's names, and the path's constraints.
    fn coverage(
        &self,
        case: &Case<'_>,
        credential: &Credential<'_>,
        certificate: &Certificate<'_>,
    ) -> Result<(), Fault> {
        let Some(name) = &credential.unique_name else {
            return Ok(());
        };
        if !self.is_covered(name, certificate) && self.keeps(Rule::NameIsCovered) {
            return Err(Fault::NameNotCovered);
        }
        let path = case.path.iter().chain([certificate]).chain(case.root);
        let unreadable = path.clone().any(|one| !one.has_readable_constraints());
        let twice = path.clone().any(Certificate::has_constraints_twice);
        if unreadable && self.keeps(Rule::ConstraintsCanBeRead)
            || twice && self.keeps(Rule::ConstraintsAreThereOnce)
        {
            return Err(Fault::MalformedConstraints);
        }
        let by_root = case.root.is_some_and(|root| self.excludes(root, name))
            && self.keeps(Rule::RootExcludes);
        let by_itself = self.excludes(certificate, name) && self.keeps(Rule::EndEntityExcludes);
        let excluded = self.is_excluded(name, case.path) || by_root || by_itself;
        match excluded && self.keeps(Rule::NameIsInNoExcludedSubtree) {
            true => Err(Fault::NameExcluded),
            false => Ok(()),
        }
    }

    /// True if a name of the certificate covers the unique name.
    pub(super) fn is_covered(&self, name: &str, certificate: &Certificate<'_>) -> bool {
        let mut names = certificate.dns_names();
        if !self.keeps(Rule::EveryDnsNameCounts) {
            names.truncate(1);
        }
        if !self.keeps(Rule::CommonNameCoversNothing) {
            names.extend(certificate.common_names());
        }
        let others = [
            (certificate::IP_ADDRESS, Rule::AddressCoversNothing),
            (certificate::OTHER_NAME, Rule::SrvNameCoversNothing),
            (certificate::RFC822_NAME, Rule::MailboxCoversNothing),
            (certificate::URI, Rule::UriCoversNothing),
        ];
        let other = |(tag, rule): &(u8, Rule)| {
            !self.keeps(*rule) && !certificate.alternative_names(*tag).is_empty()
        };
        names.iter().any(|dns_name| self.covers(dns_name, name)) || others.iter().any(other)
    }

    /// True if a certificate of the path excludes the unique name.
    pub(super) fn is_excluded(&self, name: &str, path: &[Certificate<'_>]) -> bool {
        let mut path = path.iter();
        match self.keeps(Rule::EveryCertificateOfThePathExcludes) {
            true => path.any(|authority| self.excludes(authority, name)),
            false => path
                .next()
                .is_some_and(|authority| self.excludes(authority, name)),
        }
    }
}

/// The checks of a credential after its decoding.
#[derive(Clone, Copy, Debug)]
enum Step {
    Schemes,
    Certificate,
    Time,
    Key,
    Signature,
    Name,
    Coverage,
}

/// The list of a form, if it was offered.
pub(super) fn list(offer: &Offer, form: Form) -> Option<&[u16]> {
    match form {
        Form::Rfc9345 => offer.rfc9345.as_deref(),
        Form::Named => offer.named.as_deref(),
    }
}

/// Seconds of seven days.
pub(super) const WEEK: i64 = 7 * 86_400;

const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_AGREEMENT: u8 = 0x08;
