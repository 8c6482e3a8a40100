//! The keys of delegation certificates behind one trait, one kind of place a file.

#[cfg_attr(not(feature = "encrypted-keys"), path = "no_decrypt.rs")]
mod decrypt;
mod in_token;
mod key;
mod new_file;
mod open;
mod pem_file;
mod process;
mod secret_key_error;
mod stored;
mod timing;
#[cfg_attr(not(feature = "pkcs11"), path = "no_token.rs")]
mod token;
mod unlock;

use std::path::Path;

use pki_types::PrivateKeyDer;
use rustls::SignatureScheme;
use rustls::crypto::ring::default_provider;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::secret::SecretSource;
use crate::{files, pem};

pub use crate::key_error::KeyError;
pub use crate::lock_fault::LockFault;
pub use crate::process_fault::{ProcessFault, Refusal};
pub use crate::signing::{KeyFault, KeyLocation, NotSigned};
pub use crate::token_fault::{TokenFault, Tries};
pub use crate::token_uri::{BadTokenUri, TokenUri};
pub use in_token::{SecretKey, generate_in_token, import_into_token, list_tokens};
pub use key::Key;
pub use new_file::generate_in_file;
pub use open::{OpenKey, ask_for_passphrase};
pub use pem_file::PemKey;
pub use process::ProcessKey;
pub use secret_key_error::SecretKeyError;
pub use stored::{KeyType, StoredKey, Token, TokenState};
pub use timing::Timing;
pub use unlock::Unlock;

/// Reads the one private key of a PEM file: PKCS#8, SEC1 or PKCS#1.
///
/// Fails with [`Error::Read`], [`Error::TooLarge`], [`Error::EncryptedKey`], [`Error::BadPem`] or
/// [`Error::MissingPem`].
pub fn read(path: &Path) -> Result<Zeroizing<PrivateKeyDer<'static>>, Error> {
    pem::private_key(path, &files::read(path)?)
}

/// Reads the one private key of a PEM file of at most 1,024 bytes that nobody but its owner and its group may read.
///
/// Fails with [`Error::Secret`], [`Error::EncryptedKey`], [`Error::BadPem`] or [`Error::MissingPem`].
pub fn read_private(path: &Path) -> Result<Zeroizing<PrivateKeyDer<'static>>, Error> {
    pem::private_key(path, &SecretSource::File(path.into()).read()?)
}

/// Reads a private key and makes of it something that signs with it.
///
/// Fails as [`read`] does, and with [`Error::UnsupportedKey`] if `signer` makes nothing of it.
pub fn read_signer<T>(
    path: &Path,
    signer: impl FnOnce(&PrivateKeyDer<'static>) -> Option<T>,
) -> Result<T, Error> {
    read_signer_with(path, &Unlock::default(), signer)
}

/// As [`read_signer`], also of a key that is encrypted with a passphrase: in PKCS#8, with PBES2 (AES in CBC or GCM mode, the
/// passphrase through PBKDF2 or scrypt; RFC 8018 §6.2).
///
/// Fails as that does, with [`Error::Secret`], and with [`Error::LockedKey`], also if trying a passphrase would take more than 10 million iterations of PBKDF2, or a gibibyte or 16 lanes of
/// scrypt.
pub fn read_signer_with<T>(
    path: &Path,
    unlock: &Unlock,
    signer: impl FnOnce(&PrivateKeyDer<'static>) -> Option<T>,
) -> Result<T, Error> {
    signer_in(path, &files::read(path)?, unlock, signer)
}

/// The same of a file that was read already, and that may be longer than one with a key.
fn signer_in<T>(
    path: &Path,
    file: &[u8],
    unlock: &Unlock,
    signer: impl FnOnce(&PrivateKeyDer<'static>) -> Option<T>,
) -> Result<T, Error> {
    if file.len() > files::MAX_LEN {
        let (path, max) = (path.into(), files::MAX_LEN);
        return Err(Error::TooLarge { path, max });
    }
    let key = match pem::private_key(path, file) {
        Err(Error::EncryptedKey { .. }) => decrypt::private_key(path, file, unlock),
        read => read,
    }?;
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
