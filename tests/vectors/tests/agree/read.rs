//! Checks one vector as its description says, knowing nothing of how it was made.

use std::time::Duration;

use dc_core::danger::LenientUsage;
use dc_core::{
    DelegatedCredential, DelegationCertificate, Error, Form, Offer, Role, SchemeList,
    SignatureScheme, VerifiedCredential, Verifier, signed_bytes,
};
use pki_types::{ServerName, UnixTime};
use serde_json::Value;

/// True if the vector is a valid one; fails with what came out differently from what it says.
pub(crate) fn check(certificates: &Value, vector: &Value) -> Result<bool, String> {
    let certificate = hex(&certificates[text(vector, "certificate")]["der"]);
    let first = seconds(vector, "now_first");
    let last = seconds(vector, "now_last");
    let error = vector["error"].as_str();
    for now in [first, last] {
        match (verify(&certificate, vector, now), error) {
            (Ok(verified), None) => agrees(&certificate, vector, &verified)?,
            (Err(got), Some(wanted)) => {
                let got = (kind(&got), u64::from(got.alert().code()));
                let wanted = (wanted.to_owned(), vector["alert"].as_u64().unwrap());
                if got != wanted {
                    return Err(format!("at {now}: {got:?}, not {wanted:?}"));
                }
            }
            (Ok(_), Some(wanted)) => return Err(format!("at {now}: accepted, not {wanted}")),
            (Err(got), None) => return Err(format!("at {now}: {got}")),
        }
    }
    if error.is_none() {
        for outside in [first - 1, last + 1] {
            if verify(&certificate, vector, outside).is_ok() {
                return Err(format!("accepted at {outside}"));
            }
        }
    }
    Ok(error.is_none())
}

fn verify(certificate: &[u8], vector: &Value, now: u64) -> Result<VerifiedCredential, Error> {
    let bytes = hex(&vector["credential"]);
    let credential = DelegatedCredential::decode(form(vector), &bytes)?;
    let certificate = match vector["lenient_usage"].as_bool() {
        Some(true) => LenientUsage.parse(certificate.into())?,
        _ => DelegationCertificate::parse(certificate.into())?,
    };
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let wanted = vector["wanted_name"]
        .as_str()
        .map(|name| ServerName::try_from(name).unwrap());
    Verifier::new(role(vector), &offer(), algorithms.all).verify(
        &credential,
        &certificate,
        wanted.as_ref(),
        UnixTime::since_unix_epoch(Duration::from_secs(now)),
    )
}

/// The fields that a valid vector lists.
fn agrees(certificate: &[u8], vector: &Value, verified: &VerifiedCredential) -> Result<(), String> {
    let bytes = hex(&vector["credential"]);
    let decoded = DelegatedCredential::decode(form(vector), &bytes).unwrap();
    let claim = decoded.credential();
    let mut body = Vec::new();
    claim.encode(&mut body).unwrap();
    let algorithm = decoded.algorithm();
    let message = signed_bytes(role(vector), form(vector), certificate, &body, algorithm);
    let digest = ring::digest::digest(&ring::digest::SHA256, &message);
    let key = ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&hex(
        &vector["credential_private_key"],
    ))
    .unwrap();
    let handshake = key.sign(b"handshake");
    for (field, agrees) in [
        (
            "valid_time",
            u64::from(claim.valid_time) == seconds(vector, "valid_time"),
        ),
        (
            "signed_message_length",
            message.len() as u64 == seconds(vector, "signed_message_length"),
        ),
        (
            "signed_message_sha256",
            hex(&vector["signed_message_sha256"]) == digest.as_ref(),
        ),
        (
            "now_last",
            verified.expiry().as_secs() == seconds(vector, "now_last"),
        ),
        (
            "unique_name",
            verified.unique_name().map(dc_core::UniqueName::as_str)
                == vector["unique_name"].as_str(),
        ),
        (
            "credential_private_key",
            verified
                .verify_handshake(SignatureScheme::ED25519, b"handshake", handshake.as_ref())
                .is_ok(),
        ),
    ] {
        if !agrees {
            return Err(format!("another {field}"));
        }
    }
    Ok(())
}

/// Everything is offered, so that nothing is refused for that reason.
fn offer() -> Offer {
    let codes = [0x0403, 0x0503, 0x0807, 0x0804];
    let list = || SchemeList::new(codes.map(SignatureScheme)).unwrap();
    Offer::new(list())
        .with(Form::Rfc9345, list())
        .with(Form::Named, list())
}

/// The name of the error's variant.
fn kind(error: &Error) -> String {
    let debug = format!("{error:?}");
    debug.split([' ', '{']).next().unwrap().to_owned()
}

pub(crate) fn form(vector: &Value) -> Form {
    match text(vector, "form") {
        "rfc9345" => Form::Rfc9345,
        "named" => Form::Named,
        other => panic!("form {other}"),
    }
}

fn role(vector: &Value) -> Role {
    match text(vector, "role") {
        "server" => Role::Server,
        "client" => Role::Client,
        other => panic!("role {other}"),
    }
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn seconds(vector: &Value, field: &str) -> u64 {
    vector[field].as_u64().unwrap()
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
