//! Errors of signing checkpoints and of keeping what was signed.

use std::path::PathBuf;

use dc_evidence::VerifyingKey;
use dc_pki::keys::ProcessFault;

/// A reason that no checkpoint is signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file of what was signed last is not as it was written.
    #[error(
        "{} is not as it was written: bring it back from a backup, or remove it; then the log is read again from its beginning, and compared with the last checkpoint that the database has",
        path.display()
    )]
    BadState {
        /// The file.
        path: PathBuf,
    },
    /// A checkpoint was not signed.
    #[error(transparent)]
    Evidence(#[from] dc_evidence::Error),
    /// The key cannot sign.
    #[error("{}: {source}", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// The fault.
        source: dc_evidence::Error,
    },
    /// Others may read the key, or change it.
    #[error(
        "{}: mode {mode:04o} lets others at the key that signs for the audit log: make a new key if somebody was there, and do 'chmod 600 {}'",
        path.display(), path.display()
    )]
    KeyOfOthers {
        /// Its file.
        path: PathBuf,
        /// The permissions.
        mode: u32,
    },
    /// The log was signed for with another key so far, under the same name.
    #[error(
        "the audit log was signed for with {before} so far, and the key is {now}: bring the key back; a log that goes on with another key needs another name"
    )]
    OtherKey {
        /// The key so far.
        before: VerifyingKey,
        /// That of the configuration.
        now: VerifyingKey,
    },
    /// The signing process signs with another key than the configuration has.
    #[error(
        "log_key is {wanted}, and the signing process signs with {found}: if somebody has changed its key on purpose, set log_key to that, with another name"
    )]
    OtherLogKey {
        /// That of the configuration.
        wanted: VerifyingKey,
        /// That of the process.
        found: VerifyingKey,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// The signing process does not say what it signs with.
    #[error("{}: {source}", socket.display())]
    Process {
        /// Its socket.
        socket: PathBuf,
        /// The fault.
        source: ProcessFault,
    },
    /// The service has found that the log is not the one that was signed for.
    #[error("the service signs no checkpoint of the audit log: {why}")]
    Refused {
        /// The words of its last refusal.
        why: String,
    },
    /// The thread that was to sign is gone.
    #[error("signing ended early")]
    SigningEnded,
    /// The log cannot be read, or does not go on from the last checkpoint.
    #[error(transparent)]
    Store(#[from] dc_store::Error),
    /// No connection can be made with TLS.
    #[error("no TLS for places of checkpoints: {source}")]
    Tls {
        /// The reason.
        source: rustls::Error,
    },
    /// A place has an address that is none.
    #[error("{url} has no host that a certificate can name")]
    Url {
        /// The address.
        url: String,
    },
}

impl Error {
    /// True if the log is not the one that was signed for: whatever is wrong does not go away by itself.
    #[must_use]
    pub fn is_tampering(&self) -> bool {
        use dc_store::Error as Store;
        match self {
            Self::Store(error) => matches!(
                error,
                Store::Cut { .. } | Store::Rewritten { .. } | Store::Refused { .. }
            ),
            Self::Evidence(error) => {
                matches!(
                    error,
                    dc_evidence::Error::SignerRefused { .. }
                        | dc_evidence::Error::WrongSignature { .. }
                )
            }
            _ => false,
        }
    }
}
