//! In a build that encrypts no keys.

use std::path::Path;

use super::unlock::Unlock;
use crate::error::Error;
use crate::lock_fault::LockFault;

/// Refuses.
pub(super) fn encrypt(path: &Path, _pkcs8: &[u8], _unlock: &Unlock) -> Result<String, Error> {
    Err(Error::LockedKey {
        path: path.into(),
        fault: LockFault::NotBuilt,
    })
}
