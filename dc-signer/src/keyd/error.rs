//! Reasons that the signing process does not start.

use std::io;
use std::path::PathBuf;

/// A reason that the signing process does not start, or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint that was signed last is another log's, or not by this key.
    #[error(
        "{} is not by the key and for the log of the configuration: {source}: put the old ones back, or move the file away if a new log begins",
        .path.display()
    )]
    BadCheckpoint {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: dc_evidence::Error,
    },
    /// The key of checkpoints is of another type, or the log's name cannot be one.
    #[error("checkpoints cannot be signed: {0}")]
    BadCheckpointKey(&'static str),
    /// The log of what was signed was changed.
    #[error(
        "{}, line {line}: it does not follow the one before, so somebody has changed the file: keep it as evidence, and move it away",
        .path.display()
    )]
    BrokenLog {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The configuration names nobody who may ask, or no zone.
    #[error(
        "nothing could be signed for anybody: the configuration needs at least one table [[{table}]]"
    )]
    Missing {
        /// The table.
        table: &'static str,
    },
    /// Another process uses the folder or the socket.
    #[error("{} is in use: stop the other signing process first", .path.display())]
    InUse {
        /// The folder or the socket.
        path: PathBuf,
    },
    /// It cannot listen for callers on other machines.
    #[error(
        "cannot listen at {address}: {source}: change listen.address, or stop what has that port"
    )]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// Something with files or keys.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// Something with the certificates of this side and its callers.
    #[error(transparent)]
    Tls(#[from] dc_pki::keyd::TlsError),
    /// There is no such user or group on this machine.
    #[error(
        "there is no {what} called {name} on this machine: make it, or correct the configuration"
    )]
    Unknown {
        /// A user or a group.
        what: &'static str,
        /// The name.
        name: String,
    },
}
