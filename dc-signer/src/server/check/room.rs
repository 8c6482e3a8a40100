//! The room that is left on the disks of a service.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::Readiness;
use crate::config::Config;
use dc_store::Location;

/// Looks at the disks of the data folder and of an SQLite file.
pub(super) fn look(config: &Config, found: &mut Readiness) {
    let mut seen = Vec::new();
    let database = match &config.database {
        Location::File(path) => path.parent(),
        Location::Postgres(_) => None,
    };
    let database = database.map(|folder| (folder, Holds::Database));
    let data = Some((config.data.as_path(), Holds::Data));
    for (folder, holds) in [database, data].into_iter().flatten() {
        let Ok(disk) = folder.metadata().map(|found| found.dev()) else {
            continue;
        };
        if !seen.contains(&disk) {
            seen.push(disk);
            judge(folder, holds, left(folder), found);
        }
    }
}

/// The use of a disk: readiness is about the database alone.
#[derive(Clone, Copy)]
enum Holds {
    Database,
    Data,
}

/// True if nothing can be written beside a file because its disk is full.
pub(crate) fn is_full(file: &Path) -> bool {
    let folder = file.parent().unwrap_or(file);
    left(folder).is_some_and(|left| left < NEEDED)
}

/// In bytes, for who is not root.
fn left(folder: &Path) -> Option<u64> {
    let found = statvfs(folder).ok()?;
    Some(
        found
            .blocks_available()
            .saturating_mul(found.fragment_size()),
    )
}

fn judge(folder: &Path, holds: Holds, left: Option<u64>, found: &mut Readiness) {
    let folder = folder.display();
    match (left, holds) {
        (Some(left), Holds::Data) if left < NEEDED => found.soon.push(format!(
            "the disk of {folder} is full ({left} bytes are left): make room before a certificate is imported or a secret changed"
        )),
        (Some(left), Holds::Database) if left < NEEDED => found.faults.push(format!(
            "the disk of {folder} is full ({left} bytes are left): make room, or nothing can be recorded, and so nothing issued"
        )),
        (Some(left), _) if left < ENOUGH => found.soon.push(format!(
            "the disk of {folder} is nearly full ({} MiB are left): make room before nothing can be issued",
            left >> 20
        )),
        _ => {}
    }
}

/// As long as less is left, a service that could not write does not try again.
const NEEDED: u64 = 256 * 1024;
/// The log of the database alone may grow to this.
const ENOUGH: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_fault_and_a_nearly_full_one_a_warning() {
        let judged = |left| {
            let mut found = Readiness::default();
            judge("/data".as_ref(), Holds::Database, left, &mut found);
            (found.faults.len(), found.soon.len())
        };
        assert_eq!(judged(Some(0)), (1, 0));
        assert_eq!(judged(Some(NEEDED)), (0, 1));
        assert_eq!(judged(Some(ENOUGH)), (0, 0));
        assert_eq!(judged(None), (0, 0));
        assert!(left("/".as_ref()).is_some());
        let mut found = Readiness::default();
        judge("/data".as_ref(), Holds::Data, Some(0), &mut found);
        assert_eq!((found.faults.len(), found.soon.len()), (0, 1));
    }
}
