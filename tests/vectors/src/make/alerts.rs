//! The alert for each fault: the one table of the document.

use crate::fault::Fault;
use crate::format::{Alerts, Refused};

/// A refusal in a handshake.
pub(super) fn refused(error: Fault) -> Refused {
    Refused {
        error,
        alert: alert(error),
        also: also(error),
    }
}

/// A refusal of which no peer hears.
pub(super) fn silently(error: Fault) -> Refused {
    Refused {
        error,
        alert: None,
        also: Alerts::default(),
    }
}

/// The alerts that the document's table allows in the place of the first.
pub(super) fn also(fault: Fault) -> Alerts {
    let all = Alerts::new(match fault {
        Fault::NotOffered | Fault::WrongMessage => &[110],
        Fault::MalformedKey | Fault::MalformedConstraints => &[50],
        Fault::VersionTooOld => &[40, 46],
        Fault::UntrustedPath | Fault::CertificateNotValid | Fault::CertificateName => {
            &[42, 43, 44, 45, 46, 48, 51]
        }
        _ => &[],
    });
    all.without(alert(fault).unwrap_or_default())
}

fn alert(fault: Fault) -> Option<u8> {
    Some(match fault {
        Fault::NotOffered => 10,
        Fault::CredentialRequired | Fault::NothingSuits => 40,
        Fault::CertificateName => 42,
        Fault::CertificateNotValid => 45,
        Fault::DuplicateExtension
        | Fault::BothForms
        | Fault::OfferChanged
        | Fault::WrongMessage
        | Fault::SchemeNotOffered
        | Fault::AlgorithmNotOffered
        | Fault::NoDelegationUsage
        | Fault::CriticalDelegationUsage
        | Fault::DelegationUsageNotNull
        | Fault::DuplicateCertificateExtension
        | Fault::NoDigitalSignature
        | Fault::Expired
        | Fault::LifetimeTooLong
        | Fault::ForbiddenScheme
        | Fault::MalformedKey
        | Fault::SchemeKeyMismatch
        | Fault::AlgorithmKeyMismatch
        | Fault::BadSignature
        | Fault::NoReferenceIdentity
        | Fault::NotADnsName
        | Fault::WrongName
        | Fault::NameNotCovered
        | Fault::NameExcluded
        | Fault::MalformedConstraints
        | Fault::CredentialBesideRawKey
        | Fault::WrongCertificateVerifyScheme => 47,
        Fault::UntrustedPath => 48,
        Fault::Withdrawn => 49,
        Fault::Malformed | Fault::MalformedName | Fault::MalformedList => 50,
        Fault::BadCertificateVerify => 51,
        Fault::VersionTooOld => 70,
        Fault::NoCertificate => 116,
        Fault::LifetimeNotAllowed
        | Fault::NoCredential
        | Fault::MalformedFile
        | Fault::WrongRole => return None,
    })
}
