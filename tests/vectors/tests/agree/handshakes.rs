//! CertificateVerify of handshakes. All else that is in them is for a TLS library to say.

use std::time::Duration;

use dc_core::{
    DelegatedCredential, DelegationCertificate, SignatureScheme, VerifiedCredential, Verifier,
};
use dc_vectors::fault::Fault;
use dc_vectors::format::handshakes::{HandshakeVector, Outcome};
use dc_vectors::format::{Form, Role};
use pki_types::{SignatureVerificationAlgorithm, UnixTime};

use super::credentials::offer;
use super::words::{Said, role, said};

/// What CertificateVerify is refused for, if it is; none for a handshake in which it is not looked at, or without one
/// credential beside the certificate.
pub(crate) fn listed(vector: &HandshakeVector) -> Option<Option<Fault>> {
    let extensions = &vector.entries[0].extensions;
    let carried = extensions
        .iter()
        .filter(|extension| form(extension.kind).is_some());
    match (carried.count(), &vector.outcome) {
        (1, Outcome::Accepted(_)) => Some(None),
        (1, Outcome::Refused(refused)) => {
            let looks = [
                Fault::WrongCertificateVerifyScheme,
                Fault::BadCertificateVerify,
            ];
            looks
                .contains(&refused.error)
                .then_some(Some(refused.error))
        }
        _ => None,
    }
}

/// Fails with what came out differently from what the vector says.
pub(crate) fn check(
    vector: &HandshakeVector,
    listed: Option<Fault>,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> Result<(), String> {
    let verified = verify(vector, algorithms).map_err(|said| format!("{said:?}"))?;
    let end = match vector.role {
        Role::Server => "server",
        Role::Client => "client",
    };
    let context = format!("TLS 1.3, {end} CertificateVerify\0");
    let sent = &vector.certificate_verify;
    let message = [&[b' '; 64], context.as_bytes(), &sent.transcript_hash.0].concat();
    let scheme = SignatureScheme(sent.scheme);
    match (
        verified.verify_handshake(scheme, &message, &sent.signature.0),
        listed,
    ) {
        (Ok(()), None) => Ok(()),
        (Err(error), Some(fault)) if said(&error).faults == [fault] => Ok(()),
        (got, listed) => Err(format!("{got:?}, not {listed:?}")),
    }
}

fn verify(
    vector: &HandshakeVector,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> Result<VerifiedCredential, Said> {
    let entry = &vector.entries[0];
    let (form, bytes) = { entry.extensions.iter() }
        .find_map(|extension| Some((form(extension.kind)?, &extension.data.0)))
        .unwrap();
    let fail = |error| said(&error);
    let credential = DelegatedCredential::decode(super::words::form(form), bytes).map_err(fail)?;
    let der = entry.certificate.0.as_slice().into();
    let certificate = DelegationCertificate::parse(der).map_err(fail)?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(vector.now));
    let offer = offer(&vector.offer);
    Verifier::new(role(vector.role), &offer, algorithms)
        .verify_own_name(&credential, &certificate, now)
        .map_err(fail)
}

fn form(extension: u16) -> Option<Form> {
    match extension {
        34 => Some(Form::Rfc9345),
        0xff22 => Some(Form::Named),
        _ => None,
    }
}
