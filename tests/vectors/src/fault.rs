//! The faults for which something is refused, in the words of the specification.

use serde::{Deserialize, Serialize};

/// What is wrong with what is refused; in the files, the variant's name in lower case with hyphens.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// A structure that cannot be decoded.
    Malformed,
    /// `unique_name` has octets that no name has.
    MalformedName,
    /// A list of schemes that is empty, odd or otherwise cannot be decoded.
    MalformedList,
    /// The same extension twice in one block.
    DuplicateExtension,
    /// Both forms in one entry.
    BothForms,
    /// The second ClientHello offers something else than the first.
    OfferChanged,
    /// The extension is in a message that has no place for it.
    WrongMessage,
    /// A form of credential that was not offered.
    NotOffered,
    /// `dc_cert_verify_algorithm` is not in the form's list.
    SchemeNotOffered,
    /// `algorithm` is not in signature_algorithms.
    AlgorithmNotOffered,
    /// The certificate has no DelegationUsage.
    NoDelegationUsage,
    /// DelegationUsage is critical.
    CriticalDelegationUsage,
    /// The value of DelegationUsage is not NULL.
    DelegationUsageNotNull,
    /// The certificate has an extension twice.
    DuplicateCertificateExtension,
    /// keyUsage is missing or has no digitalSignature.
    NoDigitalSignature,
    /// The credential has ended.
    Expired,
    /// More than seven days remain.
    LifetimeTooLong,
    /// A scheme that no credential may use.
    ForbiddenScheme,
    /// The key is not one DER SubjectPublicKeyInfo.
    MalformedKey,
    /// `dc_cert_verify_algorithm` is not for the credential's key.
    SchemeKeyMismatch,
    /// `algorithm` is not for the certificate's key.
    AlgorithmKeyMismatch,
    /// The certificate's key did not sign this credential, in this role and form, under this certificate.
    BadSignature,
    /// The client has no reference identity.
    NoReferenceIdentity,
    /// The reference identity is not a DNS name: an address, for example.
    NotADnsName,
    /// `unique_name` is not the reference identity.
    WrongName,
    /// No dNSName of the certificate covers `unique_name`.
    NameNotCovered,
    /// `unique_name` is in an excluded subtree of a certificate in the path.
    NameExcluded,
    /// NameConstraints of a certificate in the path cannot be read, or are there twice.
    MalformedConstraints,
    /// The policy requires a named credential and there is none.
    CredentialRequired,
    /// No certificate came, where the policy requires one.
    NoCertificate,
    /// A credential beside a raw public key.
    CredentialBesideRawKey,
    /// The application does not want this name or key.
    Withdrawn,
    /// A version of TLS that has no credentials, where one is required.
    VersionTooOld,
    /// The chain does not lead to a trusted root.
    UntrustedPath,
    /// The certificate is not valid yet, or not any more.
    CertificateNotValid,
    /// The certificate is not for the reference identity.
    CertificateName,
    /// CertificateVerify has another scheme than `dc_cert_verify_algorithm`; without a credential, one that was not offered
    /// or is not for the certificate's key.
    WrongCertificateVerifyScheme,
    /// The credential's key did not make CertificateVerify.
    BadCertificateVerify,
    /// Neither a credential nor the certificate's key suits what was offered.
    NothingSuits,
    /// An issuer is asked for more than seven days, for no time, or beyond the certificate's end.
    LifetimeNotAllowed,
    /// A file has no credential in it.
    NoCredential,
    /// A PEM file is damaged.
    MalformedFile,
    /// The label of a file and the signature disagree about the role.
    WrongRole,
}
