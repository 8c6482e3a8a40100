//! Why the database did not do what it was asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

use dc_core::UniqueName;

use crate::registry::{self, State};

/// Why the database did not do what it was asked.
#[derive(Clone, Debug)]
pub enum Error {
    /// PostgreSQL has its own tools for backups.
    BackupElsewhere,
    /// A backup never overwrites a file.
    BackupExists {
        /// The file.
        path: PathBuf,
    },
    /// A backup is being put in the place of the database.
    BeingReplaced {
        /// The file.
        path: PathBuf,
    },
    /// The database is there and cannot write: its disk is full, broken or read-only. Nothing was
    /// changed; it goes on by itself when it can.
    CannotWrite {
        /// What it said.
        source: Arc<sqlx::Error>,
    },
    /// The database holds something that no version has written.
    Corrupt {
        /// Where.
        place: &'static str,
    },
    /// The database said something that is not expected: a bug, or somebody else changed its tables.
    Database {
        /// What it said.
        source: Arc<sqlx::Error>,
    },
    /// A service, or somebody else, works with the database.
    InUse {
        /// The file.
        path: PathBuf,
        /// The process, if it is known.
        pid: Option<u32>,
    },
    /// The database is not there, although this signer has worked with it.
    Gone {
        /// The file.
        path: PathBuf,
        /// The last record of its audit log that was seen.
        known: u64,
    },
    /// An older copy was to be accepted, and the database has no records at all.
    NoOlderCopy {
        /// Whether it has no records; if it has, it is the newest copy.
        empty: bool,
    },
    /// A file of the database is closed to this process.
    NotPermitted {
        /// The file or folder.
        path: PathBuf,
        /// Whose it is.
        source: Arc<io::Error>,
    },
    /// The database is an older copy than this signer has worked with: devices may be active in it that were suspended
    /// since.
    OlderThanSeen {
        /// The record of the audit log that was seen, or that a backup says there was.
        known: u64,
        /// Where the log of the database ends.
        found: u64,
    },
    /// The domain forbids it.
    Refused {
        /// Which rule.
        source: registry::Error,
    },
    /// The database was last used by an older version, and must be migrated.
    SchemaTooOld {
        /// Its version; 0 if it has no tables yet.
        found: i64,
        /// The version that is needed.
        needed: i64,
    },
    /// The database was last used by a newer version, or by something else.
    SchemaUnknown {
        /// Its version.
        found: i64,
        /// The newest version that is known here.
        known: i64,
    },
    /// A device is in another state than its last record in the audit log says: somebody changed the
    /// database by hand.
    StateNotInAudit {
        /// Its name.
        name: UniqueName<'static>,
        /// Its state in the database.
        state: State,
    },
    /// The database does not answer, or not in time.
    Unavailable {
        /// What happened.
        source: Arc<sqlx::Error>,
    },
}

impl From<registry::Error> for Error {
    fn from(source: registry::Error) -> Self {
        Self::Refused { source }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::CannotWrite { source }
            | Self::Database { source }
            | Self::Unavailable { source } => Some(&**source),
            Self::NotPermitted { source, .. } => Some(&**source),
            Self::Refused { source } => Some(source),
            Self::BackupElsewhere
            | Self::BackupExists { .. }
            | Self::BeingReplaced { .. }
            | Self::Corrupt { .. }
            | Self::Gone { .. }
            | Self::InUse { .. }
            | Self::NoOlderCopy { .. }
            | Self::OlderThanSeen { .. }
            | Self::SchemaTooOld { .. }
            | Self::SchemaUnknown { .. }
            | Self::StateNotInAudit { .. } => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackupElsewhere => f.write_str(
                "PostgreSQL makes its own backups: use pg_dump, and 'dc-signer restore --check --config FILE' on what comes back",
            ),
            Self::BackupExists { path } => write!(
                f,
                "{} exists, and a backup overwrites nothing: give another file",
                path.display()
            ),
            Self::BeingReplaced { path } => write!(
                f,
                "a backup is being put in the place of {}: wait until 'dc-signer restore' is done",
                path.display()
            ),
            Self::CannotWrite { source } => write!(
                f,
                "the database cannot write, and nothing was changed: {source}: check its disk"
            ),
            Self::Corrupt { place } => write!(
                f,
                "the database holds something in {place} that was never written there: restore a backup"
            ),
            Self::Database { source } => write!(f, "the database failed: {source}"),
            Self::Gone { path, known } => write!(
                f,
                "{} is not there, and record {known} of its audit log was seen here: put the file back, or bring a backup back with 'dc-signer restore DIR --config FILE'; if that is older, with 'dc-signer restore DIR --lose-newer --config FILE'",
                path.display()
            ),
            Self::NoOlderCopy { empty: true } => f.write_str(
                "the database is empty, and no older copy: bring a backup back with 'dc-signer restore DIR --lose-newer --config FILE'",
            ),
            Self::NoOlderCopy { empty: false } => {
                f.write_str("the database is no older copy: there is nothing to accept")
            }
            Self::InUse { path, pid } => {
                write!(f, "{} is in use", path.display())?;
                match pid {
                    Some(pid) => write!(f, " by process {pid}: stop the service first"),
                    None => f.write_str(": stop the service first"),
                }
            }
            Self::NotPermitted { path, source } => write!(
                f,
                "the database cannot use {}: {source}: give it to the service's user with 'chown', or run as its owner",
                path.display()
            ),
            Self::OlderThanSeen { known, found } => {
                write!(
                    f,
                    "the database is an older copy, in which withdrawn devices may be active: record {known} of the audit log was seen here, and it "
                )?;
                match found < known {
                    true => write!(f, "ends with {found}")?,
                    false => f.write_str("has another one there")?,
                }
                f.write_str(
                    ": put a newer copy there, or bring this one up with 'dc-signer restore --newer-log DATABASE --config FILE', or accept the loss with 'dc-signer restore --accept-older --config FILE', or, to bring back a backup although it is older, use 'dc-signer restore DIR --lose-newer --config FILE'",
                )
            }
            Self::Refused { source } => fmt::Display::fmt(source, f),
            Self::SchemaTooOld { found, needed } => write!(
                f,
                "the database has schema version {found} and this program needs {needed}: run 'dc-signer migrate --config FILE'"
            ),
            Self::SchemaUnknown { found, known } => write!(
                f,
                "the database has schema version {found} and this program knows none after {known}: use the newer program, or another database"
            ),
            Self::StateNotInAudit { name, state } => write!(
                f,
                "{name} is {state} in the database, but not by the audit log: somebody changed the database by hand"
            ),
            Self::Unavailable { source } => write!(f, "the database does not answer: {source}"),
        }
    }
}

impl Error {
    /// What an error that no database reported means.
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

    /// Whether it says that there is no server, or not yet: it is starting, or the network is.
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

    /// Whether the same call may work later, with nothing done about the call itself.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::CannotWrite { .. } | Self::OlderThanSeen { .. } | Self::Unavailable { .. }
        )
    }
}
