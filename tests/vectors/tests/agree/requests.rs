//! Requests to an issuer.

use std::time::Duration;

use dc_core::{
    DelegatedCredential, DelegationCertificate, Error, IssuingPolicy, Request, SignError,
    UniqueName,
};
use dc_vectors::format::credentials::{Certificate, Certificates, RequestVector};
use pki_types::{CertificateDer, UnixTime};

use super::algorithms;
use super::words::{role, said};

/// Fails with what came out differently from what the vector says.
pub(crate) fn check(certificates: &Certificates, vector: &RequestVector) -> Result<(), String> {
    let certificate = &certificates[&vector.certificate];
    let got = issue(certificate, vector);
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

fn issue(certificate: &Certificate, vector: &RequestVector) -> Result<u32, Error> {
    let issuers: Vec<CertificateDer<'_>> = { certificate.intermediates.iter() }
        .map(|der| der.0.as_slice().into())
        .collect();
    let key = &certificate.private_key.0;
    let certificate = DelegationCertificate::parse(certificate.der.0.as_slice().into())?;
    let policy =
        IssuingPolicy::new(certificate.into_owned(), role(vector.role)).with_issuers(&issuers)?;
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
