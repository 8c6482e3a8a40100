//! Where the files of a run are.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use tempfile::{Builder, TempDir};

use crate::Result;

/// A folder of this run's own, which goes with it: in memory if there is enough, because databases and CAs write
/// their files out thousands of times. What runs that were killed have left there goes too.
pub(crate) fn folder() -> Result<TempDir> {
    let temporary = std::env::temp_dir();
    for place in [Path::new(MEMORY), &temporary] {
        remove_left_over(place);
    }
    let room = statvfs(MEMORY).map_or(0, |of| of.f_bavail * of.f_frsize);
    let mut named = Builder::new();
    // By its process, a later run knows whether it is still in use.
    let prefix = format!("{PREFIX}{}-", std::process::id());
    named.prefix(&prefix);
    let in_memory = (room >= ROOM)
        .then(|| named.tempdir_in(MEMORY).ok())
        .flatten();
    Ok(in_memory.map_or_else(|| named.tempdir_in(&temporary), Ok)?)
}

/// What cannot be removed is somebody else's.
fn remove_left_over(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if is_left_over(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether it is the folder of a run that is over.
fn is_left_over(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let process = name.and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
    let process = process.filter(|id| id.parse::<u32>().is_ok());
    process.is_some_and(|id| !PathBuf::from("/proc").join(id).exists())
}

const MEMORY: &str = "/dev/shm";
const PREFIX: &str = "dc-solutions-";
/// A run takes some 60 megabytes, and browsers want some of it too.
const ROOM: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_has_left_goes_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let own = format!("{PREFIX}{}-x", std::process::id());
        // No process has an id as large as this.
        for name in [&*own, "dc-solutions-4194305-x", "dc-solutions-x", "another"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        remove_left_over(place.path());
        let left = fs::read_dir(place.path()).unwrap().flatten();
        let mut left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["another", &*own, "dc-solutions-x"]);
    }

    #[test]
    fn a_folder_goes_with_its_run() {
        let folder = folder().unwrap();
        let path = folder.path().to_owned();
        assert!(path.is_dir() && !is_left_over(&path));
        drop(folder);
        assert!(!path.exists());
    }
}
