//! The lock on an SQLite file in use: a service holds it, so that nobody puts another file in its place meanwhile.
//!
//! It is a lock of the operating system on a file beside the database, which goes with the process that has it, however
//! that ends. SQLite's own locks are on the database, and come and go with each transaction.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Location};

/// A database is in use until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct InUse {
    /// None where it is a server who knows its users.
    _lock: Option<File>,
}

impl InUse {
    /// Uses a database together with others who do, for as long as this process serves.
    ///
    /// Fails with [`Error::BeingReplaced`], and with [`Error::CannotWrite`] if there can be no file beside it.
    pub fn to_serve(location: &Location) -> Result<Self, Error> {
        Self::with_others(location, |mut lock| {
            // So that whoever wants it alone can say whom to stop. It works without.
            let _ = lock.set_len(0);
            let _ = write!(lock, "{}", std::process::id());
        })
    }

    /// The same for a command, which ends by itself and of which nobody needs to be told.
    ///
    /// Fails as [`Self::to_serve`] does.
    pub fn briefly(location: &Location) -> Result<Self, Error> {
        Self::with_others(location, |_| ())
    }

    fn with_others(location: &Location, tell: impl FnOnce(&File)) -> Result<Self, Error> {
        Self::lock(location, |lock| {
            lock.try_lock_shared()?;
            tell(lock);
            Ok(())
        })
        .map_err(|error| match error {
            LockError::Taken(path) => Error::BeingReplaced { path },
            LockError::Failed(error) => error,
        })
    }

    /// Uses a database alone.
    ///
    /// Fails with [`Error::InUse`], and with [`Error::CannotWrite`] if there can be no file beside it.
    pub fn alone(location: &Location) -> Result<Self, Error> {
        Self::lock(location, File::try_lock).map_err(|error| match error {
            LockError::Taken(path) => Error::InUse {
                pid: pid(&beside(&path)),
                path,
            },
            LockError::Failed(error) => error,
        })
    }

    fn lock(
        location: &Location,
        lock: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> Result<Self, LockError> {
        let Location::File(path) = location else {
            return Ok(Self { _lock: None });
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let file = options.open(beside(path)).map_err(|error| {
            let path = beside(path);
            LockError::Failed(super::sqlite::not_opened(&path, error))
        })?;
        match lock(&file) {
            Ok(()) => Ok(Self { _lock: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(LockError::Taken(path.clone())),
            // A file system without locks is no reason to serve nobody.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Self { _lock: None })
            }
            Err(TryLockError::Error(error)) => Err(LockError::failed(error)),
        }
    }
}

enum LockError {
    /// Another process works with this database.
    Taken(PathBuf),
    Failed(Error),
}

impl LockError {
    fn failed(error: io::Error) -> Self {
        Self::Failed(Error::CannotWrite {
            source: Arc::new(sqlx::Error::Io(error)),
        })
    }
}

/// The process that used it last.
fn pid(path: &Path) -> Option<u32> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    // It may have ended long ago, with the file left behind.
    let pid = text.parse().ok()?;
    Path::new(&format!("/proc/{pid}")).exists().then_some(pid)
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_use_it_together_and_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signer.db");
        let location = Location::File(path.clone());
        let together = [(); 2].map(|()| InUse::to_serve(&location).unwrap());
        match InUse::alone(&location).unwrap_err() {
            Error::InUse { path: named, pid } => {
                assert_eq!((named, pid), (path, Some(std::process::id())));
            }
            other => panic!("{other:?}"),
        }
        drop(together);
        let alone = InUse::alone(&location).unwrap();
        let error = InUse::to_serve(&location).unwrap_err();
        assert!(matches!(error, Error::BeingReplaced { .. }), "{error:?}");
        assert!(matches!(InUse::alone(&location), Err(Error::InUse { .. })));
        drop(alone);
        drop(InUse::to_serve(&location).unwrap());
    }

    #[test]
    fn a_server_knows_its_users_itself() {
        let location = "postgres://nobody@localhost/none".parse().unwrap();
        let _one = InUse::alone(&location).unwrap();
        let _other = InUse::to_serve(&location).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let location = Location::File("/nowhere/at/all.db".into());
        let error = InUse::to_serve(&location).unwrap_err();
        assert!(matches!(error, Error::CannotWrite { .. }), "{error:?}");
    }
}
