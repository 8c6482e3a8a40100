//! Whose the state folder is. What root writes there its owner could not use, and the device would be lost later.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use super::lock::LOCK;
use crate::error::Error;

/// Refuses root in somebody else's folder, before anything is written. The system refuses everybody else.
///
/// Whose lock it is works there already, such as root in a container, whatever the folder's owner is called outside.
/// Fails with [`Error::NotRoots`].
pub(super) fn check(state: &Path) -> Result<(), Error> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let lock = state.join(LOCK);
    let absolute = std::path::absolute(&lock).unwrap_or(lock);
    // What is not there yet would be made by whoever has the folder above.
    let found = absolute.ancestors().find_map(|it| fs::metadata(it).ok());
    match found.map(|found| (found.uid(), found.gid())) {
        None | Some((0, _)) => Ok(()),
        Some((uid, gid)) => {
            let folder = state.into();
            Err(Error::NotRoots { folder, uid, gid })
        }
    }
}
