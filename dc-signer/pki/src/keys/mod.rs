//! The keys of delegation certificates, one kind of store a file.

mod fault;
mod pem_file;
mod timing;

use std::path::Path;

use pki_types::PrivateKeyDer;
use rustls::SignatureScheme;
use rustls::crypto::ring::default_provider;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::{files, pem};

pub use fault::KeyFault;
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
    let key = read(path)?;
    signer(&key).ok_or_else(|| Error::UnsupportedKey {
        path: path.into(),
        fault: KeyFault::of_private(&key).unwrap_or(KeyFault::Type),
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
