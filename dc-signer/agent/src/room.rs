//! The room that there is on the disk for what comes next.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::config::Config;

/// The reason that the next credential, or the memory of it, finds no place; none if none is seen.
pub(super) fn disk_fault(config: &Config) -> Option<String> {
    fault(&config.state).or_else(|| fault(&config.identity))
}

fn fault(folder: &Path) -> Option<String> {
    // What is not there yet, or cannot be looked at, is somebody else's to tell.
    let disk = statvfs(folder).ok()?;
    let folder = folder.display();
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Some(format!(
            "{folder} is on a file system that cannot be written, so the device cannot renew: mount it for writing"
        ));
    }
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    // Some file systems do not say how large they are.
    (disk.f_blocks > 0 && left < NEEDED).then(|| {
        format!("{folder} has {left} bytes left, so the device cannot renew: make room for {NEEDED} at least")
    })
}

/// A generation with the old one beside it, and the memory, in bytes.
const NEEDED: u64 = 32 << 10;
