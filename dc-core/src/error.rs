//! Errors of credentials, with the numbers that show them, and the alert for each.

mod display;
mod pem;

use core::time::Duration;

use pki_types::{ServerName, UnixTime};

use self::display::{Span, Time, Wanted};
use crate::credential::Form;
use crate::fields::DELEGATION_USAGE_OID;
use crate::name::UniqueName;
use crate::scheme::SignatureScheme;
use crate::tbs::Role;

pub use pem::PemFault;

/// A fault for which a credential, a delegation certificate or a request is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `algorithm` is not in the peer's signature_algorithms (RFC 9345 §4.1.1).
    #[error(
        "the credential is signed with {algorithm}, which is not among the peer's signature_algorithms"
    )]
    AlgorithmNotOffered {
        /// The scheme of the delegation certificate's signature.
        algorithm: SignatureScheme,
    },
    /// The CertificateVerify is not the credential key's signature (RFC 8446 §4.4.3).
    #[error(
        "the CertificateVerify was not made by the credential's key: the peer does not hold it"
    )]
    BadCertificateVerify,
    /// A public key is not one whole DER SubjectPublicKeyInfo (RFC 9345 §4).
    #[error("the public key is not one DER SubjectPublicKeyInfo")]
    BadPublicKey,
    /// The credential is not signed by the delegation certificate's key (RFC 9345 §4.1.3 (6)).
    #[error("the credential was not signed by this certificate's key, for this role and form")]
    BadSignature,
    /// The delegation certificate is not valid now, so nothing can be issued under it.
    #[error("the delegation certificate is valid from {} to {}, and now is {}: get a new one from the CA", Time(.not_before), Time(.not_after), Time(.now))]
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
    #[error("the CertificateVerify was made with {got}, but the credential promises {wanted}")]
    CertificateVerifyScheme {
        /// The credential's `dc_cert_verify_algorithm`.
        wanted: SignatureScheme,
        /// The scheme of the CertificateVerify.
        got: SignatureScheme,
    },
    /// DelegationUsage is marked critical, which RFC 9345 §4.2 forbids.
    #[error(
        "the certificate's DelegationUsage extension is critical; RFC 9345 wants it non-critical"
    )]
    CriticalDelegationUsage,
    /// A certificate has the same extension twice (RFC 5280 §4.2).
    #[error("the certificate has the {field} extension twice")]
    DuplicateExtension {
        /// Which one.
        field: Field,
    },
    /// The credential has ended (RFC 9345 §4.1.3 (1)).
    #[error("the credential expired at {}, and now is {}: renew it, or check the clock", Time(.expiry), Time(.now))]
    Expired {
        /// The time of the check.
        now: UnixTime,
        /// The last second at which it was valid.
        expiry: UnixTime,
    },
    /// The credential ends with the delegation certificate or after it (RFC 9345 §3).
    #[error("the credential would end at {}, not before the certificate does at {}: ask for a shorter lifetime", Time(.expiry), Time(.not_after))]
    ExpiryAfterCertificate {
        /// When the credential ends.
        expiry: UnixTime,
        /// When the certificate ends.
        not_after: UnixTime,
    },
    /// A form of credential arrived that was not asked for (RFC 9345 §4.1.1).
    #[error("a {form} credential, which was not asked for")]
    FormNotOffered {
        /// The form that arrived.
        form: Form,
    },
    /// The key of a credential may not use this scheme (RFC 9345 §4).
    #[error("{scheme} is not allowed for the key of a credential")]
    ForbiddenScheme {
        /// The credential's `dc_cert_verify_algorithm`.
        scheme: SignatureScheme,
    },
    /// A vector is shorter or longer than its definition allows.
    #[error("{field} has {length} bytes; {min} to {max} are allowed")]
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
    #[error("a credential that is valid for 0 seconds is of no use: ask for a longer lifetime")]
    LifetimeZero,
    /// A certificate or one of its extensions cannot be parsed.
    #[error("the certificate cannot be read: its {field} is malformed")]
    MalformedCertificate {
        /// Which part.
        field: Field,
    },
    /// Octets are not a unique name.
    #[error(
        "not a unique name: octet {offset} does not belong; use lower-case letters, digits, hyphens and dots, as in k3v.cpe.example.com"
    )]
    MalformedName {
        /// The first octet that does not belong, counted from 0.
        offset: usize,
    },
    /// A PEM file is damaged, or has something in it that is not taken.
    #[error("line {line}: {fault}")]
    MalformedPem {
        /// The line, counted from 1.
        line: usize,
        /// The fault there.
        fault: PemFault,
    },
    /// The certificate has no DelegationUsage (RFC 9345 §4.2).
    #[error(
        "the certificate has no DelegationUsage extension ({}): ask the CA for a delegation certificate",
        DELEGATION_USAGE_OID
    )]
    MissingDelegationUsage,
    /// The certificate's keyUsage does not have digitalSignature (RFC 9345 §4.2).
    #[error(
        "the certificate's keyUsage does not have digitalSignature, which a delegation certificate needs"
    )]
    MissingDigitalSignature,
    /// A file has no credential in it.
    #[error(
        "no credential in the file: a PEM block DELEGATED CREDENTIAL or NAMED DELEGATED CREDENTIAL, or the bare structure, is expected"
    )]
    MissingCredential,
    /// A file has no PEM block of the kind that was looked for.
    #[error("there is no PEM block {label}: is it the right file?")]
    MissingPem {
        /// Its label.
        label: &'static str,
    },
    /// No name to expect was given for a named credential of a server.
    #[error(
        "a named credential can only be checked against the name that was wanted, and none was given"
    )]
    MissingReferenceIdentity,
    /// The credential's unique name is not the name that was wanted.
    #[error("wanted {}, but the credential is for {got}", Wanted(.wanted))]
    NameMismatch {
        /// The name or address that the client wanted to reach.
        wanted: ServerName<'static>,
        /// The credential's unique name.
        got: UniqueName<'static>,
    },
    /// No dNSName of the delegation certificate covers the unique name.
    #[error("no dNSName of the delegation certificate covers {name}")]
    NameNotCovered {
        /// The unique name.
        name: UniqueName<'static>,
    },
    /// A credential was signed for the other end of a connection than was said (RFC 9345 §4).
    #[error("the credential is signed for a {got}, and a {wanted}'s was expected")]
    RoleMismatch {
        /// The role that was said.
        wanted: Role,
        /// The role that it was signed for.
        got: Role,
    },
    /// A scheme is for another type of key (RFC 8446 §4.2.3).
    #[error("{scheme} does not fit this type of key")]
    SchemeKeyMismatch {
        /// The scheme.
        scheme: SignatureScheme,
    },
    /// `dc_cert_verify_algorithm` is not in the list the peer offered (RFC 9345 §4.1.1).
    #[error("the credential's key signs with {scheme}, which is not in the list the peer offered")]
    SchemeNotOffered {
        /// The credential's `dc_cert_verify_algorithm`.
        scheme: SignatureScheme,
    },
    /// Bytes are left over behind a structure.
    #[error("{bytes} bytes too many behind the {field}")]
    TrailingData {
        /// Which structure.
        field: Field,
        /// How many bytes.
        bytes: usize,
    },
    /// A structure ends too early.
    #[error("cut off in the {field}: {needed} bytes are needed and {available} are there")]
    Truncated {
        /// The field that was being read.
        field: Field,
        /// The bytes it needs.
        needed: usize,
        /// The bytes there are.
        available: usize,
    },
    /// The provider has no algorithm for a scheme.
    #[error("the crypto provider cannot verify {scheme}")]
    UnsupportedScheme {
        /// The scheme.
        scheme: SignatureScheme,
    },
    /// No signature scheme for credentials fits a key of this type (RFC 9345 §4).
    #[error(
        "no credential can be issued for this type of key: use ECDSA P-256 or P-384, or Ed25519"
    )]
    UnusableKey,
    /// The value of DelegationUsage is not `NULL` (RFC 9345 §4.2).
    #[error("the certificate's DelegationUsage extension does not have the value NULL (05 00)")]
    UnusableDelegationUsage,
    /// A maximum validity above 7 days was asked for without `danger`.
    #[error("{} is longer than the {} that RFC 9345 allows", Span(.wanted), Span(.max))]
    ValidityLimitTooLong {
        /// The limit that was asked for.
        wanted: Duration,
        /// The most that RFC 9345 allows.
        max: Duration,
    },
    /// The credential ends later than the maximum validity allows (RFC 9345 §4.1.3 (2)).
    #[error("the credential would be valid for another {}; {} are allowed", Span(.remaining), Span(.max))]
    ValidityTooLong {
        /// How long it would still be valid.
        remaining: Duration,
        /// The most that is accepted.
        max: Duration,
    },
    /// The end of the credential is more than 2^32-1 seconds after the certificate's notBefore.
    #[error("from the certificate's notBefore, {}, to {} are more seconds than valid_time can hold", Time(.not_before), Time(.expiry))]
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
            | Self::MissingCredential
            | Self::MissingDelegationUsage
            | Self::MissingDigitalSignature
            | Self::MissingPem { .. }
            | Self::MissingReferenceIdentity
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
}

#[cfg(test)]
mod tests;
