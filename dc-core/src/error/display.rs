//! Errors and what they name, in words.

use core::fmt;
use core::time::Duration;

use der::DateTime;
use pki_types::{IpAddr, ServerName, UnixTime};

use super::{Error, Field};
use crate::credential::Form;
use crate::fields::DELEGATION_USAGE_OID;
use crate::tbs::Role;

impl fmt::Display for Error {
    // A line for each variant.
    #[rustfmt::skip]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlgorithmNotOffered { algorithm } => write!(f, "the credential is signed with {algorithm}, which is not among the peer's signature_algorithms"),
            Self::BadCertificateVerify => f.write_str("the CertificateVerify was not made by the credential's key: the peer does not hold it"),
            Self::BadPublicKey => f.write_str("the public key is not one DER SubjectPublicKeyInfo"),
            Self::BadSignature => f.write_str("the credential was not signed by this certificate's key, for this role and form"),
            Self::CertificateNotValid { now, not_before, not_after } => write!(f, "the delegation certificate is valid from {} to {}, and now is {}: get a new one from the CA", Time(not_before), Time(not_after), Time(now)),
            Self::CertificateVerifyScheme { wanted, got } => write!(f, "the CertificateVerify was made with {got}, but the credential promises {wanted}"),
            Self::CriticalDelegationUsage => f.write_str("the certificate's DelegationUsage extension is critical; RFC 9345 wants it non-critical"),
            Self::DuplicateExtension { field } => write!(f, "the certificate has the {field} extension twice"),
            Self::Expired { now, expiry } => write!(f, "the credential expired at {}, and now is {}: renew it, or check the clock", Time(expiry), Time(now)),
            Self::ExpiryAfterCertificate { expiry, not_after } => write!(f, "the credential would end at {}, not before the certificate does at {}: ask for a shorter lifetime", Time(expiry), Time(not_after)),
            Self::FormNotOffered { form } => write!(f, "a {form} credential, which was not asked for"),
            Self::ForbiddenScheme { scheme } => write!(f, "{scheme} is not allowed for the key of a credential"),
            Self::LengthOutOfRange { field, length, min, max } => write!(f, "{field} has {length} bytes; {min} to {max} are allowed"),
            Self::LifetimeZero => f.write_str("a credential that is valid for 0 seconds is of no use: ask for a longer lifetime"),
            Self::ListNotSigned => f.write_str("the list of withdrawn names is not signed by a key that is trusted: is it another signer's, or has the list key been replaced?"),
            Self::ListUnsorted { group } => write!(f, "the list of withdrawn names is not in order in group {group} of its hashes"),
            Self::ListVersion => f.write_str("not a list of withdrawn names of version 1: fetch /v1/withdrawn/ZONE/compact"),
            Self::MalformedCertificate { field } => write!(f, "the certificate cannot be read: its {field} is malformed"),
            Self::MalformedName { offset } => write!(f, "not a unique name: octet {offset} does not belong; use lower-case letters, digits, hyphens and dots, as in k3v.cpe.example.com"),
            Self::MalformedPem { line, fault } => write!(f, "line {line}: {fault}"),
            Self::MissingCredential => f.write_str("no credential in the file: a PEM block DELEGATED CREDENTIAL or NAMED DELEGATED CREDENTIAL, or the bare structure, is expected"),
            Self::MissingPem { label } => write!(f, "there is no PEM block {label}: is it the right file?"),
            Self::MissingDelegationUsage => write!(f, "the certificate has no DelegationUsage extension ({DELEGATION_USAGE_OID}): ask the CA for a delegation certificate"),
            Self::MissingDigitalSignature => f.write_str("the certificate's keyUsage does not have digitalSignature, which a delegation certificate needs"),
            Self::MissingReferenceIdentity => f.write_str("a named credential can only be checked against the name that was wanted, and none was given"),
            Self::NameExcluded { name, subtree } => write!(f, "a CA above the delegation certificate excludes the names in \"{}\", and so {name}", subtree.escape_debug()),
            Self::NameMismatch { wanted, got } => write!(f, "wanted {}, but the credential is for {got}", Wanted(wanted)),
            Self::NameNotCovered { name } => write!(f, "no dNSName of the delegation certificate covers {name}"),
            Self::RoleMismatch { wanted, got } => write!(f, "the credential is signed for a {got}, and a {wanted}'s was expected"),
            Self::SchemeKeyMismatch { scheme } => write!(f, "{scheme} does not fit this type of key"),
            Self::SchemeNotOffered { scheme } => write!(f, "the credential's key signs with {scheme}, which is not in the list the peer offered"),
            Self::TrailingData { field, bytes } => write!(f, "{bytes} bytes too many behind the {field}"),
            Self::Truncated { field, needed, available } => write!(f, "cut off in the {field}: {needed} bytes are needed and {available} are there"),
            Self::UnsupportedScheme { scheme } => write!(f, "the crypto provider cannot verify {scheme}"),
            Self::UnusableDelegationUsage => f.write_str("the certificate's DelegationUsage extension does not have the value NULL (05 00)"),
            Self::UnusableKey => f.write_str("no credential can be issued for this type of key: use ECDSA P-256 or P-384, or Ed25519"),
            Self::ValidTimeOverflow { expiry, not_before } => write!(f, "from the certificate's notBefore, {}, to {} are more seconds than valid_time can hold", Time(not_before), Time(expiry)),
            Self::ValidityLimitTooLong { wanted, max } => write!(f, "{} is longer than the {} that RFC 9345 allows", Span(wanted), Span(max)),
            Self::ValidityTooLong { remaining, max } => write!(f, "the credential would be valid for another {}; {} are allowed", Span(remaining), Span(max)),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "algorithm",
            Self::Certificate => "certificate",
            Self::DcCertVerifyAlgorithm => "dc_cert_verify_algorithm",
            Self::DelegatedCredential => "delegated credential",
            Self::DelegationUsage => "DelegationUsage",
            Self::KeyUsage => "keyUsage",
            Self::ListKeys => "keys of the list of withdrawn names",
            Self::ListSignatures => "signatures of the list of withdrawn names",
            Self::NameConstraints => "nameConstraints",
            Self::SchemeList => "signature scheme list",
            Self::Signature => "signature",
            Self::SubjectAltName => "subjectAltName",
            Self::SubjectPublicKeyInfo => "subjectPublicKeyInfo",
            Self::UniqueName => "unique_name",
            Self::ValidTime => "valid_time",
            Self::WithdrawnNames => "list of withdrawn names",
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named => "named",
            Self::Rfc9345 => "rfc9345",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

/// The server that a client wanted to reach.
struct Wanted<'a>(&'a ServerName<'static>);

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ServerName::DnsName(name) => f.write_str(name.as_ref()),
            ServerName::IpAddress(IpAddr::V4(ip)) => {
                fmt::Display::fmt(&core::net::Ipv4Addr::from(*ip.as_ref()), f)
            }
            ServerName::IpAddress(IpAddr::V6(ip)) => {
                fmt::Display::fmt(&core::net::Ipv6Addr::from(*ip.as_ref()), f)
            }
            _ => f.write_str("something else"),
        }
    }
}

/// A moment, in UTC.
struct Time<'a>(&'a UnixTime);

impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(Duration::from_secs(self.0.as_secs())) {
            Ok(date) => fmt::Display::fmt(&date, f),
            Err(_) => write!(f, "{} s after 1970", self.0.as_secs()),
        }
    }
}

/// A length of time, without the units that are zero in front.
struct Span<'a>(&'a Duration);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{rest} s"),
            (0, 0, _) => write!(f, "{minutes} min {rest} s"),
            (0, _, _) => write!(f, "{hours} h {minutes} min {rest} s"),
            _ => write!(f, "{days} d {hours} h {minutes} min {rest} s"),
        }
    }
}
