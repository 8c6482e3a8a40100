//! In a build that decrypts no keys: a device's agent makes its own.

use std::path::Path;

use pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::unlock::Unlock;
use crate::error::Error;
use crate::lock_fault::LockFault;

/// Refuses a private key that is encrypted.
pub(super) fn private_key(
    path: &Path,
    _file: &[u8],
    unlock: &Unlock,
) -> Result<Zeroizing<PrivateKeyDer<'static>>, Error> {
    let path = path.into();
    Err(match unlock.source() {
        Some(_) => Error::LockedKey {
            path,
            fault: LockFault::NotBuilt,
        },
        None => Error::EncryptedKey { path },
    })
}

/// Encrypts no key either.
pub(super) fn encrypt(path: &Path, _pkcs8: &[u8], _unlock: &Unlock) -> Result<String, Error> {
    Err(Error::LockedKey {
        path: path.into(),
        fault: LockFault::NotBuilt,
    })
}
