//! The keys of delegation certificates behind one trait, one kind of place a file.

mod key;
mod open;
mod pem_file;
mod timing;

use std::path::Path;

use pki_types::PrivateKeyDer;
use rustls::SignatureScheme;
use rustls::crypto::ring::default_provider;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::{files, pem};

pub use crate::key_error::KeyError;
pub use crate::signing::{KeyFault, KeyLocation, NotSigned};
pub use key::Key;
pub use open::OpenKey;
pub use pem_file::PemKey;
pub use timing::Timing;

/// Reads the one private key of a PEM file: PKCS#8, SEC1 or PKCS#1.
///
/// Fails with [`Error::Read`], [`Error::TooLarge`], [`Error::EncryptedKey`], [`Error::BadPem`] or
/// [`Error::MissingPem`].
pub fn read(path: &Path) -> Result<Zeroizing<PrivateKeyDer<'static>>, Error> {
    pem::private_key(path, &files::read(path)?)
}

/// Reads a private key and makes of it something that signs with it.
///
/// Fails as [`read`] does, and with [`Error::UnsupportedKey`] if `signer` makes nothing of it.
pub fn read_signer<T>(
    path: &Path,
    signer: impl FnOnce(&PrivateKeyDer<'static>) -> Option<T>,
) -> Result<T, Error> {
    signer_in(path, &files::read(path)?, signer)
}

/// The same of a file that was read already, and that may be longer than one with a key.
fn signer_in<T>(
    path: &Path,
    file: &[u8],
    signer: impl FnOnce(&PrivateKeyDer<'static>) -> Option<T>,
) -> Result<T, Error> {
    if file.len() > files::MAX_LEN {
        let (path, max) = (path.into(), files::MAX_LEN);
        return Err(Error::TooLarge { path, max });
    }
    let key = pem::private_key(path, file)?;
    signer(&key).ok_or_else(|| Error::UnsupportedKey {
        path: path.into(),
        fault: KeyError::of_private(&key).unwrap_or(KeyError::Type),
    })
}

/// The scheme that a key of this SubjectPublicKeyInfo signs with in TLS 1.3, if ring knows it: for RSA, RSASSA-PSS with
/// SHA-256, which every peer has to know (RFC 8446 §9.1).
#[must_use]
pub fn scheme(spki: &[u8]) -> Option<SignatureScheme> {
    let known = default_provider().signature_verification_algorithms.mapping;
    let is_known = |scheme: &SignatureScheme| known.iter().any(|(known, _)| known == scheme);
    let schemes = dc_core::SignatureScheme::for_key(spki).ok()?;
    let mut schemes = schemes.map(|scheme| SignatureScheme::from(scheme.0));
    schemes.find(is_known)
}
