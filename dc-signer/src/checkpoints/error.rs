//! Errors of signing checkpoints and of keeping what was signed.

use std::path::PathBuf;

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
    /// A file cannot be read or written.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
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
                matches!(error, dc_evidence::Error::WrongSignature { .. })
            }
            _ => false,
        }
    }
}
