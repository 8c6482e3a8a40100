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
    /// The database that has the newer log is a file that this process, which works as the service does, may not use.
    #[error(
        "{path} cannot be read as {me}, because of {problem}: copy it to a folder of {me}'s, as with 'install -d -o {me} -m 700 DIR' and 'install -o {me} -m 600 {path}* DIR', and name the copy",
        path = path.display(),
        me = owner::Account::me().word()
    )]
    NewerLogClosed {
        /// Its file.
        path: PathBuf,
        /// The file or folder that is closed, and whose it is.
        problem: String,
    },
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
