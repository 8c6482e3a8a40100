//! The names of a database's files, and how a copy takes the place of what has them.

use std::fs;
use std::path::{Path, PathBuf};

use pki_types::UnixTime;

use super::Error;
use dc_pki::files;

/// Gives the copy its name; what had that name is kept under another.
pub(super) fn swap(
    staged: &Path,
    database: &Path,
    now: UnixTime,
) -> Result<Option<PathBuf>, Error> {
    let failed = |source| dc_pki::Error::Write {
        path: database.into(),
        source,
    };
    let moved =
        files::is_there(database)?.then(|| beside(database, &format!("before-{}", now.as_secs())));
    if let Some(moved) = &moved {
        for suffix in SUFFIXES {
            let (from, to) = (with(database, suffix), with(moved, suffix));
            if files::is_there(&from)? {
                fs::rename(from, to).map_err(failed)?;
            }
        }
    }
    fs::rename(staged, database).map_err(failed)?;
    files::sync(database.parent().unwrap_or_else(|| Path::new(".")))?;
    Ok(moved)
}

pub(super) fn remove_all(staged: &Path) {
    for suffix in SUFFIXES {
        // What cannot be removed now is removed before the next try.
        let _ = files::remove(&with(staged, suffix));
    }
}

pub(super) fn beside(database: &Path, what: &str) -> PathBuf {
    with(database, &format!(".{what}"))
}

pub(super) fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The suffixes of the files of an SQLite database.
pub(super) const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];
