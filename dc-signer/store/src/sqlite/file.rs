//! The database as a file: made, copied, read from end to end.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::unistd::{self, AccessFlags};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row as _};

use super::error::classify;
use crate::Error;
use crate::owner;
use dc_pki::files;

/// Makes an empty database that only the owner can read, if there is none. SQLite gives the files
/// beside it the same permissions.
pub(crate) fn create(path: &Path) -> Result<(), Error> {
    match new_file(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(not_opened(path, error)),
        Ok(_) => Ok(()),
    }
}

/// Looks whether there is a database.
///
/// Fails with [`Error::NotPermitted`] if nobody can tell.
pub(crate) fn is_there(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|error| not_opened(path, error))
}

/// SQLite says of a file that is closed to it only that it cannot be opened. Opening it here would take SQLite's locks
/// away when it is closed again.
///
/// Fails with [`Error::NotPermitted`].
pub(crate) fn check_permissions(path: &Path) -> Result<(), Error> {
    let may = |path: &Path, how| match unistd::eaccess(path, how) {
        Err(Errno::EACCES) => Err(not_opened(path, Errno::EACCES.into())),
        // Everything else is told when it is opened.
        _ => Ok(()),
    };
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let enter = AccessFlags::W_OK | AccessFlags::X_OK;
    may(folder.unwrap_or_else(|| Path::new(".")), enter)?;
    for end in ["", "-wal", "-shm", ".lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        may(Path::new(&name), AccessFlags::R_OK | AccessFlags::W_OK)?;
    }
    Ok(())
}

/// A file that cannot be opened; says whose it is if that is why.
pub(crate) fn not_opened(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Error::NotPermitted {
            path: path.into(),
            source: Arc::new(files::explain(path, error)),
        },
        _ => cannot_write(error),
    }
}

/// Copies the database as it is at one moment, without its free pages.
///
/// The copy is whoever's runs this: it need not be where the database's owner can write. So nothing of the database
/// itself may be opened any more when that begins.
pub(super) async fn back_up(mut connection: SqliteConnection, to: &Path) -> Result<(), Error> {
    let open_all = "SELECT count(*) FROM sqlite_master";
    let opened = sqlx::query(open_all).execute(&mut connection).await;
    opened.map_err(classify)?;
    let invoker = owner::as_invoker().map_err(|error| cannot_write(io::Error::other(error)))?;
    let path = to.to_owned();
    new_file(to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::BackupExists { path },
        _ => not_opened(to, error),
    })?;
    let copied = copy(&mut connection, to).await;
    drop(invoker);
    // Whether closing works or not, the copy is what it is.
    let _ = connection.close().await;
    if copied.is_err() {
        // What there is of it is of no use; the first error is the one to report.
        let _invoker = owner::as_invoker();
        let _ = std::fs::remove_file(to);
    }
    copied
}

async fn copy(connection: &mut SqliteConnection, to: &Path) -> Result<(), Error> {
    let target = to.to_str().ok_or_else(|| {
        let kind = io::ErrorKind::InvalidFilename;
        cannot_write(kind.into())
    })?;
    let vacuum = sqlx::query("VACUUM INTO $1").bind(target);
    vacuum.execute(connection).await.map_err(classify)?;
    let to = to.to_owned();
    let synced = tokio::task::spawn_blocking(move || sync(to)).await;
    synced
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(cannot_write)
}

/// SQLite leaves the copy to the system's caches.
fn sync(file: PathBuf) -> io::Result<()> {
    File::open(&file)?.sync_all()?;
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Reads every page and compares each index with its table.
pub(super) async fn check_pages(mut connection: SqliteConnection) -> Result<(), Error> {
    let said = sqlx::query_scalar::<_, String>("PRAGMA integrity_check(10)")
        .fetch_all(&mut connection)
        .await
        .map_err(classify)?;
    let strays = sqlx::query("SELECT DISTINCT \"table\", parent FROM pragma_foreign_key_check")
        .fetch_all(&mut connection)
        .await
        .map_err(classify)?;
    let _ = connection.close().await;
    let mut faults: Vec<String> = said.into_iter().filter(|fault| fault != "ok").collect();
    for row in &strays {
        let table: String = row.try_get("table").map_err(classify)?;
        let parent: String = row.try_get("parent").map_err(classify)?;
        faults.push(format!("rows of {table} are of no row of {parent}"));
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::BadPages { faults }),
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

fn cannot_write(error: io::Error) -> Error {
    Error::CannotWrite {
        source: Arc::new(sqlx::Error::Io(error)),
    }
}
