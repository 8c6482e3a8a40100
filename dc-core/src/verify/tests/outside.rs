//! Vectors that others published, as a JSON list. They are not part of this repository: the test
//! reads `DC_VECTORS`, or [`DEFAULT`] when that is not set, and is skipped without a file.

use std::fs;
use std::path::PathBuf;
use std::string::String;

use base64ct::{Base64, Encoding};
use serde_json::Value;

use super::*;
use crate::certificate::DelegationCertificate;
use crate::danger::LenientUsage;
use crate::testing::more_algorithms;

/// What `DC_VECTORS` names; none without it.
fn vectors() -> Vec<Value> {
    let Some(path) = std::env::var_os("DC_VECTORS").map(PathBuf::from) else {
        apparatus::left_out(
            "vectors that others published",
            "DC_VECTORS is to name their file",
        );
        return Vec::new();
    };
    // A file that was asked for has to be there.
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

struct Vector {
    id: String,
    role: Role,
    certificate: DelegationCertificate<'static>,
    bytes: Vec<u8>,
    json: Value,
}

impl Vector {
    fn read(json: Value) -> Self {
        let text = |field: &str| json[field].as_str().unwrap();
        let pem: String = text("cert_pem")
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let certificate = Base64::decode_vec(&pem).unwrap();
        Self {
            id: text("id").into(),
            role: match text("role") {
                "server" => Role::Server,
                "client" => Role::Client,
                other => panic!("{other}"),
            },
            // The draft's certificates have an empty DelegationUsage.
            certificate: LenientUsage.parse(certificate.into()).unwrap(),
            bytes: hex(text("dc_hex")),
            json,
        }
    }

    fn number(&self, field: &str) -> u64 {
        self.json[field].as_u64().unwrap()
    }

    fn is_valid(&self) -> bool {
        self.json["expect"] == "valid"
    }

    fn verify(&self, role: Role, now: u64) -> Result<UnixTime, Error> {
        let credential = DelegatedCredential::decode(Form::Rfc9345, &self.bytes)?;
        let (offer, algorithms) = (full_offer(), more_algorithms());
        Verifier::new(role, &offer, &algorithms)
            .verify(&credential, &self.certificate, None, at(now))
            .map(|verified| verified.expiry())
    }
}

fn hex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn each() -> impl Iterator<Item = Vector> {
    vectors().into_iter().map(Vector::read)
}

#[test]
fn case_1_outside_vectors_decode_to_the_listed_fields_and_encode_to_the_same_bytes() {
    for vector in each() {
        let credential = DelegatedCredential::decode(Form::Rfc9345, &vector.bytes).unwrap();
        let claim = credential.credential();
        let scheme = |field: &str| vector.json[field].as_str().unwrap();
        let code = |scheme: SignatureScheme| std::format!("{:04x}", scheme.0);
        assert_eq!(credential.to_vec(), vector.bytes, "{}", vector.id);
        assert_eq!(u64::from(claim.valid_time), vector.number("valid_time"));
        assert_eq!(
            code(claim.dc_cert_verify_algorithm),
            scheme("dc_cert_verify_algorithm")
        );
        assert_eq!(code(credential.algorithm()), scheme("algorithm"));
        let certificate = &vector.certificate;
        assert_eq!(
            certificate.not_before().as_secs(),
            vector.number("not_before")
        );
        assert_eq!(
            certificate.not_after().as_secs(),
            vector.number("not_after")
        );
        let expiry = certificate.expiry(claim.valid_time).as_secs();
        assert_eq!(expiry, vector.number("expiry"));
        let message = signed_bytes(
            vector.role,
            Form::Rfc9345,
            certificate.der(),
            credential.credential_bytes(),
            credential.algorithm(),
        );
        let digest = ring::digest::digest(&ring::digest::SHA256, &message);
        assert_eq!(message.len() as u64, vector.number("signed_len"));
        assert_eq!(
            digest.as_ref(),
            hex(vector.json["signed_sha256"].as_str().unwrap())
        );
    }
}

#[test]
fn case_14_outside_vectors_are_valid_in_the_listed_window_and_only_there() {
    for vector in each().filter(Vector::is_valid) {
        let (first, last) = (vector.number("now_min"), vector.number("now_max"));
        for now in [first, last] {
            let expiry = vector.verify(vector.role, now);
            assert_eq!(expiry, Ok(at(vector.number("expiry"))), "{}", vector.id);
        }
        let early = vector.verify(vector.role, first - 1).unwrap_err();
        assert!(matches!(early, Error::ValidityTooLong { .. }), "{early}");
        let late = vector.verify(vector.role, last + 1).unwrap_err();
        assert!(matches!(late, Error::Expired { .. }), "{late}");
        assert_eq!(early.alert(), Alert::IllegalParameter);
        assert_eq!(late.alert(), Alert::IllegalParameter);
    }
}

/// Those of the draft fail nothing but the value of DelegationUsage when nobody is lenient.
#[test]
fn case_14_without_leniency_an_empty_delegation_usage_is_refused() {
    for vector in each() {
        let strict = DelegationCertificate::parse(vector.certificate.der().into());
        match vector.id.starts_with("draft-") {
            true => assert_eq!(strict.unwrap_err(), Error::UnusableDelegationUsage),
            false => assert!(strict.is_ok()),
        }
    }
}

#[test]
fn case_15_outside_vectors_are_refused_in_the_other_role() {
    for vector in each().filter(Vector::is_valid) {
        let other = match vector.role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        };
        let error = vector.verify(other, vector.number("now_min")).unwrap_err();
        assert_eq!(error, Error::BadSignature, "{}", vector.id);
        assert_eq!(error.alert(), Alert::IllegalParameter);
        let credential = DelegatedCredential::decode(Form::Rfc9345, &vector.bytes).unwrap();
        let role = find_role(&credential, &vector.certificate, &more_algorithms());
        assert_eq!(role, Ok(vector.role));
    }
}

#[test]
fn case_17_the_outside_vector_that_another_key_signed_is_refused() {
    for vector in each().filter(|vector| !vector.is_valid()) {
        let error = vector.verify(vector.role, vector.number("now_min"));
        assert_eq!(error, Err(Error::BadSignature), "{}", vector.id);
    }
}

/// Files as their authors write them.
#[test]
fn outside_vectors_are_read_from_every_file_format() {
    for vector in each() {
        let body = Base64::encode_string(&vector.bytes);
        let label = match vector.role {
            Role::Server => "SERVER DELEGATED CREDENTIAL",
            Role::Client => "CLIENT DELEGATED CREDENTIAL",
        };
        let key = std::format!(
            "-----BEGIN SERVER DC PRIVATE KEY-----\n{body}\n-----END SERVER DC PRIVATE KEY-----\n"
        );
        let unwrapped =
            std::format!("{key}-----BEGIN {label}-----\n{body}\n-----END {label}-----\n{key}");
        for (file, role) in [
            (vector.bytes.clone(), None),
            (
                crate::pem::write(Form::Rfc9345, &vector.bytes).into_bytes(),
                None,
            ),
            (unwrapped.into_bytes(), Some(vector.role)),
        ] {
            let [stored] = &crate::pem::read(&file).unwrap()[..] else {
                panic!("{}", vector.id);
            };
            assert_eq!(stored.bytes, vector.bytes);
            assert_eq!((stored.form, stored.role), (Form::Rfc9345, role));
        }
    }
}
