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
    let moved = match files::is_there(database)? {
        true => Some(free(database, &format!("before-{}", now.as_secs()))?),
        false => None,
    };
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

/// A name beside the database that nothing has: what was kept is never overwritten.
fn free(database: &Path, what: &str) -> Result<PathBuf, Error> {
    let mut name = beside(database, what);
    let mut number = 1_u64;
    while files::is_there(&name)? {
        number += 1;
        name = beside(database, &format!("{what}-{number}"));
    }
    Ok(name)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn two_copies_within_a_second_overwrite_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("signer.db");
        fs::write(&database, "first").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(7));
        let moved = ["second", "third"].map(|text| {
            let staged = folder.path().join("staged");
            fs::write(&staged, text).unwrap();
            swap(&staged, &database, now).unwrap().unwrap()
        });
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let [first, second] = moved.map(|path| read(&path));
        assert_eq!(
            [first, second, read(&database)],
            ["first", "second", "third"]
        );
    }
}
