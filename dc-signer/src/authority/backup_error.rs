//! Errors of backups.

use std::path::PathBuf;

use crate::authority::claim::ClaimError;
use crate::authority::{self, SetupError};
use dc_store::owner;

/// A reason that a backup was not made, or not put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database of the signer cannot be opened.
    #[error(transparent)]
    Authority(#[from] authority::Error),
    /// Whoever brings it back may not.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A folder is no backup, or not a whole one.
    #[error("{} is no whole backup: give a folder that 'dc-signer backup' made", .folder.display())]
    NoBackup {
        /// The folder.
        folder: PathBuf,
    },
    /// Whoever runs the command cannot be who reads or writes the backup.
    #[error(transparent)]
    Owner(#[from] owner::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// The backup is another signer's.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The database does not do what it should, or the other log does not continue this one.
    #[error(transparent)]
    Store(#[from] dc_store::Error),
}
