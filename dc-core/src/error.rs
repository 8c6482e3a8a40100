//! Errors of credentials, with the numbers that show them, and the alert for each.

mod display;
mod pem;

use alloc::string::String;
use core::time::Duration;

use pki_types::{ServerName, UnixTime};

use crate::credential::Form;
use crate::name::UniqueName;
use crate::scheme::SignatureScheme;
use crate::tbs::Role;

pub use pem::PemFault;

/// A fault for which a credential, a delegation certificate or a request is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// `algorithm` is not in the peer's signature_algorithms (RFC 9345 §4.1.1).
    AlgorithmNotOffered {
        /// The scheme of the delegation certificate's signature.
        algorithm: SignatureScheme,
    },
    /// The CertificateVerify is not the credential key's signature (RFC 8446 §4.4.3).
    BadCertificateVerify,
    /// A public key is not one whole DER SubjectPublicKeyInfo (RFC 9345 §4).
    BadPublicKey,
    /// The credential is not signed by the delegation certificate's key (RFC 9345 §4.1.3 (6)).
    BadSignature,
    /// The delegation certificate is not valid now, so nothing can be issued under it.
    CertificateNotValid {
        /// The time of the request.
        now: UnixTime,
        /// When the certificate begins to be valid.
        not_before: UnixTime,
        /// When it ends.
        not_after: UnixTime,
    },
    /// The CertificateVerify has another scheme than the credential promises
    /// (RFC 9345 §4.1.3 (3)).
    CertificateVerifyScheme {
        /// The credential's `dc_cert_verify_algorithm`.
        wanted: SignatureScheme,
        /// The scheme of the CertificateVerify.
        got: SignatureScheme,
    },
    /// DelegationUsage is marked critical, which RFC 9345 §4.2 forbids.
    CriticalDelegationUsage,
    /// A certificate has the same extension twice (RFC 5280 §4.2).
    DuplicateExtension {
        /// Which one.
        field: Field,
    },
    /// The credential has ended (RFC 9345 §4.1.3 (1)).
    Expired {
        /// The time of the check.
        now: UnixTime,
        /// The last second at which it was valid.
        expiry: UnixTime,
    },
    /// The credential ends with the delegation certificate or after it (RFC 9345 §3).
    ExpiryAfterCertificate {
        /// When the credential ends.
        expiry: UnixTime,
        /// When the certificate ends.
        not_after: UnixTime,
    },
    /// A form of credential arrived that was not asked for (RFC 9345 §4.1.1).
    FormNotOffered {
        /// The form that arrived.
        form: Form,
    },
    /// The key of a credential may not use this scheme (RFC 9345 §4).
    ForbiddenScheme {
        /// The credential's `dc_cert_verify_algorithm`.
        scheme: SignatureScheme,
    },
    /// A vector is shorter or longer than its definition allows.
    LengthOutOfRange {
        /// Which vector.
        field: Field,
        /// Its length in bytes.
        length: usize,
        /// The least length in bytes.
        min: usize,
        /// The greatest length in bytes.
        max: usize,
    },
    /// A requested lifetime is zero.
    LifetimeZero,
    /// No signature of a list of withdrawn names is by a key that is trusted.
    ListNotSigned,
    /// The hashes of a list of withdrawn names do not ascend, or its table does not lead to them.
    ListUnsorted {
        /// The group of hashes, counted from 0.
        group: usize,
    },
    /// Bytes are no list of withdrawn names of the version that is known.
    ListVersion,
    /// A certificate or one of its extensions cannot be parsed.
    MalformedCertificate {
        /// Which part.
        field: Field,
    },
    /// Octets are not a unique name.
    MalformedName {
        /// The first octet that does not belong, counted from 0.
        offset: usize,
    },
    /// A PEM file is damaged, or has something in it that is not taken.
    MalformedPem {
        /// The line, counted from 1.
        line: usize,
        /// The fault there.
        fault: PemFault,
    },
    /// The certificate has no DelegationUsage (RFC 9345 §4.2).
    MissingDelegationUsage,
    /// The certificate's keyUsage does not have digitalSignature (RFC 9345 §4.2).
    MissingDigitalSignature,
    /// A file has no credential in it.
    MissingCredential,
    /// A file has no PEM block of the kind that was looked for.
    MissingPem {
        /// Its label.
        label: &'static str,
    },
    /// No name to expect was given for a named credential of a server.
    MissingReferenceIdentity,
    /// An issuer of the delegation certificate excludes the unique name (RFC 5280 §4.2.1.10).
    NameExcluded {
        /// The unique name.
        name: UniqueName<'static>,
        /// The dNSName of the excluded subtree.
        subtree: String,
    },
    /// The credential's unique name is not the name that was wanted.
    NameMismatch {
        /// The name or address that the client wanted to reach.
        wanted: ServerName<'static>,
        /// The credential's unique name.
        got: UniqueName<'static>,
    },
    /// No dNSName of the delegation certificate covers the unique name.
    NameNotCovered {
        /// The unique name.
        name: UniqueName<'static>,
    },
    /// A credential was signed for the other end of a connection than was said (RFC 9345 §4).
    RoleMismatch {
        /// The role that was said.
        wanted: Role,
        /// The role that it was signed for.
        got: Role,
    },
    /// A scheme is for another type of key (RFC 8446 §4.2.3).
    SchemeKeyMismatch {
        /// The scheme.
        scheme: SignatureScheme,
    },
    /// `dc_cert_verify_algorithm` is not in the list the peer offered (RFC 9345 §4.1.1).
    SchemeNotOffered {
        /// The credential's `dc_cert_verify_algorithm`.
        scheme: SignatureScheme,
    },
    /// Bytes are left over behind a structure.
    TrailingData {
        /// Which structure.
        field: Field,
        /// How many bytes.
        bytes: usize,
    },
    /// A structure ends too early.
    Truncated {
        /// The field that was being read.
        field: Field,
        /// The bytes it needs.
        needed: usize,
        /// The bytes there are.
        available: usize,
    },
    /// The provider has no algorithm for a scheme.
    UnsupportedScheme {
        /// The scheme.
        scheme: SignatureScheme,
    },
    /// No signature scheme for credentials fits a key of this type (RFC 9345 §4).
    UnusableKey,
    /// The value of DelegationUsage is not `NULL` (RFC 9345 §4.2).
    UnusableDelegationUsage,
    /// A maximum validity above 7 days was asked for without `danger`.
    ValidityLimitTooLong {
        /// The limit that was asked for.
        wanted: Duration,
        /// The most that RFC 9345 allows.
        max: Duration,
    },
    /// The credential ends later than the maximum validity allows (RFC 9345 §4.1.3 (2)).
    ValidityTooLong {
        /// How long it would still be valid.
        remaining: Duration,
        /// The most that is accepted.
        max: Duration,
    },
    /// The end of the credential is more than 2^32-1 seconds after the certificate's notBefore.
    ValidTimeOverflow {
        /// When the credential would end.
        expiry: UnixTime,
        /// The certificate's notBefore.
        not_before: UnixTime,
    },
}

impl Error {
    /// The alert that a peer is owed for this error.
    ///
    /// RFC 9345 §4.1.3 asks for illegal_parameter whenever a credential is not valid; what cannot be
    /// parsed is decode_error (RFC 8446 §6.2).
    #[must_use]
    pub fn alert(&self) -> Alert {
        match self {
            Self::LengthOutOfRange { .. }
            | Self::ListUnsorted { .. }
            | Self::ListVersion
            | Self::MalformedCertificate { .. }
            | Self::MalformedName { .. }
            | Self::MalformedPem { .. }
            | Self::TrailingData { .. }
            | Self::Truncated { .. } => Alert::DecodeError,
            Self::BadCertificateVerify => Alert::DecryptError,
            Self::FormNotOffered { .. } => Alert::UnexpectedMessage,
            Self::AlgorithmNotOffered { .. }
            | Self::BadPublicKey
            | Self::BadSignature
            | Self::CertificateNotValid { .. }
            | Self::CertificateVerifyScheme { .. }
            | Self::CriticalDelegationUsage
            | Self::DuplicateExtension { .. }
            | Self::Expired { .. }
            | Self::ExpiryAfterCertificate { .. }
            | Self::ForbiddenScheme { .. }
            | Self::LifetimeZero
            | Self::ListNotSigned
            | Self::MissingCredential
            | Self::MissingDelegationUsage
            | Self::MissingDigitalSignature
            | Self::MissingPem { .. }
            | Self::MissingReferenceIdentity
            | Self::NameExcluded { .. }
            | Self::NameMismatch { .. }
            | Self::NameNotCovered { .. }
            | Self::RoleMismatch { .. }
            | Self::SchemeKeyMismatch { .. }
            | Self::SchemeNotOffered { .. }
            | Self::UnsupportedScheme { .. }
            | Self::UnusableDelegationUsage
            | Self::UnusableKey
            | Self::ValidTimeOverflow { .. }
            | Self::ValidityLimitTooLong { .. }
            | Self::ValidityTooLong { .. } => Alert::IllegalParameter,
        }
    }
}

impl core::error::Error for Error {}

/// A TLS alert that this crate's errors lead to (RFC 8446 §6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Alert {
    /// 50: a message cannot be parsed.
    DecodeError,
    /// 51: a signature does not verify.
    DecryptError,
    /// 47: a value is not allowed.
    IllegalParameter,
    /// 10: something arrived that was not asked for.
    UnexpectedMessage,
}

impl Alert {
    /// The code point in the alert message.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::DecodeError => 50,
            Self::DecryptError => 51,
            Self::IllegalParameter => 47,
            Self::UnexpectedMessage => 10,
        }
    }
}

/// The part of a structure that an error is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Field {
    /// `algorithm` of a credential.
    Algorithm,
    /// A certificate as a whole.
    Certificate,
    /// `dc_cert_verify_algorithm` of a credential.
    DcCertVerifyAlgorithm,
    /// The extension that allows a certificate to delegate.
    DelegationUsage,
    /// A credential as a whole.
    DelegatedCredential,
    /// The keyUsage extension.
    KeyUsage,
    /// The keys of a list of withdrawn names.
    ListKeys,
    /// The signatures of a list of withdrawn names.
    ListSignatures,
    /// The nameConstraints extension.
    NameConstraints,
    /// A list of signature schemes.
    SchemeList,
    /// `signature` of a credential.
    Signature,
    /// The subjectAltName extension.
    SubjectAltName,
    /// `ASN1_subjectPublicKeyInfo` of a credential, or the key of a certificate.
    SubjectPublicKeyInfo,
    /// `unique_name` of a named credential.
    UniqueName,
    /// `valid_time` of a credential.
    ValidTime,
    /// A list of withdrawn names as a whole.
    WithdrawnNames,
}

#[cfg(test)]
mod tests;
