//! Requests to an issuer.

use std::time::Duration;

use dc_core::{
    DelegatedCredential, DelegationCertificate, Error, IssuingPolicy, Request, SignError,
    UniqueName,
};
use dc_vectors::fault::Fault;
use dc_vectors::format::credentials::{Certificates, RequestVector};
use pki_types::UnixTime;

use super::algorithms;
use super::words::{role, said};

/// Fails with what came out differently from what the vector says.
pub(crate) fn check(certificates: &Certificates, vector: &RequestVector) -> Result<(), String> {
    if vector
        .refused
        .is_some_and(|refused| refused.error == Fault::NameExcluded)
    {
        // dc-core is given the certificate, not its path.
        return Ok(());
    }
    let certificate = &certificates[&vector.certificate];
    let got = issue(&certificate.der.0, &certificate.private_key.0, vector);
    match (got, vector.refused) {
        (Ok(valid_time), None) if Some(valid_time) == vector.valid_time => Ok(()),
        (Ok(valid_time), None) => Err(format!(
            "valid_time {valid_time}, not {:?}",
            vector.valid_time
        )),
        (Err(error), Some(refused)) if said(&error).faults.contains(&refused.error) => Ok(()),
        (Err(error), Some(refused)) => Err(format!("{error}, not {refused:?}")),
        (Ok(_), Some(refused)) => Err(format!("granted, not {refused:?}")),
        (Err(error), None) => Err(error.to_string()),
    }
}

fn issue(certificate: &[u8], key: &[u8], vector: &RequestVector) -> Result<u32, Error> {
    let certificate = DelegationCertificate::parse(certificate.into())?.into_owned();
    let policy = IssuingPolicy::new(certificate, role(vector.role));
    let mut request = Request::new(&vector.spki.0).lifetime(Duration::from_secs(vector.lifetime));
    if let Some(name) = &vector.unique_name {
        request = request.unique_name(UniqueName::try_from(name.as_str())?);
    }
    let now = UnixTime::since_unix_epoch(Duration::from_secs(vector.now));
    let signer = Signer(ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).unwrap());
    let approved = policy.approve(&request, now)?;
    let issued = approved
        .sign(&signer, &algorithms::with_aws_lc_rs())
        .map_err(|error| match error {
            SignError::Refused(error) => error,
            SignError::Signer(never) => match never {},
        })?;
    let credential = DelegatedCredential::decode(issued.form(), issued.bytes())?;
    Ok(credential.credential().valid_time)
}

struct Signer(ring::signature::Ed25519KeyPair);

impl dc_core::Signer for Signer {
    type Error = std::convert::Infallible;

    fn scheme(&self) -> dc_core::SignatureScheme {
        dc_core::SignatureScheme::ED25519
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Self::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}
