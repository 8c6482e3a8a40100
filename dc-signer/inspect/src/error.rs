//! The errors of this crate: each names the thing and what to do about it, in one line.

use std::path::PathBuf;

/// A reason that a file was not looked into, or a request not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file, a key, a certificate or a credential is not as it must be.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// A request to a CA could not be made.
    #[error("cannot make a certificate signing request: {source}")]
    RequestNotMade {
        /// The reason.
        source: rcgen::Error,
    },
    /// A file holds nothing that is known here.
    #[error(
        "{} is no certificate, credential, request or key that can be recognised, in PEM or bare: check that it is the right file, and whole",
        .path.display()
    )]
    UnknownFile {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds nothing that is known here.
    #[error(
        "{} has no chain.pem, credential.pem, key.pem, request.csr or root.pem: name the files themselves",
        .path.display()
    )]
    UnknownFolder {
        /// The folder.
        path: PathBuf,
    },
}
