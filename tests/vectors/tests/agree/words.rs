//! The words of dc-core, in those of the specification.

use dc_core::{Error, Field};
use dc_vectors::fault::Fault;
use dc_vectors::format;
use dc_vectors::format::credentials::CredentialVector;
use pki_types::ServerName;

/// A fault with its alert, as dc-core says them.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) faults: Vec<Fault>,
    pub(crate) alert: u8,
}

/// The faults that an error may stand for. An unknown scheme is one for no key, whichever key it was looked up for.
pub(crate) fn said(error: &Error) -> Said {
    let faults = match error {
        Error::AlgorithmNotOffered { .. } => vec![Fault::AlgorithmNotOffered],
        Error::BadCertificateVerify => vec![Fault::BadCertificateVerify],
        Error::BadPublicKey => vec![Fault::MalformedKey],
        Error::BadSignature => vec![Fault::BadSignature],
        Error::CertificateNotValid { .. } => {
            vec![Fault::CertificateNotValid, Fault::LifetimeNotAllowed]
        }
        Error::CertificateVerifyScheme { .. } => vec![Fault::WrongCertificateVerifyScheme],
        Error::CriticalDelegationUsage => vec![Fault::CriticalDelegationUsage],
        Error::DuplicateExtension {
            field: Field::NameConstraints,
        }
        | Error::MalformedCertificate {
            field: Field::NameConstraints,
        } => vec![Fault::MalformedConstraints],
        Error::DuplicateExtension { .. } => vec![Fault::DuplicateCertificateExtension],
        Error::Expired { .. } => vec![Fault::Expired],
        Error::FormNotOffered { .. } => vec![Fault::NotOffered],
        Error::ForbiddenScheme { .. } | Error::UnusableKey => vec![Fault::ForbiddenScheme],
        Error::LengthOutOfRange { .. } | Error::TrailingData { .. } | Error::Truncated { .. } => {
            vec![Fault::Malformed]
        }
        Error::MalformedName { .. } => vec![Fault::MalformedName],
        Error::MalformedPem { .. } => vec![Fault::MalformedFile],
        Error::MissingDelegationUsage => vec![Fault::NoDelegationUsage],
        Error::MissingDigitalSignature => vec![Fault::NoDigitalSignature],
        Error::MissingCredential => vec![Fault::NoCredential],
        Error::MissingReferenceIdentity => vec![Fault::NoReferenceIdentity],
        Error::NameMismatch {
            wanted: ServerName::IpAddress(_),
            ..
        } => vec![Fault::NotADnsName],
        Error::NameMismatch { .. } => vec![Fault::WrongName],
        Error::NameExcluded { .. } => vec![Fault::NameExcluded],
        Error::NameNotCovered { .. } => vec![Fault::NameNotCovered],
        Error::RoleMismatch { .. } => vec![Fault::WrongRole],
        Error::SchemeKeyMismatch { .. } | Error::UnsupportedScheme { .. } => {
            vec![Fault::SchemeKeyMismatch, Fault::AlgorithmKeyMismatch]
        }
        Error::SchemeNotOffered { .. } => vec![Fault::SchemeNotOffered],
        Error::UnusableDelegationUsage => vec![Fault::DelegationUsageNotNull],
        Error::LifetimeZero
        | Error::ExpiryAfterCertificate { .. }
        | Error::ValidTimeOverflow { .. } => {
            vec![Fault::LifetimeNotAllowed]
        }
        Error::ValidityTooLong { .. } => vec![Fault::LifetimeTooLong, Fault::LifetimeNotAllowed],
        other => panic!("no word for {other:?}"),
    };
    Said {
        faults,
        alert: error.alert().code(),
    }
}

pub(crate) fn form(form: format::Form) -> dc_core::Form {
    match form {
        format::Form::Rfc9345 => dc_core::Form::Rfc9345,
        format::Form::Named => dc_core::Form::Named,
    }
}

pub(crate) fn role(role: format::Role) -> dc_core::Role {
    match role {
        format::Role::Server => dc_core::Role::Server,
        format::Role::Client => dc_core::Role::Client,
    }
}

/// The reference identity of a named credential; an error if rustls has none of the kind, so that nothing could be connected to.
pub(crate) fn wanted(vector: &CredentialVector) -> Result<Option<ServerName<'static>>, Said> {
    let parse = |name: &String| {
        let name = ServerName::try_from(name.as_str()).map(|name| name.to_owned());
        name.map_err(|_| Said {
            faults: vec![Fault::NotADnsName],
            alert: 47,
        })
    };
    let name = vector.wanted_name.as_ref();
    let name = name.filter(|_| vector.form == format::Form::Named);
    name.map(parse).transpose()
}
