//! Errors of probing.

use std::io;

use super::handshake::HandshakeError;
use super::target::Target;

/// A reason that a server was not probed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A server did not get as far as a handshake.
    #[error("{target}: {source}")]
    NoHandshake {
        /// The server.
        target: Target,
        /// The reason.
        source: HandshakeError,
    },
    /// The client that should probe a server could not be made.
    #[error("cannot make a TLS client: {source}")]
    NotMade {
        /// The reason.
        source: dc_rustls::Error,
    },
    /// There is no connection to a server.
    #[error("no connection to {target}: {source}")]
    Unreachable {
        /// The server.
        target: Target,
        /// The reason.
        source: io::Error,
    },
}
