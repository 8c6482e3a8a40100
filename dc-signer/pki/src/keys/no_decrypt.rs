//! In a build that decrypts no keys: a device's agent makes its own.

use std::path::Path;

use pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::unlock::Unlock;
use crate::error::Error;

/// Refuses a private key that is encrypted.
pub(super) fn private_key(
    path: &Path,
    _file: &[u8],
    _unlock: &Unlock,
) -> Result<Zeroizing<PrivateKeyDer<'static>>, Error> {
    Err(Error::EncryptedKey { path: path.into() })
}
