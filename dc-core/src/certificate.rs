//! Delegation certificates: the requirements of RFC 9345 §4.2, and the fields that the checks need.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use der::Decode;
use der::asn1::{BitStringRef, ObjectIdentifier};
use pki_types::{CertificateDer, UnixTime};

use crate::error::{Error, Field};
use crate::fields::{self, DELEGATION_USAGE_OID, Extension, Fields};
use crate::name::UniqueName;
use crate::spki::PublicKey;

/// An end-entity certificate that may delegate: it has a non-critical DelegationUsage and
/// digitalSignature.
///
/// The caller checks that the certificate is trusted, valid now and has the right names, exactly as
/// without credentials (RFC 9345 §4.1.3).
#[derive(Clone)]
pub struct DelegationCertificate<'a> {
    der: CertificateDer<'a>,
    spki: Vec<u8>,
    not_before: UnixTime,
    not_after: UnixTime,
    dns_names: Vec<String>,
    /// The contents of the issuer's Name.
    issuer: Vec<u8>,
    /// The value of its NameConstraints, which only matters where there is a unique name.
    constraints: Result<Option<Vec<u8>>, Error>,
}

impl<'a> DelegationCertificate<'a> {
    /// Reads the certificate and checks that it may delegate.
    ///
    /// Fails with [`Error::MalformedCertificate`] if it cannot be read, with
    /// [`Error::DuplicateExtension`] if an extension that matters here is there twice, and with
    /// [`Error::MissingDelegationUsage`], [`Error::CriticalDelegationUsage`],
    /// [`Error::UnusableDelegationUsage`] or [`Error::MissingDigitalSignature`] if it may not
    /// delegate (RFC 9345 §4.2).
    pub fn parse(der: CertificateDer<'a>) -> Result<Self, Error> {
        Self::parse_with(der, UsageValue::Null)
    }

    pub(crate) fn parse_with(der: CertificateDer<'a>, value: UsageValue) -> Result<Self, Error> {
        let Fields {
            issuer,
            validity,
            spki,
            extensions,
        } = Fields::read(&der).map_err(malformed(Field::Certificate))?;
        value.check(&extensions)?;
        check_key_usage(&extensions)?;
        PublicKey::parse(spki)?;
        Ok(Self {
            spki: spki.to_vec(),
            not_before: UnixTime::since_unix_epoch(validity.not_before.to_unix_duration()),
            not_after: UnixTime::since_unix_epoch(validity.not_after.to_unix_duration()),
            dns_names: dns_names(&extensions)?,
            issuer: issuer.to_vec(),
            constraints: name_constraints(&extensions).map(|value| value.map(<[u8]>::to_vec)),
            der,
        })
    }

    /// The same certificate without a borrow.
    #[must_use]
    pub fn into_owned(self) -> DelegationCertificate<'static> {
        let Self {
            der,
            spki,
            not_before,
            not_after,
            dns_names,
            issuer,
            constraints,
        } = self;
        DelegationCertificate {
            der: der.into_owned(),
            spki,
            not_before,
            not_after,
            dns_names,
            issuer,
            constraints,
        }
    }

    /// The certificate's DER, all of which every credential's signature covers.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate's key: a DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The first second at which the certificate is valid, from which `valid_time` counts.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second at which the certificate is valid.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// The dNSNames of the certificate, as they are written there, in their order.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// Checks that one of the dNSNames covers this name.
    ///
    /// Fails with [`Error::NameNotCovered`].
    pub fn covers(&self, name: &UniqueName<'_>) -> Result<(), Error> {
        if self.dns_names.iter().any(|dns| name.covered_by(dns)) {
            return Ok(());
        }
        Err(Error::NameNotCovered { name: name.into() })
    }

    /// The end of a credential with this `valid_time`.
    #[must_use]
    pub fn expiry(&self, valid_time: u32) -> UnixTime {
        let seconds = self.not_before.as_secs().saturating_add(valid_time.into());
        UnixTime::since_unix_epoch(core::time::Duration::from_secs(seconds))
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey<'_>, Error> {
        PublicKey::parse(&self.spki)
    }

    /// The contents of the issuer's Name.
    pub(crate) fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// The value of the certificate's own NameConstraints.
    ///
    /// Fails with [`Error::DuplicateExtension`].
    pub(crate) fn name_constraints(&self) -> Result<Option<&[u8]>, Error> {
        match &self.constraints {
            Ok(value) => Ok(value.as_deref()),
            Err(error) => Err(error.clone()),
        }
    }
}

impl fmt::Debug for DelegationCertificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            der: _,
            spki: _,
            not_before,
            not_after,
            dns_names,
            issuer: _,
            constraints: _,
        } = self;
        f.debug_struct("DelegationCertificate")
            .field("not_before", not_before)
            .field("not_after", not_after)
            .field("dns_names", dns_names)
            .finish_non_exhaustive()
    }
}

/// The values of DelegationUsage that are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UsageValue {
    /// `NULL`, as RFC 9345 §4.2 defines.
    Null,
    /// `NULL` or nothing at all.
    NullOrEmpty,
}

impl UsageValue {
    fn check(self, extensions: &[Extension<'_>]) -> Result<(), Error> {
        let usage = only(extensions, DELEGATION_USAGE, Field::DelegationUsage)?
            .ok_or(Error::MissingDelegationUsage)?;
        if usage.critical {
            return Err(Error::CriticalDelegationUsage);
        }
        match (self, usage.value) {
            (_, [0x05, 0x00]) | (Self::NullOrEmpty, []) => Ok(()),
            _ => Err(Error::UnusableDelegationUsage),
        }
    }
}

fn check_key_usage(extensions: &[Extension<'_>]) -> Result<(), Error> {
    let usage =
        only(extensions, KEY_USAGE, Field::KeyUsage)?.ok_or(Error::MissingDigitalSignature)?;
    let bits = BitStringRef::from_der(usage.value).map_err(malformed(Field::KeyUsage))?;
    // Bit 0 is digitalSignature (RFC 5280 §4.2.1.3); bits nobody has defined yet do no harm.
    match bits.raw_bytes().first() {
        Some(first) if first & 0x80 != 0 => Ok(()),
        _ => Err(Error::MissingDigitalSignature),
    }
}

fn dns_names(extensions: &[Extension<'_>]) -> Result<Vec<String>, Error> {
    let Some(extension) = only(extensions, SUBJECT_ALT_NAME, Field::SubjectAltName)? else {
        return Ok(Vec::new());
    };
    let names = fields::dns_names(extension.value).map_err(malformed(Field::SubjectAltName))?;
    Ok(names.into_iter().map(ToString::to_string).collect())
}

/// The value of a NameConstraints, if there is one.
pub(crate) fn name_constraints<'a>(
    extensions: &[Extension<'a>],
) -> Result<Option<&'a [u8]>, Error> {
    let extension = only(extensions, NAME_CONSTRAINTS, Field::NameConstraints)?;
    Ok(extension.map(|extension| extension.value))
}

/// The extension of this type, which RFC 5280 §4.2 allows once.
fn only<'e, 'a>(
    extensions: &'e [Extension<'a>],
    id: ObjectIdentifier,
    field: Field,
) -> Result<Option<&'e Extension<'a>>, Error> {
    let mut found = extensions.iter().filter(|e| e.id == id.as_bytes());
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err(Error::DuplicateExtension { field }),
    }
}

pub(crate) fn malformed(field: Field) -> impl FnOnce(der::Error) -> Error {
    move |_| Error::MalformedCertificate { field }
}

/// KeyUsage (RFC 5280 §4.2.1.3).
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// NameConstraints (RFC 5280 §4.2.1.10).
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
/// SubjectAltName (RFC 5280 §4.2.1.6).
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// DelegationUsage (RFC 9345 §4.2).
const DELEGATION_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap(DELEGATION_USAGE_OID);

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use der::Encode;
    use proptest::prelude::*;

    use super::*;
    use crate::danger::LenientUsage;
    use crate::error::Alert;
    use crate::fields::DELEGATION_USAGE_ARCS;
    use crate::testing::{CertificateTemplate, NOT_AFTER, NOT_BEFORE};

    fn parse(template: CertificateTemplate) -> Result<DelegationCertificate<'static>, Error> {
        DelegationCertificate::parse(template.build().der)
    }

    #[track_caller]
    fn assert_refused(template: CertificateTemplate, error: &Error) {
        let got = parse(template).unwrap_err();
        assert_eq!(got, *error);
        assert_eq!(got.alert(), Alert::IllegalParameter);
    }

    fn with_usage(value: &[u8]) -> CertificateTemplate {
        CertificateTemplate {
            usage: vec![(false, value.to_vec())],
            ..CertificateTemplate::default()
        }
    }

    #[test]
    fn reads_what_the_checks_need() {
        let certificate = parse(CertificateTemplate::default()).unwrap();
        assert_eq!(certificate.not_before().as_secs(), NOT_BEFORE);
        assert_eq!(certificate.not_after().as_secs(), NOT_AFTER);
        assert_eq!(certificate.dns_names(), ["*.cpe.example.com"]);
        assert!(PublicKey::parse(certificate.spki()).is_ok());
    }

    #[test]
    fn case_46_rejects_a_certificate_without_delegation_usage() {
        let template = CertificateTemplate {
            usage: vec![],
            ..CertificateTemplate::default()
        };
        assert_refused(template, &Error::MissingDelegationUsage);
    }

    #[test]
    fn case_49_rejects_critical_delegation_usage() {
        let template = CertificateTemplate {
            usage: vec![(true, vec![5, 0])],
            ..CertificateTemplate::default()
        };
        assert_refused(template, &Error::CriticalDelegationUsage);
    }

    #[test]
    fn case_51_rejects_extensions_that_are_there_twice() {
        let twice = |id, value: &[u8]| CertificateTemplate {
            others: vec![(id, value.to_vec())],
            ..CertificateTemplate::default()
        };
        for (template, field) in [
            (
                twice(&DELEGATION_USAGE_ARCS, &[5, 0]),
                Field::DelegationUsage,
            ),
            (twice(&DELEGATION_USAGE_ARCS, &[]), Field::DelegationUsage),
            (twice(&[2, 5, 29, 15], &[3, 2, 7, 0x80]), Field::KeyUsage),
            (twice(&[2, 5, 29, 17], &[0x30, 0]), Field::SubjectAltName),
        ] {
            assert_refused(template, &Error::DuplicateExtension { field });
        }
    }

    #[test]
    fn rejects_extensions_that_cannot_be_read() {
        let with = |id, value: &[u8]| CertificateTemplate {
            key_usage: vec![],
            dns_names: vec![],
            others: vec![(id, value.to_vec())],
            ..CertificateTemplate::default()
        };
        let mut names = with(&[2, 5, 29, 17], &[0x30, 1]);
        names.key_usage = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        for (template, field) in [
            (with(&[2, 5, 29, 15], &[3, 2, 9, 0x80]), Field::KeyUsage),
            (with(&[2, 5, 29, 15], &[]), Field::KeyUsage),
            (names, Field::SubjectAltName),
        ] {
            let error = parse(template).unwrap_err();
            assert_eq!(error, Error::MalformedCertificate { field });
            assert_eq!(error.alert(), Alert::DecodeError);
        }
    }

    /// That an intermediate has the extension is of no use to the end-entity certificate.
    #[test]
    fn case_53_rejects_an_end_entity_without_its_issuers_delegation_usage() {
        let intermediate = CertificateTemplate {
            is_ca: true,
            ..CertificateTemplate::default()
        };
        assert!(parse(intermediate).is_ok());
        let end_entity = CertificateTemplate {
            usage: vec![],
            ..CertificateTemplate::default()
        };
        assert_refused(end_entity, &Error::MissingDelegationUsage);
    }

    #[test]
    fn case_52_leaves_ca_certificates_to_the_chain() {
        let template = CertificateTemplate {
            is_ca: true,
            ..CertificateTemplate::default()
        };
        assert!(parse(template).is_ok());
    }

    #[test]
    fn other_names_and_no_names_are_no_dns_names() {
        // iPAddress 192.0.2.1, then the dNSName "a.b".
        let value = b"\x30\x0b\x87\x04\xc0\x00\x02\x01\x82\x03a.b".to_vec();
        let template = CertificateTemplate {
            dns_names: vec![],
            others: vec![(&[2, 5, 29, 17], value)],
            ..CertificateTemplate::default()
        };
        assert_eq!(parse(template).unwrap().dns_names(), ["a.b"]);
        let template = CertificateTemplate {
            dns_names: vec![],
            ..CertificateTemplate::default()
        };
        assert!(parse(template).unwrap().dns_names().is_empty());
    }

    #[test]
    fn an_owned_certificate_is_the_same() {
        let der = CertificateTemplate::default().build().der;
        let borrowed = DelegationCertificate::parse((&der[..]).into()).unwrap();
        let owned = borrowed.clone().into_owned();
        assert_eq!(owned.der(), &der[..]);
        assert_eq!(owned.spki(), borrowed.spki());
        assert_eq!(owned.dns_names(), borrowed.dns_names());
        assert_eq!(owned.not_before(), borrowed.not_before());
        assert_eq!(owned.not_after(), borrowed.not_after());
    }

    #[test]
    fn case_50_rejects_a_delegation_usage_that_is_not_null() {
        for value in [&[][..], &[4, 0], &[0x30, 0], &[5, 1, 0], &[5, 0, 0], &[5]] {
            assert_refused(with_usage(value), &Error::UnusableDelegationUsage);
        }
    }

    #[test]
    fn case_50_accepts_only_the_empty_value_leniently() {
        assert!(LenientUsage.parse(with_usage(&[]).build().der).is_ok());
        assert!(LenientUsage.parse(with_usage(&[5, 0]).build().der).is_ok());
        for value in [&[4, 0][..], &[0x30, 0], &[5, 1, 0], &[5]] {
            let error = LenientUsage.parse(with_usage(value).build().der);
            assert_eq!(error.unwrap_err(), Error::UnusableDelegationUsage);
        }
    }

    #[test]
    fn case_47_rejects_a_certificate_without_key_usage() {
        let template = CertificateTemplate {
            key_usage: vec![],
            ..CertificateTemplate::default()
        };
        assert_refused(template, &Error::MissingDigitalSignature);
    }

    #[test]
    fn case_48_rejects_key_usage_without_digital_signature() {
        for key_usage in [
            vec![rcgen::KeyUsagePurpose::KeyAgreement],
            vec![rcgen::KeyUsagePurpose::ContentCommitment],
        ] {
            let template = CertificateTemplate {
                key_usage,
                ..CertificateTemplate::default()
            };
            assert_refused(template, &Error::MissingDigitalSignature);
        }
        // No bits at all, which rcgen does not write.
        let template = CertificateTemplate {
            key_usage: vec![],
            others: vec![(&[2, 5, 29, 15], vec![3, 1, 0])],
            ..CertificateTemplate::default()
        };
        assert_refused(template, &Error::MissingDigitalSignature);
    }

    #[test]
    fn accepts_more_key_usages_than_digital_signature() {
        let template = CertificateTemplate {
            key_usage: vec![
                rcgen::KeyUsagePurpose::DigitalSignature,
                rcgen::KeyUsagePurpose::KeyEncipherment,
            ],
            ..CertificateTemplate::default()
        };
        assert!(parse(template).is_ok());
    }

    #[test]
    fn rejects_every_truncation_and_trailing_data() {
        let der = CertificateTemplate::default().build().der.to_vec();
        let field = Field::Certificate;
        for length in 0..der.len() {
            let cut = CertificateDer::from(&der[..length]);
            assert_eq!(
                DelegationCertificate::parse(cut).unwrap_err(),
                Error::MalformedCertificate { field }
            );
        }
        let longer: Vec<u8> = [&der[..], &[0]].concat();
        let error = DelegationCertificate::parse(longer.into()).unwrap_err();
        assert_eq!(error, Error::MalformedCertificate { field });
    }

    #[test]
    fn expiry_counts_from_not_before_and_does_not_overflow() {
        let certificate = parse(CertificateTemplate::default()).unwrap();
        assert_eq!(certificate.expiry(7).as_secs(), NOT_BEFORE + 7);
        let far = certificate.expiry(u32::MAX).as_secs();
        assert_eq!(far, NOT_BEFORE + u64::from(u32::MAX));
    }

    #[test]
    fn covers_names_of_its_zone_only() {
        let certificate = parse(CertificateTemplate::default()).unwrap();
        let inside = UniqueName::try_from("a.cpe.example.com").unwrap();
        let outside = UniqueName::try_from("a.example.com").unwrap();
        assert_eq!(certificate.covers(&inside), Ok(()));
        assert_eq!(
            certificate.covers(&outside),
            Err(Error::NameNotCovered {
                name: outside.clone()
            })
        );
    }

    #[test]
    fn the_oid_is_the_one_of_the_rfc() {
        assert_eq!(
            DELEGATION_USAGE.to_der().unwrap(),
            [
                0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xda, 0x4b, 0x2c
            ]
        );
        let arcs: Vec<u64> = DELEGATION_USAGE.arcs().map(u64::from).collect();
        assert_eq!(arcs, DELEGATION_USAGE_ARCS);
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_panics(at in 0usize..600, byte: u8) {
            let mut der = CertificateTemplate::default().build().der.to_vec();
            let at = at % der.len();
            der[at] = byte;
            let _ = DelegationCertificate::parse(der.into());
        }
    }
}
