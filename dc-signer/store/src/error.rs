//! The error of the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

use dc_core::UniqueName;

use crate::ExportError;
use crate::hosts::UrlFault;
use crate::registry::{self, ActorFault, Mismatch, State};
use crate::shape::ShapeFault;

/// The error of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Records are in an archive, and not in the database.
    #[error(
        "the issuances up to record {last} of the audit log are in archives alone: give those files, or begin behind them"
    )]
    Archived {
        /// The last record of the archives.
        last: u64,
    },
    /// A file of an archive cannot be read, or is not the next part of one log.
    #[error("{}: {source}", path.display())]
    ArchiveFile {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: Arc<ExportError>,
    },
    /// The files of archives end before what is archived of the log.
    #[error(
        "the archives that were given end with record {found} of the audit log, and its issuances up to record {last} are in archives: give the files behind that too; if there are none, somebody has removed records and says that they were archived"
    )]
    ArchivesEnd {
        /// The last record of the files.
        found: u64,
        /// The last record that is archived.
        last: u64,
    },
    /// An index is not what its table has, or pages of the file are damaged.
    #[error(
        "the file of the database is damaged, or an index in it was changed by hand, and what it hides is not found: {}. {}",
        faults.join("; "),
        mend_pages(faults)
    )]
    BadPages {
        /// The first ten faults, in SQLite's words.
        faults: Vec<String>,
    },
    /// PostgreSQL has its own tools for backups.
    #[error(
        "PostgreSQL makes its own backups: use pg_dump, and 'dc-signer restore --check --config FILE' on what comes back"
    )]
    BackupElsewhere,
    /// A backup never overwrites a file.
    #[error("{path} exists, and a backup overwrites nothing: give another file", path = path.display())]
    BackupExists {
        /// The file.
        path: PathBuf,
    },
    /// A backup is being put in the place of the database.
    #[error(
        "a backup is being put in the place of {path}: wait until 'dc-signer restore' is done",
        path = path.display()
    )]
    BeingReplaced {
        /// The file.
        path: PathBuf,
    },
    /// The database is there and cannot write: its disk is full, broken or read-only. Nothing was
    /// changed; it goes on by itself when it can.
    #[error("the database cannot write, and nothing was changed: {source}: check its disk")]
    CannotWrite {
        /// Its error.
        source: Arc<sqlx::Error>,
    },
    /// The audit log ends before a checkpoint of it: its last records are missing.
    #[error(
        "the audit log was cut: it ends with record {found}, and a checkpoint of {size} records was signed"
    )]
    Cut {
        /// The size of the log in the checkpoint.
        size: u64,
        /// Where it ends.
        found: u64,
    },
    /// The database holds something that no version has written.
    #[error(
        "the database holds something in {place} that was never written there: restore a backup"
    )]
    Corrupt {
        /// Where.
        place: &'static str,
    },
    /// The database said something that is not expected: a bug, or somebody else changed its tables.
    #[error("the database failed: {source}")]
    Database {
        /// Its error.
        source: Arc<sqlx::Error>,
    },
    /// A service, or somebody else, works with the database.
    #[error("{path} is in use{by}: stop the service first", path = path.display(), by = ByProcess(*pid))]
    InUse {
        /// The file.
        path: PathBuf,
        /// The process, if it is known.
        pid: Option<u32>,
    },
    /// The database is not there, although this signer has worked with it.
    #[error(
        "{path} is not there, and record {known} of its audit log was seen here: put the file back, or bring a backup back with 'dc-signer restore DIR --reason WHY --config FILE'; if that is older, with 'dc-signer restore DIR --lose-newer --reason WHY --config FILE'",
        path = path.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
        /// The last record of its audit log that was seen.
        known: u64,
    },
    /// The number of a list of withdrawn names is none that the audit log can have made.
    #[error(
        "the list of withdrawn names of {zone} has {}, and the records of the audit log make none above {most}: somebody changed the database by hand, and nothing is signed that clients would hold on to; do what docs/runbook.md says under 'Audit mismatch'",
        list_number(*found)
    )]
    ListNumber {
        /// The zone.
        zone: String,
        /// The number; none if it is no number.
        found: Option<u64>,
        /// The highest that there can be.
        most: u64,
    },
    /// Nothing like this is wrong with the database.
    #[error(
        "no mismatch has this digest: use one that 'dc-signer audit verify' prints; what is wrong with the log itself cannot be acknowledged"
    )]
    NoSuchMismatch,
    /// An older copy was to be accepted, and the database has no records at all.
    #[error("{}", no_older_copy(*empty))]
    NoOlderCopy {
        /// Set if it has no records; if it has, it is the newest copy.
        empty: bool,
    },
    /// Something in the database is not as the audit log says: somebody changed the database by hand.
    #[error("{source}: somebody changed the database by hand")]
    NotAsAudited {
        /// The place.
        #[from]
        source: Mismatch,
    },
    /// There is no such record in the log of a checkpoint.
    #[error("record {seq} is not in a checkpoint of {size} records: use a later one")]
    NotInCheckpoint {
        /// The record.
        seq: u64,
        /// The size of the log in the checkpoint.
        size: u64,
    },
    /// A file of the database is closed to this process.
    #[error(
        "the database cannot use {path}: {source}: give it to the service's user with 'chown', or run as its owner",
        path = path.display()
    )]
    NotPermitted {
        /// The file or folder.
        path: PathBuf,
        /// Whose it is.
        source: Arc<io::Error>,
    },
    /// A signer of an older version works on the database.
    #[error(
        "a signer of an older version works on this database, and would not know what to make of this: bring it up first, or wait for 3 minutes after it was stopped"
    )]
    OlderSigner,
    /// The database is an older copy than this signer has worked with: devices may be active in it that were suspended
    /// since.
    #[error(
        "the database is an older copy, in which withdrawn devices may be active: record {known} of the audit log was seen here, and it {}: put a newer copy there{}, or accept the loss with 'dc-signer restore --accept-older --reason WHY --config FILE', or, to bring back a backup although it is older, use 'dc-signer restore DIR --lose-newer --reason WHY --config FILE'",
        end_of_older(*known, *found),
        bring_up(*known, *found)
    )]
    OlderThanSeen {
        /// The record of the audit log that was seen, or that a backup says there was.
        known: u64,
        /// Where the log of the database ends.
        found: u64,
    },
    /// Whoever acts is not what they were when they came, or what the audit log says.
    #[error("{name} may not do this by the audit log: {why}")]
    MayNot {
        /// The operator.
        name: String,
        /// The reason.
        why: ActorFault,
    },
    /// The database has not written what it was told to, and said that it has: a trigger or a rule is in the way. Nothing was changed.
    #[error(
        "the database wrote {written} of {expected} rows of {table}, so nothing was done: something in it keeps it from that; 'dc-signer audit verify' says what, if it is still there"
    )]
    NotWritten {
        /// The table.
        table: &'static str,
        /// How many rows it was told.
        expected: u64,
        /// How many it wrote.
        written: u64,
    },
    /// A time is before 1970 or after the year 9999, and nothing has written such a one.
    #[error(
        "the database has the time {value} (seconds since 1970) in the column {column} of a row, and no time is below 0 or above 253402300799: somebody changed the database by hand; look for it with 'WHERE {column} = {value}'"
    )]
    OutOfRange {
        /// The column.
        column: &'static str,
        /// The value.
        value: i64,
    },
    /// The domain forbids it.
    #[error("{source}")]
    Refused {
        /// Which rule.
        #[from]
        source: registry::Error,
    },
    /// The audit log is not the one that a checkpoint is of: it was cut or rewritten.
    #[error(
        "the audit log was rewritten: of its records {} to {size}, one is not as it was when the checkpoint of {size} records was signed, or is missing",
        after.saturating_add(1)
    )]
    Rewritten {
        /// How many records are as an earlier checkpoint says.
        after: u64,
        /// The size of the log in the checkpoint.
        size: u64,
    },
    /// Triggers, views or other things are in the database that no version of this program has made: with those it does something else than
    /// it is told.
    #[error(
        "somebody changed the database by hand, and nothing is done with it as it is: {}. See 'Audit mismatch' in docs/runbook.md",
        several(faults)
    )]
    SchemaChanged {
        /// All of them.
        faults: Vec<ShapeFault>,
    },
    /// The database was last used by an older version, and must be migrated.
    #[error(
        "the database has schema version {found} and this program needs {needed}: run 'dc-signer migrate --config FILE'"
    )]
    SchemaTooOld {
        /// Its version; 0 if it has no tables yet.
        found: i64,
        /// The version that is needed.
        needed: i64,
    },
    /// The database was last used by a newer version, or by something else.
    #[error(
        "the database has schema version {found} and this program knows none after {known}: use the newer program, or another database"
    )]
    SchemaUnknown {
        /// Its version.
        found: i64,
        /// The newest version that is known here.
        known: i64,
    },
    /// A device is in another state than its last record in the audit log says: somebody changed the
    /// database by hand.
    #[error(
        "{name} is {state} in the database, but not by the audit log: somebody changed the database by hand"
    )]
    StateNotInAudit {
        /// Its name.
        name: UniqueName<'static>,
        /// Its state in the database.
        state: State,
    },
    /// The database does not answer, or not in time.
    #[error("the database does not answer: {source}")]
    Unavailable {
        /// The error of the connection or the file.
        source: Arc<sqlx::Error>,
    },
    /// The URL of the database says something that cannot be.
    #[error("the URL of the database {fault}")]
    Url {
        /// The fault.
        fault: UrlFault,
    },
}

impl Error {
    /// An error that no database reported, by its kind.
    pub(super) fn without_code(source: Arc<sqlx::Error>) -> Self {
        match &*source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => Self::Unavailable { source },
            _ => Self::Database { source },
        }
    }

    /// True if there is no server, or not yet: it is starting, or the network is.
    #[must_use]
    pub fn is_of_a_server_that_may_come_up(&self) -> bool {
        let Self::Unavailable { source } = self else {
            return false;
        };
        match &**source {
            sqlx::Error::Io(error) => error.kind() != io::ErrorKind::PermissionDenied,
            sqlx::Error::Tls(_) => false,
            _ => true,
        }
    }

    /// True if the same call may work later, with nothing done about the call itself.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::CannotWrite { .. }
                | Self::NotWritten { .. }
                | Self::OlderThanSeen { .. }
                | Self::SchemaChanged { .. }
                | Self::Unavailable { .. }
        )
    }
}

fn mend_pages(faults: &[String]) -> &'static str {
    let is_of_an_index = |fault: &String| fault.contains("index ");
    match faults.iter().all(is_of_an_index) {
        true => {
            "Stop the service, keep a copy of the file, and make the indexes anew with 'sqlite3 FILE REINDEX'; then see who could write there"
        }
        false => "Restore a backup",
    }
}

/// The process that has a database, if it is known.
struct ByProcess(Option<u32>);

impl fmt::Display for ByProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, " by process {pid}"),
            None => Ok(()),
        }
    }
}

fn several(faults: &[ShapeFault]) -> String {
    let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn no_older_copy(empty: bool) -> &'static str {
    match empty {
        true => {
            "the database is empty, and no older copy: bring a backup back with 'dc-signer restore DIR --lose-newer --reason WHY --config FILE'"
        }
        false => "the database is no older copy: there is nothing to accept",
    }
}

fn list_number(found: Option<u64>) -> String {
    match found {
        Some(found) => format!("the number {found}"),
        None => "a number that is none".to_owned(),
    }
}

fn end_of_older(known: u64, found: u64) -> String {
    match found < known {
        true => format!("ends with {found}"),
        false => {
            "has another one there: the two logs part before it, and neither goes on from the other"
                .to_owned()
        }
    }
}

/// Newer records are added to a log that they go on from, and to no other.
const fn bring_up(known: u64, found: u64) -> &'static str {
    match found < known {
        true => {
            ", or bring this one up with 'dc-signer restore --newer-log DATABASE --reason WHY --config FILE'"
        }
        false => "",
    }
}
