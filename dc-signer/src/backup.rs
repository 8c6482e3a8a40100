//! Backups of a signer, and coming back from one without letting anybody back in.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::desk::{Fault, Secrets};
use crate::error::Error;
use crate::files::{self, Access, NewFile};
use crate::registry::{Head, Record};
use crate::store::{self, Act, InUse, Location, Store};

/// What a backup says about itself; written last, so a backup without it is not whole.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// When it was made.
    pub made: u64,
    /// How many records its audit log has.
    pub records: u64,
    /// The hash of the last one.
    pub head: String,
    /// Whether the delegation keys are in it.
    pub delegations: bool,
}

/// Copies the database, the secrets and, if wanted, the delegation keys into a new folder that only its owner can read,
/// while others work.
///
/// Fails with [`Error::Exists`], [`Error::Read`], [`Error::Write`] and [`Error::Store`].
pub async fn make(
    config: &Config,
    store: &dyn Store,
    to: &Path,
    delegations: bool,
    now: UnixTime,
) -> Result<Manifest, Error> {
    if files::exists(to) {
        return Err(Error::Exists { path: to.into() });
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(to);
    made.map_err(|source| Error::Write {
        path: to.into(),
        source,
    })?;
    let head = store.audit_head().await?;
    store.backup(&to.join(DATABASE)).await?;
    copy(&Secrets::folder(&config.data), &to.join("secrets"))?;
    let keys = config.data.join(DELEGATIONS);
    if delegations && files::exists(&keys) {
        copy(&keys, &to.join(DELEGATIONS))?;
    }
    let manifest = Manifest {
        made: now.as_secs(),
        records: head.seq,
        head: head.hash.to_string(),
        delegations,
    };
    let json = serde_json::to_vec(&manifest).expect("texts and numbers are JSON");
    let file = NewFile {
        name: MANIFEST,
        contents: &json,
        access: Access::Owner,
    };
    files::stage(to, &file)?.create()?;
    files::sync(to)?;
    Ok(manifest)
}

/// What came back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// When the backup was made.
    pub made: u64,
    /// The end of the audit log now.
    pub head: Head,
    /// How many records the replaced database had that the backup did not; none if there was no database.
    pub newer: Option<u64>,
    /// How many devices were suspended, resumed or retired again because of them.
    pub changed: u64,
    /// Where the replaced database is now.
    pub moved_to: Option<PathBuf>,
}

/// Puts a backup in the place of an SQLite database. The service must be stopped, and cannot start meanwhile.
///
/// What the replaced database's audit log has behind the backup's end is applied to the backup, so that whoever was
/// suspended or retired since stays so. Fails with [`Error::NoBackup`], with
/// [`InUse`](store::Error::InUse) while a service runs, with [`Error::Store`] if the replaced database cannot
/// be read, or its log does not continue the backup's, unless `lose_newer`; then nothing has changed.
pub async fn restore(
    config: &Config,
    from: &Path,
    lose_newer: bool,
    by: &Act,
) -> Result<Restored, Error> {
    let Location::File(database) = &config.database else {
        return Err(store::Error::BackupElsewhere.into());
    };
    let manifest = read_manifest(from)?;
    if let Some(folder) = database.parent().filter(|folder| !files::exists(folder)) {
        files::create_folder(folder, Access::Owner, &[])?;
    }
    check_secrets(config, from)?;
    let _alone = InUse::alone(&config.database)?;
    let newer = match lose_newer || !files::exists(database) {
        true => None,
        false => Some(records(config, manifest.records + 1).await?),
    };
    let staged = beside(database, "restoring");
    files::remove(&staged)?;
    copy_file(&from.join(DATABASE), &staged)?;
    let done = finish(config, &staged, newer.as_deref(), by).await;
    let (head, changed) = done.inspect_err(|_| remove_all(&staged))?;
    bring_missing(config, from)?;
    let moved_to = swap(&staged, database, by.at)?;
    Ok(Restored {
        made: manifest.made,
        head,
        newer: newer.map(|newer| u64::try_from(newer.len()).unwrap_or(u64::MAX)),
        changed,
        moved_to,
    })
}

/// All records of the database that is to be replaced, from one on.
async fn records(config: &Config, from: u64) -> Result<Vec<Record>, Error> {
    let store = store::open(&config.database, &config.node).await?;
    let mut records: Vec<Record> = Vec::new();
    loop {
        let seq = from + u64::try_from(records.len()).unwrap_or(u64::MAX);
        let page = store.audit_from(seq, PAGE).await?;
        if page.is_empty() {
            store.close().await;
            return Ok(records);
        }
        records.extend(page);
    }
}

/// Checks the copy, and applies what it does not know.
async fn finish(
    config: &Config,
    staged: &Path,
    newer: Option<&[Record]>,
    by: &Act,
) -> Result<(Head, u64), Error> {
    let location = Location::File(staged.into());
    store::migrate(&location).await?;
    let store = store::open(&location, &config.node).await?;
    store.check().await?;
    let changed = match newer {
        Some(newer) if !newer.is_empty() => store.replay(newer, by).await?,
        _ => 0,
    };
    let head = store.verify_audit().await?;
    store.close().await;
    Ok((head, changed))
}

fn read_manifest(from: &Path) -> Result<Manifest, Error> {
    let path = from.join(MANIFEST);
    let bad = || Error::NoBackup {
        folder: from.into(),
    };
    if !files::exists(&path) {
        return Err(bad());
    }
    serde_json::from_slice(&files::read(&path)?).map_err(|_| bad())
}

/// A database and secrets of two signers would rename devices.
fn check_secrets(config: &Config, from: &Path) -> Result<(), Error> {
    let here = Secrets::folder(&config.data);
    if !files::exists(&here) {
        return Ok(());
    }
    for name in Secrets::FILES {
        let path = here.join(name);
        if *files::read(&path)? != *files::read(&from.join("secrets").join(name))? {
            return Err(Fault::OtherSecrets { path }.into());
        }
    }
    Ok(())
}

fn bring_missing(config: &Config, from: &Path) -> Result<(), Error> {
    for name in ["secrets", DELEGATIONS] {
        let (source, target) = (from.join(name), config.data.join(name));
        if files::exists(&source) && !files::exists(&target) {
            copy(&source, &target)?;
        }
    }
    Ok(())
}

/// Gives the copy its name; what had that name is kept under another.
fn swap(staged: &Path, database: &Path, now: UnixTime) -> Result<Option<PathBuf>, Error> {
    let failed = |source| Error::Write {
        path: database.into(),
        source,
    };
    let moved =
        files::exists(database).then(|| beside(database, &format!("before-{}", now.as_secs())));
    if let Some(moved) = &moved {
        for suffix in SUFFIXES {
            let (from, to) = (with(database, suffix), with(moved, suffix));
            if files::exists(&from) {
                fs::rename(from, to).map_err(failed)?;
            }
        }
    }
    fs::rename(staged, database).map_err(failed)?;
    files::sync(database.parent().unwrap_or_else(|| Path::new(".")))?;
    Ok(moved)
}

fn remove_all(staged: &Path) {
    for suffix in SUFFIXES {
        // What cannot be removed now is removed before the next try.
        let _ = files::remove(&with(staged, suffix));
    }
}

fn beside(database: &Path, what: &str) -> PathBuf {
    with(database, &format!(".{what}"))
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Copies a folder with its folders; only its owner can read the copy.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: to.into(),
        source,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(to)
        .map_err(failed)?;
    let entries = fs::read_dir(from).map_err(|source| Error::Read {
        path: from.into(),
        source,
    })?;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target)?,
            false => copy_file(&entry.path(), &target)?,
        }
    }
    files::sync(to)
}

fn copy_file(from: &Path, to: &Path) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    let read = |source| Error::Read {
        path: from.into(),
        source,
    };
    let write = |source| Error::Write {
        path: to.into(),
        source,
    };
    let mut source = fs::File::open(from).map_err(read)?;
    let mut target = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(write)?;
    std::io::copy(&mut source, &mut target).map_err(write)?;
    target.sync_all().map_err(write)
}

const DATABASE: &str = "dc-signer.db";
const DELEGATIONS: &str = "delegations";
const MANIFEST: &str = "backup.json";
/// What belongs to an SQLite database.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];
/// Records that are read at once.
const PAGE: u32 = 1000;
