//! The database as a file: made, copied, read from end to end.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row as _};

use super::error::classify;
use crate::store::Error;

/// Makes an empty database that only the owner can read, if there is none. SQLite gives the files
/// beside it the same permissions.
pub(in crate::store) fn create(path: &Path) -> Result<(), Error> {
    match new_file(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_write(error)),
        Ok(_) => Ok(()),
    }
}

/// Copies the database as it is at one moment, without its free pages.
pub(super) async fn back_up(mut connection: SqliteConnection, to: &Path) -> Result<(), Error> {
    let path = to.to_owned();
    new_file(to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::BackupExists { path },
        _ => cannot_write(error),
    })?;
    let copied = copy(&mut connection, to).await;
    // Whether closing works or not, the copy is what it is.
    let _ = connection.close().await;
    if copied.is_err() {
        // What there is of it is of no use; the first error is the one to report.
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
    let rows = sqlx::query("PRAGMA integrity_check(1)")
        .fetch_all(&mut connection)
        .await
        .map_err(classify)?;
    let good =
        |row: &sqlx::sqlite::SqliteRow| row.try_get::<String, _>(0).is_ok_and(|it| it == "ok");
    let broken = !rows.iter().all(good);
    let strays = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut connection)
        .await
        .map_err(classify)?;
    let _ = connection.close().await;
    match broken || !strays.is_empty() {
        true => Err(Error::Corrupt { place: "its pages" }),
        false => Ok(()),
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
