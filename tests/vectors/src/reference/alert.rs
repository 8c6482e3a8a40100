//! The alerts.

use super::Reference;
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::{Alerts, Refused};

impl Reference<'_> {
    /// A refusal that ends a handshake.
    pub(super) fn with_alert(&self, error: Fault) -> Refused {
        let alert = self.alert(error);
        Refused {
            error,
            alert,
            also: also(error).without(alert.unwrap_or_default()),
        }
    }

    /// The refusal of a hello without signature_algorithms, for which there is an alert of its own.
    pub(super) fn without_algorithms(&self) -> Refused {
        let alert = match self.keeps(Rule::MissingAlgorithmsAreMissingExtension) {
            true => MISSING_EXTENSION,
            false => HANDSHAKE_FAILURE,
        };
        Refused {
            error: Fault::NothingSuits,
            alert: Some(alert),
            also: Alerts::default(),
        }
    }

    /// The refusal of a hello for which nothing suits.
    pub(super) fn nothing_suits(&self, is_named: bool) -> Refused {
        let refused = self.with_alert(Fault::NothingSuits);
        match is_named {
            true => refused,
            false => Refused {
                also: Alerts::new(&[UNRECOGNIZED_NAME]),
                ..refused
            },
        }
    }

    /// The alert; none for what nobody is told.
    fn alert(&self, fault: Fault) -> Option<u8> {
        let (_, rule, alert, wrong) = ALERTS.iter().find(|(faults, ..)| faults.contains(&fault))?;
        match self.keeps(*rule) {
            true => Some(*alert),
            false => Some(*wrong),
        }
    }
}

/// The alerts that the table allows, the first one among them or not.
fn also(fault: Fault) -> Alerts {
    Alerts::new(match fault {
        Fault::NotOffered | Fault::WrongMessage => &[UNSUPPORTED_EXTENSION],
        Fault::MalformedKey | Fault::MalformedConstraints => &[DECODE_ERROR],
        Fault::VersionTooOld => &[HANDSHAKE_FAILURE, CERTIFICATE_UNKNOWN],
        Fault::UntrustedPath | Fault::CertificateNotValid | Fault::CertificateName => {
            OF_CERTIFICATES
        }
        _ => &[],
    })
}

/// Faults, the rule that says their alert, the alert, and another.
const ALERTS: &[(&[Fault], Rule, u8, u8)] = &[
    (
        &[Fault::Malformed],
        Rule::MalformedIsDecodeError,
        DECODE_ERROR,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::MalformedName],
        Rule::MalformedNameIsDecodeError,
        DECODE_ERROR,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::MalformedList],
        Rule::MalformedListIsDecodeError,
        DECODE_ERROR,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::DuplicateExtension],
        Rule::TwiceIsIllegal,
        ILLEGAL_PARAMETER,
        DECODE_ERROR,
    ),
    (
        &[Fault::BothForms],
        Rule::BothFormsAreIllegal,
        ILLEGAL_PARAMETER,
        UNEXPECTED_MESSAGE,
    ),
    (
        &[Fault::OfferChanged],
        Rule::ChangedOfferIsIllegal,
        ILLEGAL_PARAMETER,
        HANDSHAKE_FAILURE,
    ),
    (
        &[Fault::WrongMessage],
        Rule::WrongMessageIsIllegal,
        ILLEGAL_PARAMETER,
        UNEXPECTED_MESSAGE,
    ),
    (
        &[Fault::NotOffered],
        Rule::NotOfferedIsUnexpected,
        UNEXPECTED_MESSAGE,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::SchemeNotOffered, Fault::AlgorithmNotOffered],
        Rule::UnofferedAlgorithmIsIllegal,
        ILLEGAL_PARAMETER,
        HANDSHAKE_FAILURE,
    ),
    (
        &[
            Fault::NoDelegationUsage,
            Fault::CriticalDelegationUsage,
            Fault::DelegationUsageNotNull,
            Fault::DuplicateCertificateExtension,
            Fault::NoDigitalSignature,
        ],
        Rule::UnfitCertificateIsIllegal,
        ILLEGAL_PARAMETER,
        BAD_CERTIFICATE,
    ),
    (
        &[Fault::Expired, Fault::LifetimeTooLong],
        Rule::WrongTimeIsIllegal,
        ILLEGAL_PARAMETER,
        CERTIFICATE_EXPIRED,
    ),
    (
        &[
            Fault::ForbiddenScheme,
            Fault::MalformedKey,
            Fault::SchemeKeyMismatch,
            Fault::AlgorithmKeyMismatch,
        ],
        Rule::WrongKeyIsIllegal,
        ILLEGAL_PARAMETER,
        BAD_CERTIFICATE,
    ),
    (
        &[Fault::BadSignature],
        Rule::BadSignatureIsIllegal,
        ILLEGAL_PARAMETER,
        DECRYPT_ERROR,
    ),
    (
        &[Fault::NoReferenceIdentity, Fault::NotADnsName],
        Rule::NoDnsNameIsIllegal,
        ILLEGAL_PARAMETER,
        BAD_CERTIFICATE,
    ),
    (
        &[Fault::WrongName],
        Rule::WrongNameIsIllegal,
        ILLEGAL_PARAMETER,
        BAD_CERTIFICATE,
    ),
    (
        &[
            Fault::NameNotCovered,
            Fault::NameExcluded,
            Fault::MalformedConstraints,
        ],
        Rule::UncoveredNameIsIllegal,
        ILLEGAL_PARAMETER,
        BAD_CERTIFICATE,
    ),
    (
        &[Fault::CredentialRequired],
        Rule::MissingCredentialIsHandshakeFailure,
        HANDSHAKE_FAILURE,
        CERTIFICATE_REQUIRED,
    ),
    (
        &[Fault::VersionTooOld],
        Rule::OldVersionIsProtocolVersion,
        PROTOCOL_VERSION,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::UntrustedPath],
        Rule::UntrustedPathIsUnknownCa,
        UNKNOWN_CA,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::CertificateNotValid],
        Rule::EndedCertificateIsExpired,
        CERTIFICATE_EXPIRED,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::CertificateName],
        Rule::OtherCertificateIsBad,
        BAD_CERTIFICATE,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::WrongCertificateVerifyScheme],
        Rule::OtherSchemeIsIllegal,
        ILLEGAL_PARAMETER,
        DECRYPT_ERROR,
    ),
    (
        &[Fault::BadCertificateVerify],
        Rule::BadProofIsDecryptError,
        DECRYPT_ERROR,
        ILLEGAL_PARAMETER,
    ),
    (
        &[Fault::NoCertificate],
        Rule::NoCertificateIsCertificateRequired,
        CERTIFICATE_REQUIRED,
        HANDSHAKE_FAILURE,
    ),
    (
        &[Fault::CredentialBesideRawKey],
        Rule::RawKeysCredentialIsIllegal,
        ILLEGAL_PARAMETER,
        UNEXPECTED_MESSAGE,
    ),
    (
        &[Fault::Withdrawn],
        Rule::WithdrawnIsAccessDenied,
        ACCESS_DENIED,
        BAD_CERTIFICATE,
    ),
    (
        &[Fault::NothingSuits],
        Rule::NothingSuitsIsHandshakeFailure,
        HANDSHAKE_FAILURE,
        ILLEGAL_PARAMETER,
    ),
];

// AlertDescription (RFC 8446 §6).
const UNEXPECTED_MESSAGE: u8 = 10;
const HANDSHAKE_FAILURE: u8 = 40;
const BAD_CERTIFICATE: u8 = 42;
const CERTIFICATE_EXPIRED: u8 = 45;
const CERTIFICATE_UNKNOWN: u8 = 46;
const ILLEGAL_PARAMETER: u8 = 47;
const UNKNOWN_CA: u8 = 48;
const ACCESS_DENIED: u8 = 49;
const DECODE_ERROR: u8 = 50;
const DECRYPT_ERROR: u8 = 51;
const PROTOCOL_VERSION: u8 = 70;
const MISSING_EXTENSION: u8 = 109;
const UNSUPPORTED_EXTENSION: u8 = 110;
const UNRECOGNIZED_NAME: u8 = 112;
const CERTIFICATE_REQUIRED: u8 = 116;

/// What stacks say of a certificate: bad, unsupported, revoked, expired or unknown, of an unknown CA, or with a signature
/// that does not verify.
const OF_CERTIFICATES: &[u8] = &[42, 43, 44, 45, 46, 48, 51];
