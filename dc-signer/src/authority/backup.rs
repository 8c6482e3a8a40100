//! Backups of a signer, and coming back from one without letting anybody back in.

mod accounts;
mod by;
mod copy;
mod names;
mod sealed_in;

use std::path::{Path, PathBuf};

use pki_types::UnixTime;
use serde::{Deserialize, Serialize};

pub use super::backup_error::Error;
use super::{Secrets, SetupError, database};
use crate::config::Config;
pub use accounts::accounts;
pub use by::By;
use copy::{Side, copy, copy_file, make_new_folder};
use dc_pki::files::{self, Access, NewFile};
use dc_store::registry::{Head, Record};
use dc_store::{BroughtUp, InUse, Location, Store};
use names::{beside, remove_all, swap};
pub use sealed_in::SealedIn;

/// The manifest of a backup; written last, so a backup without it is not whole.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// When it was made.
    pub made: u64,
    /// How many records its audit log has.
    pub records: u64,
    /// The hash of the last one.
    pub head: String,
    /// True if the delegation keys are in it, and the accounts at CAs.
    pub delegations: bool,
    /// True if the database is in it: a server's has tools of its own.
    #[serde(default = "yes")]
    pub database: bool,
    /// The number of things that the database has sealed, so that the backup of it is worth nothing without the key-encryption key.
    #[serde(default, skip_serializing_if = "SealedIn::is_nothing")]
    pub sealed: SealedIn,
}

/// Backups of SQLite did not always say so.
fn yes() -> bool {
    true
}

/// Copies the database, the secrets and, if wanted, the delegation keys and the accounts at CAs into a new folder that only its owner can read,
/// while others work. A database on a server is not copied: what there is says how far its audit log was.
///
/// Fails with [`Error::Pki`] and [`Error::Store`].
pub async fn make(
    config: &Config,
    store: &Store,
    to: &Path,
    delegations: bool,
    now: UnixTime,
) -> Result<Manifest, Error> {
    let (here, outside) = (Side::Data, Side::Outside);
    outside.act(|| make_new_folder(to))?;
    let head = store.audit_head().await?;
    let database = matches!(config.database, Location::File(_));
    if database {
        store.backup(&to.join(DATABASE)).await?;
    }
    let secrets = Secrets::folder(&config.data);
    let sealed = SealedIn::of(store).await?;
    // They may be sealed in the database.
    if sealed.secrets == 0 || files::is_there(&secrets)? {
        copy((here, &secrets), (outside, &to.join("secrets")))?;
    }
    let keys = config.data.join(DELEGATIONS);
    if delegations && files::is_there(&keys)? {
        copy((here, &keys), (outside, &to.join(DELEGATIONS)))?;
    }
    if delegations {
        accounts::copy_to(&config.data, to)?;
    }
    let manifest = Manifest {
        made: now.as_secs(),
        records: head.seq,
        head: head.hash.to_string(),
        delegations,
        database,
        sealed,
    };
    let json = serde_json::to_vec(&manifest).expect("texts and numbers are JSON");
    let file = NewFile {
        name: MANIFEST,
        contents: &json,
        access: Access::Owner,
    };
    outside.act(|| {
        files::stage(to, &file)?.create()?;
        files::sync(to)
    })?;
    Ok(manifest)
}

/// The result of a restore.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// When the backup was made.
    pub made: u64,
    /// The end of the audit log now.
    pub head: Head,
    /// How many records the replaced database had that the backup did not; none if there was no database.
    pub newer: Option<u64>,
    /// The changes because of them.
    pub brought: BroughtUp,
    /// Where the replaced database is now.
    pub moved_to: Option<PathBuf>,
    /// True if the database came back, false if only what belongs to it.
    pub database: bool,
    /// True if it was taken for an older copy, because nobody knows what was done since.
    pub accepted: bool,
}

/// Puts a backup in the place of an SQLite database. The service must be stopped, and cannot start meanwhile. Of a
/// database on a server, which its own tools have brought back, it brings back what belongs to it, once its audit log
/// has come as far as when the backup was made.
///
/// The records of the replaced database's audit log behind the backup's end are applied to the backup, so that whoever was
/// suspended or retired since stays so. Fails with [`Error::NoBackup`], with
/// [`OlderThanSeen`](dc_store::Error::OlderThanSeen), with [`InUse`](dc_store::Error::InUse) while a service runs, with [`Error::Store`] if the replaced database cannot
/// be read, or its log does not continue the backup's, unless `lose_newer`; then nothing has changed.
pub async fn restore(
    config: &Config,
    from: &Path,
    lose_newer: bool,
    by: &By<'_>,
) -> Result<Restored, Error> {
    let manifest = Side::Outside.act(|| read_manifest(from))?;
    let database = match &config.database {
        Location::File(database) if manifest.database => database,
        Location::File(_) => {
            let folder = from.into();
            return Err(Error::NoBackup { folder });
        }
        Location::Postgres(_) => {
            return restore_files(config, from, manifest, lose_newer, by).await;
        }
    };
    if let Some(folder) = database.parent()
        && !files::is_there(folder)?
    {
        files::create_folder(folder, Access::Owner, &[])?;
    }
    check_secrets(config, from)?;
    let _alone = InUse::alone(&config.database)?;
    let newer = match lose_newer || !files::is_there(database)? {
        true => None,
        false => {
            by.check_in(config).await?;
            Some(records(&config.database, &config.node, manifest.records + 1).await?)
        }
    };
    let staged = beside(database, "restoring");
    files::remove(&staged)?;
    let backup = from.join(DATABASE);
    copy_file((Side::Outside, &backup), (Side::Data, &staged))?;
    let done = finish(config, &staged, newer.as_deref(), lose_newer, by).await;
    let (head, brought) = done.inspect_err(|_| remove_all(&staged))?;
    bring_missing(config, from)?;
    let moved_to = swap(&staged, database, by.now)?;
    dc_store::accept_in(&config.data, head)?;
    Ok(Restored {
        database: true,
        accepted: newer.is_none() && head != Head::EMPTY,
        made: manifest.made,
        head,
        newer: newer.map(|newer| u64::try_from(newer.len()).unwrap_or(u64::MAX)),
        brought,
        moved_to,
    })
}

/// Brings back what belongs to a database on a server.
async fn restore_files(
    config: &Config,
    from: &Path,
    manifest: Manifest,
    lose_newer: bool,
    by: &By<'_>,
) -> Result<Restored, Error> {
    check_secrets(config, from)?;
    let (store, _in_use) = database::open(config).await?;
    let checked = async {
        let act = by.act(&store).await?;
        let head = store.check().await?;
        match store.is_newest().await {
            Err(dc_store::Error::OlderThanSeen { .. }) if lose_newer => {}
            other => other?,
        }
        let last = store.audit_from(manifest.records, 1).await?;
        let hash = last.first().map(|record| record.hash().to_string());
        match manifest.records == 0 || hash == Some(manifest.head) {
            true if lose_newer && head != Head::EMPTY => {
                let head = store.accept_older(&act).await?;
                by.tell(&store).await?;
                Ok(head)
            }
            true => Ok(head),
            false => Err(Error::from(dc_store::Error::OlderThanSeen {
                known: manifest.records,
                found: head.seq,
            })),
        }
    };
    let checked = checked.await;
    store.close().await;
    let head = checked?;
    bring_missing(config, from)?;
    Ok(Restored {
        made: manifest.made,
        head,
        newer: Some(head.seq.saturating_sub(manifest.records)),
        brought: BroughtUp::default(),
        moved_to: None,
        database: false,
        accepted: lose_newer && head != Head::EMPTY,
    })
}

/// Brings the database up to the newer copy of its audit log that another database has; says where the log ends, and
/// what has changed.
///
/// Fails with what opening either fails with, with [`InUse`](dc_store::Error::InUse) while a service works with an SQLite file, and with
/// [`Error::Store`] if the other log does not continue this one, and with [`Error::NewerLogClosed`].
pub async fn bring_up(
    config: &Config,
    newer: &Location,
    by: &By<'_>,
) -> Result<(Head, BroughtUp), Error> {
    let (store, _in_use) = database::open_alone(config).await?;
    let brought = async {
        let end = store.audit_head().await?;
        let records = records(newer, &config.node, end.seq.max(1)).await;
        let records = records.map_err(|error| closed(newer, error))?;
        let brought = store.replay(&records, &by.act(&store).await?).await?;
        store.is_newest().await?;
        by.tell(&store).await?;
        Ok((store.verify_audit().await?, brought))
    };
    let brought = brought.await;
    store.close().await;
    brought
}

/// Goes on with a database that is an older copy, and records that; says where its log ends.
///
/// Fails with what opening it fails with, with [`InUse`](dc_store::Error::InUse) while a service works with an SQLite file, and with
/// [`NoOlderCopy`](dc_store::Error::NoOlderCopy).
pub async fn accept_older(config: &Config, by: &By<'_>) -> Result<Head, Error> {
    let (store, _in_use) = database::open_alone(config).await?;
    let accepted = async {
        is_older_copy(&store).await?;
        let act = by.act(&store).await?;
        let head = store.accept_older(&act).await?;
        by.tell(&store).await?;
        Ok(head)
    };
    let accepted = accepted.await;
    store.close().await;
    accepted
}

async fn is_older_copy(store: &Store) -> Result<(), dc_store::Error> {
    match store.is_newest().await {
        Ok(()) => Err(dc_store::Error::NoOlderCopy { empty: false }),
        Err(dc_store::Error::OlderThanSeen { .. }) => match store.audit_head().await? {
            Head::EMPTY => Err(dc_store::Error::NoOlderCopy { empty: true }),
            _ => Ok(()),
        },
        Err(error) => Err(error),
    }
}

/// Fails with [`NoOlderCopy`](dc_store::Error::NoOlderCopy) if there is nothing that [`accept_older`] could accept.
pub async fn look_for_older(config: &Config) -> Result<(), Error> {
    let (store, _in_use) = database::open_alone(config).await?;
    let is_older = is_older_copy(&store).await;
    store.close().await;
    Ok(is_older?)
}

/// A file of another's is copied, not given away: its folder may be root's own.
fn closed(newer: &Location, error: dc_store::Error) -> Error {
    match (newer, error) {
        (Location::File(path), dc_store::Error::NotPermitted { path: at, source }) => {
            Error::NewerLogClosed {
                path: path.clone(),
                problem: format!("{}: {source}", at.display()),
            }
        }
        (_, error) => error.into(),
    }
}

/// All records of a database's audit log, from one on.
async fn records(
    database: &Location,
    node: &str,
    from: u64,
) -> Result<Vec<Record>, dc_store::Error> {
    let store = dc_store::open(database, node).await?;
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

/// Checks the copy, and applies what it does not know. Where nobody can say what that is, it takes for valid what may have been
/// issued since.
async fn finish(
    config: &Config,
    staged: &Path,
    newer: Option<&[Record]>,
    lose_newer: bool,
    by: &By<'_>,
) -> Result<(Head, BroughtUp), Error> {
    let location = Location::File(staged.into());
    dc_store::migrate(&location).await?;
    let store = dc_store::open(&location, &config.node).await?;
    store.check().await?;
    let brought = match newer {
        Some(newer) => store.replay(newer, &by.act(&store).await?).await?,
        None => BroughtUp::default(),
    };
    let end = store.audit_head().await?;
    if !lose_newer {
        dc_store::check_newest(&config.data, &store).await?;
    }
    if newer.is_none() && end != Head::EMPTY {
        store.accept_older(&by.act(&store).await?).await?;
    }
    store.forget_signers().await?;
    by.tell(&store).await?;
    let head = store.verify_audit().await?;
    store.close().await;
    Ok((head, brought))
}

fn read_manifest(from: &Path) -> Result<Manifest, Error> {
    let path = from.join(MANIFEST);
    let bad = || Error::NoBackup {
        folder: from.into(),
    };
    if !files::is_there(&path)? {
        return Err(bad());
    }
    serde_json::from_slice(&files::read(&path)?).map_err(|_| bad())
}

/// A database and secrets of two signers would rename devices.
fn check_secrets(config: &Config, from: &Path) -> Result<(), Error> {
    let here = Secrets::folder(&config.data);
    let theirs = from.join("secrets");
    let has = Side::Outside.act(|| files::is_there(&theirs))?;
    if !has || !files::is_there(&here)? {
        return Ok(());
    }
    for name in Secrets::FILES {
        let path = here.join(name);
        let theirs = from.join("secrets").join(name);
        let theirs = Side::Outside.act(|| files::read(&theirs))?;
        if *files::read(&path)? != *theirs {
            return Err(SetupError::OtherSecrets { path }.into());
        }
    }
    Ok(())
}

fn bring_missing(config: &Config, from: &Path) -> Result<(), Error> {
    for name in ["secrets", DELEGATIONS, ACCOUNTS] {
        let (source, target) = (from.join(name), config.data.join(name));
        let has = Side::Outside.act(|| files::is_there(&source))?;
        if has && !files::is_there(&target)? {
            copy((Side::Outside, &source), (Side::Data, &target))?;
        }
    }
    Ok(())
}

const DATABASE: &str = "dc-signer.db";
const ACCOUNTS: &str = "acme";
const DELEGATIONS: &str = "delegations";
const MANIFEST: &str = "backup.json";
/// Records that are read at once.
const PAGE: u32 = 1000;
