//! Faults of what a peer presented, and the alerts that they are answered with.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use dc_core::UniqueName;
use rustls::{AlertDescription, CertificateError, OtherError};

use crate::view::certificate::UnpackError;

/// A fault for which one end does not accept what the other presented.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// The credential is not valid (RFC 9345 §4.1.3), or not for the name that was wanted.
    Credential(dc_core::Error),
    /// The policy asks for a credential and the peer sent only a certificate.
    CredentialRequired,
    /// A certificate came with two extensions of one type, or the end-entity certificate with two credentials.
    DuplicateExtension,
    /// There is no current list of the zone's withdrawn names, and the policy requires one.
    ListNotCurrent {
        /// The zone of the name that was wanted, or that a client has.
        zone: UniqueName<'static>,
    },
    /// The extensions next to a certificate are malformed, or the credential of the end entity is.
    MalformedExtensions,
    /// The application does not want this peer, although everything about it is in order.
    NotAuthorized,
    /// The server took early data for another application protocol than the one that it was written in, which was that of
    /// the session (RFC 8446 §4.2.10).
    ProtocolChanged,
    /// A certificate came with an extension that was not asked for.
    UnexpectedExtension,
    /// A credential was smuggled into a handshake below TLS 1.3 (RFC 9345 §4.1.1).
    VersionTooOld,
    /// The signer has withdrawn the name, says its list: the peer gets certificate_revoked.
    Withdrawn {
        /// The name.
        name: UniqueName<'static>,
    },
}

impl Refusal {
    /// The alert that the peer gets in TLS 1.3. Below it, rustls sends certificate_unknown for all of
    /// these.
    #[must_use]
    pub fn alert(&self) -> AlertDescription {
        match self {
            Self::Credential(error) => AlertDescription::from(error.alert().code()),
            Self::CredentialRequired => AlertDescription::HandshakeFailure,
            Self::ListNotCurrent { .. } => AlertDescription::CertificateUnknown,
            Self::MalformedExtensions => AlertDescription::DecodeError,
            Self::NotAuthorized => AlertDescription::AccessDenied,
            Self::UnexpectedExtension => AlertDescription::UnsupportedExtension,
            Self::DuplicateExtension | Self::ProtocolChanged | Self::VersionTooOld => {
                AlertDescription::IllegalParameter
            }
            Self::Withdrawn { .. } => AlertDescription::CertificateRevoked,
        }
    }

    /// The refusal inside an error of rustls, which is where a verifier's own errors travel.
    pub(crate) fn find(error: &rustls::Error) -> Option<&Self> {
        let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error
        else {
            return None;
        };
        inner.downcast_ref()
    }
}

impl From<UnpackError> for Refusal {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::DuplicateExtension => Self::DuplicateExtension,
            UnpackError::Malformed | UnpackError::MalformedCredential { .. } => {
                Self::MalformedExtensions
            }
            UnpackError::UnexpectedExtension => Self::UnexpectedExtension,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(error) => fmt::Display::fmt(error, f),
            Self::CredentialRequired => f.write_str(
                "the peer sent no credential, and the policy asks for one: is it a device that is enrolled?",
            ),
            Self::DuplicateExtension => {
                f.write_str("the peer sent the same extension twice with its certificate")
            }
            Self::ListNotCurrent { zone } => write!(
                f,
                "there is no current list of the withdrawn names of {zone}, which the policy requires: load one"
            ),
            Self::MalformedExtensions => {
                f.write_str("what the peer sent with its certificate is malformed")
            }
            Self::NotAuthorized => {
                f.write_str("this peer is not on the application's list of authorised peers")
            }
            Self::ProtocolChanged => f.write_str(
                "the server took early data for another application protocol than that of the session",
            ),
            Self::UnexpectedExtension => f.write_str(
                "the peer sent an extension with its certificate that was not asked for",
            ),
            Self::VersionTooOld => f.write_str("the peer sent a credential below TLS 1.3"),
            Self::Withdrawn { name } => write!(
                f,
                "{name} is on the list of withdrawn names: its device was stolen, replaced or suspended"
            ),
        }
    }
}

impl StdError for Refusal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Credential(error) => Some(error),
            Self::CredentialRequired
            | Self::DuplicateExtension
            | Self::ListNotCurrent { .. }
            | Self::MalformedExtensions
            | Self::NotAuthorized
            | Self::ProtocolChanged
            | Self::UnexpectedExtension
            | Self::VersionTooOld
            | Self::Withdrawn { .. } => None,
        }
    }
}

impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
    }
}
