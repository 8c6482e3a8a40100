//! PEM files.

use dc_core::{DelegationCertificate, Error, Role, pem};
use dc_vectors::format::credentials::{Credentials, FileVector};

use super::algorithms;
use super::words::{form, role, said};

/// Fails with what came out differently from what the vector says.
pub(crate) fn check(published: &Credentials, vector: &FileVector) -> Result<(), String> {
    let certificate = &published.certificates[&vector.certificate].der.0;
    match (
        read(certificate, &vector.text),
        &vector.refused,
        &vector.credentials,
    ) {
        (Ok(found), None, Some(listed)) => {
            let listed = listed.iter().map(|id| &published.credentials[id]);
            let listed: Vec<_> = listed
                .map(|vector| {
                    (
                        form(vector.form),
                        role(vector.role),
                        vector.credential.0.clone(),
                    )
                })
                .collect();
            (found == listed)
                .then_some(())
                .ok_or_else(|| "other credentials".to_owned())
        }
        (Err(error), Some(refused), None) if said(&error).faults.contains(&refused.error) => Ok(()),
        (got, refused, _) => Err(format!("{got:?}, not {refused:?}")),
    }
}

type Found = Vec<(dc_core::Form, Role, Vec<u8>)>;

fn read(certificate: &[u8], text: &str) -> Result<Found, Error> {
    let certificate = DelegationCertificate::parse(certificate.into())?;
    let algorithms = algorithms::with_aws_lc_rs();
    let with_role = |stored: pem::StoredCredential| {
        let role = stored.find_role(&certificate, &algorithms)?;
        Ok((stored.form, role, stored.bytes))
    };
    pem::read(text.as_bytes())?
        .into_iter()
        .map(with_role)
        .collect()
}
