//! A new private key in a file of its own, encrypted.

use std::path::Path;

use rcgen::{KeyPair, PublicKeyData};
use zeroize::Zeroizing;

use super::decrypt::encrypt;
use super::stored::KeyType;
use super::unlock::Unlock;
use crate::error::Error;
use crate::files::{self, Access, NewFile};
use crate::key_error::KeyError;

/// Makes a key in a new PEM file, encrypted with the passphrase and readable by its owner only; returns its public half, a DER
/// SubjectPublicKeyInfo.
///
/// Fails with [`Error::Exists`], with [`Error::LockedKey`] if there is no passphrase, with [`Error::Secret`], with
/// [`Error::UnsupportedKey`] for RSA, which is not made here, with [`Error::Randomness`] and with [`Error::Write`].
pub fn generate_in_file(path: &Path, kind: KeyType, unlock: &Unlock) -> Result<Vec<u8>, Error> {
    // Before any work; the file is created such that it cannot overwrite one either.
    if files::exists(path) {
        return Err(Error::Exists { path: path.into() });
    }
    let algorithm = match kind {
        KeyType::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeyType::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        KeyType::Ed25519 => &rcgen::PKCS_ED25519,
        KeyType::Rsa2048 | KeyType::Rsa3072 => {
            let (path, fault) = (path.into(), KeyError::Type);
            return Err(Error::UnsupportedKey { path, fault });
        }
    };
    let key = KeyPair::generate_for(algorithm).map(Zeroizing::new);
    let key = key.map_err(|_| Error::Randomness)?;
    let pem = encrypt(path, key.serialized_der(), unlock)?;
    let (folder, name) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    );
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let file = NewFile {
        name: name.unwrap_or_default(),
        contents: pem.as_bytes(),
        access: Access::Owner,
    };
    let folder = folder.unwrap_or_else(|| Path::new("."));
    files::stage(folder, &file)?.create()?;
    files::sync(folder)?;
    Ok(key.subject_public_key_info())
}
