//! The errors of this crate: each names the thing and what to do about it, in one line.

use std::io;
use std::path::PathBuf;

use crate::probe::{ProbeError, Target};

/// Why a file was not looked into, a server not probed, or a request not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A server did not get as far as a handshake.
    #[error("{target}: {source}")]
    NoHandshake {
        /// The server.
        target: Target,
        /// Why.
        source: ProbeError,
    },
    /// A file, a key, a certificate or a credential is not as it must be.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// The client that should probe a server could not be made.
    #[error("cannot make a TLS client: {source}")]
    ProbeNotMade {
        /// Why.
        source: dc_rustls::Error,
    },
    /// A request to a CA could not be made.
    #[error("cannot make a certificate signing request: {source}")]
    RequestNotMade {
        /// Why.
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
    /// There is no connection to a server.
    #[error("no connection to {target}: {source}")]
    Unreachable {
        /// The server.
        target: Target,
        /// Why.
        source: io::Error,
    },
}
