use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::testing::{NAME, NOW, at};

/// An error, the alert it leads to, and a part of what it says.
type Row = (Error, u8, &'static str);

/// Every variant.
fn all() -> impl Iterator<Item = Row> {
    [until_pem(), of_pem(), behind_pem(), of_validity()]
        .into_iter()
        .flatten()
}

#[rustfmt::skip]
fn until_pem() -> Vec<Row> {
    let scheme = SignatureScheme::ED25519;
    let field = Field::SubjectPublicKeyInfo;
    let (now, later) = (at(NOW), at(NOW + 60));
    [
        (Error::AlgorithmNotOffered { algorithm: scheme }, 47, "signed with ed25519 (0x0807)"),
        (Error::BadCertificateVerify, 51, "not made by the credential's key"),
        (Error::BadPublicKey, 47, "not one DER SubjectPublicKeyInfo"),
        (Error::BadSignature, 47, "not signed by this certificate's key"),
        (
            Error::CertificateNotValid { now, not_before: later, not_after: later },
            47,
            "valid from 2026-01-01T00:01:00Z to 2026-01-01T00:01:00Z, and now is 2026-01-01T00:00:00Z",
        ),
        (
            Error::CertificateVerifyScheme { wanted: scheme, got: SignatureScheme(9) },
            47,
            "with unknown scheme 0x0009, but the credential promises ed25519",
        ),
        (Error::CriticalDelegationUsage, 47, "is critical"),
        (Error::DuplicateExtension { field: Field::KeyUsage }, 47, "the keyUsage extension twice"),
        (Error::Expired { now: later, expiry: now }, 47, "expired at 2026-01-01T00:00:00Z"),
        (
            Error::ExpiryAfterCertificate { expiry: later, not_after: now },
            47,
            "would end at 2026-01-01T00:01:00Z, not before the certificate does",
        ),
        (Error::FormNotOffered { form: Form::Named }, 10, "a named credential, which was not"),
        (Error::FormNotOffered { form: Form::Rfc9345 }, 10, "a rfc9345 credential, which was not"),
        (Error::ForbiddenScheme { scheme }, 47, "ed25519 (0x0807) is not allowed"),
        (
            Error::LengthOutOfRange { field, length: 0, min: 1, max: 9 },
            50,
            "subjectPublicKeyInfo has 0 bytes; 1 to 9 are allowed",
        ),
        (Error::LifetimeZero, 47, "0 seconds"),
        (Error::ListNotSigned, 47, "not signed by a key that is trusted"),
        (Error::ListUnsorted { group: 3 }, 50, "not in order in group 3"),
        (Error::ListVersion, 50, "version 1"),
        (Error::MalformedCertificate { field }, 50, "its subjectPublicKeyInfo is malformed"),
        (Error::MalformedName { offset: 3 }, 50, "octet 3 does not belong"),
    ]
    .into()
}

#[rustfmt::skip]
fn of_pem() -> Vec<Row> {
    [
        (PemFault::Base64.at(4), 50, "line 4: a character that is not base64"),
        (PemFault::Another { label: "PRIVATE KEY" }.at(4), 50, "a second block PRIVATE KEY"),
        (PemFault::BadBoundary.at(1), 50, "line 1: the line is not whole"),
        (PemFault::BesideBoundary.at(1), 50, "line 1: something stands beside"),
        (PemFault::CutOff.at(1), 50, "ends too early"),
        (PemFault::Der { label: "CERTIFICATE" }.at(1), 50, "openssl x509 -inform DER"),
        (PemFault::Der { label: "PRIVATE KEY" }.at(1), 50, "openssl pkey -inform DER"),
        (PemFault::Der { label: "CERTIFICATE REQUEST" }.at(1), 50, "openssl req -inform DER"),
        (PemFault::DerBesides.at(3), 50, "line 3: DER begins there"),
        (PemFault::UnknownLabel { label: "OPENSSH PRIVATE KEY".into() }.at(1), 50, "make PRIVATE KEY of it with 'ssh-keygen -p -m PKCS8"),
        (PemFault::UnknownLabel { label: "DSA PRIVATE KEY".into() }.at(1), 50, "'DSA PRIVATE KEY' is not taken"),
        (PemFault::Empty.at(1), 50, "empty"),
        (PemFault::Encrypted.at(1), 50, "takes a passphrase"),
        (PemFault::MissingBegin.at(1), 50, "an END without a BEGIN"),
        (PemFault::MissingEnd.at(1), 50, "a BEGIN without an END"),
        (PemFault::RunTogether.at(1), 50, "put a line break between the two"),
        (PemFault::UnknownLabel { label: "CMS".into() }.at(1), 50, "openssl pkcs7 -print_certs"),
        (PemFault::UnknownLabel { label: "TRUSTED CERTIFICATE".into() }.at(1), 50, "openssl x509'"),
        (PemFault::UnknownLabel { label: "X".into() }.at(1), 50, "a block 'X' is not known here"),
        (PemFault::Utf16.at(1), 50, "save it as UTF-8"),
        (PemFault::WrongEnd.at(1), 50, "another label than the BEGIN"),
    ]
    .into()
}

#[rustfmt::skip]
fn behind_pem() -> Vec<Row> {
    let scheme = SignatureScheme::ED25519;
    let field = Field::SubjectPublicKeyInfo;
    let name = || UniqueName::try_from(NAME).unwrap().into_owned();
    [
        (Error::MissingPem { label: "CERTIFICATE" }, 47, "no PEM block CERTIFICATE"),
        (Error::MissingCredential, 47, "no credential in the file"),
        (Error::MissingDelegationUsage, 47, "1.3.6.1.4.1.44363.44"),
        (Error::MissingDigitalSignature, 47, "digitalSignature"),
        (Error::MissingReferenceIdentity, 47, "none was given"),
        (
            Error::NameExcluded { name: name(), subtree: "example.com".into() },
            47,
            "excludes the names in \"example.com\", and so k3v.cpe.example.com",
        ),
        (
            Error::NameMismatch { wanted: "a.example".try_into().unwrap(), got: name() },
            47,
            "wanted a.example, but the credential is for k3v.cpe.example.com",
        ),
        (
            Error::NameMismatch { wanted: "192.0.2.1".try_into().unwrap(), got: name() },
            47,
            "wanted 192.0.2.1,",
        ),
        (
            Error::NameMismatch { wanted: "2001:db8::1".try_into().unwrap(), got: name() },
            47,
            "wanted 2001:db8::1,",
        ),
        (Error::NameNotCovered { name: name() }, 47, "covers k3v.cpe.example.com"),
        (
            Error::RoleMismatch { wanted: Role::Server, got: Role::Client },
            47,
            "signed for a client, and a server's was expected",
        ),
        (Error::SchemeKeyMismatch { scheme }, 47, "does not fit this type of key"),
        (Error::SchemeNotOffered { scheme }, 47, "not in the list the peer offered"),
        (Error::TrailingData { field, bytes: 2 }, 50, "2 bytes too many behind the subject"),
        (
            Error::Truncated { field: Field::ValidTime, needed: 4, available: 1 },
            50,
            "cut off in the valid_time: 4 bytes are needed and 1 are there",
        ),
        (Error::UnsupportedScheme { scheme }, 47, "cannot verify ed25519 (0x0807)"),
        (Error::UnusableKey, 47, "use ECDSA P-256"),
        (Error::UnusableDelegationUsage, 47, "NULL (05 00)"),
    ]
    .into()
}

fn of_validity() -> Vec<Row> {
    let day = Duration::from_secs(86_400);
    [
        (
            Error::ValidTimeOverflow {
                expiry: at(u64::MAX),
                not_before: at(NOW),
            },
            47,
            "to 18446744073709551615 s after 1970 are more seconds",
        ),
        (
            Error::ValidityLimitTooLong {
                wanted: 8 * day,
                max: 7 * day,
            },
            47,
            "8 d 0 h 0 min 0 s is longer than the 7 d 0 h 0 min 0 s",
        ),
        (
            Error::ValidityTooLong {
                remaining: day - Duration::from_secs(1),
                max: 7 * day,
            },
            47,
            "another 23 h 59 min 59 s; 7 d",
        ),
        (
            Error::ValidityTooLong {
                remaining: Duration::from_secs(61),
                max: Duration::from_secs(59),
            },
            47,
            "another 1 min 1 s; 59 s are allowed",
        ),
    ]
    .into()
}

#[test]
fn every_error_says_what_is_wrong_in_a_lower_case_clause() {
    for (error, _, says) in all() {
        let text = error.to_string();
        assert!(text.contains(says), "{text}");
        assert!(
            !text.ends_with('.') && !text.starts_with(char::is_uppercase),
            "{text}"
        );
    }
}

/// The rule behind the table: malformed is decode_error, what was not asked for is
/// unexpected_message, a bad CertificateVerify is decrypt_error, all else illegal_parameter.
#[test]
fn every_error_has_the_alert_that_the_rfc_names() {
    for (error, alert, _) in all() {
        assert_eq!(error.alert().code(), alert, "{error}");
    }
}

#[test]
fn every_field_has_the_name_that_specifications_use() {
    let fields = [
        Field::Algorithm,
        Field::Certificate,
        Field::DcCertVerifyAlgorithm,
        Field::DelegatedCredential,
        Field::DelegationUsage,
        Field::KeyUsage,
        Field::SchemeList,
        Field::Signature,
        Field::SubjectAltName,
        Field::SubjectPublicKeyInfo,
        Field::UniqueName,
        Field::ValidTime,
    ];
    let names: Vec<String> = fields.iter().map(ToString::to_string).collect();
    assert_eq!(
        names.join(", "),
        "algorithm, certificate, dc_cert_verify_algorithm, delegated credential, DelegationUsage, \
         keyUsage, signature scheme list, signature, subjectAltName, subjectPublicKeyInfo, \
         unique_name, valid_time"
    );
}
