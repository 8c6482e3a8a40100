//! The lock by which one agent at most works on a state folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::Error;
use dc_pki::files::{self, Access, NewFile};

/// Takes the lock of a folder: at most one agent works on it, so at most one request is under way.
///
/// Fails with [`Error::Running`].
pub(super) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let failed = files::write_failed(&path);
    if !files::exists(&path) {
        // Nobody else can open it, so nobody else can hold it.
        let file = NewFile {
            name: LOCK,
            contents: &[],
            access: Access::Owner,
        };
        match files::stage(folder, &file)?.create() {
            Ok(()) | Err(dc_pki::Error::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Only for reading, so that it does not keep a file system from being made read-only.
    let file = File::open(&path).map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let path = path.clone();
            Err(Error::Running { path })
        }
        Err(TryLockError::Error(source)) => Err(failed(source).into()),
    }
}

/// The file of the lock.
pub(super) const LOCK: &str = "lock";
