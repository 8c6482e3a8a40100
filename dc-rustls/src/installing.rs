//! Checks of an identity that a server and a client make alike, before they use it.

use dc_core::{DelegatedCredential, DelegationCertificate};
use rustls::pki_types::CertificateDer;
use rustls::sign::SigningKey;

use crate::Error;

/// The error of a chain whose first certificate may not delegate.
pub(crate) fn cannot_delegate(error: dc_core::Error, chain: &[CertificateDer<'_>]) -> Error {
    let delegates = |der: &CertificateDer<'_>| DelegationCertificate::parse(der.clone()).is_ok();
    match chain.iter().position(delegates) {
        Some(at) => Error::ChainOrder { at: at + 1 },
        None => Error::Credential(error),
    }
}

/// Fails with [`Error::KeyMismatch`] if the key is not the one that the credential is for.
pub(crate) fn check_key(
    key: &dyn SigningKey,
    credential: &DelegatedCredential<'_>,
) -> Result<(), Error> {
    match key.public_key() {
        Some(spki) if *spki != *credential.credential().spki => Err(Error::KeyMismatch),
        // A key that does not say what it is, one in an HSM perhaps, is taken at its word.
        _ => Ok(()),
    }
}

/// The bytes that are sure to be in the first record of a flight: 2^14, less 1 KiB for EncryptedExtensions, an otherwise
/// empty CertificateRequest, and headers.
pub(crate) const FIRST_RECORD: usize = 15 * 1024;
