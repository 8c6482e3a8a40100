//! Why the database did not do what it was asked.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use dc_core::UniqueName;

use crate::registry::{self, State};

/// Why the database did not do what it was asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
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
            Self::Refused { source } => Some(source),
            Self::BackupElsewhere
            | Self::BackupExists { .. }
            | Self::BeingReplaced { .. }
            | Self::Corrupt { .. }
            | Self::InUse { .. }
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
            Self::InUse { path, pid } => {
                write!(f, "{} is in use", path.display())?;
                match pid {
                    Some(pid) => write!(f, " by process {pid}: stop the service first"),
                    None => f.write_str(": stop the service first"),
                }
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

    /// Whether the same call may work later, with nothing done about the call itself.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::CannotWrite { .. } | Self::Unavailable { .. })
    }
}
