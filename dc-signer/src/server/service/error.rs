//! Errors of starting, reloading and stopping a service.

use std::io;

use crate::{authority, checkpoints, config, server};

/// A reason that the service does not start, or that a reload changes nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The signer cannot work.
    #[error(transparent)]
    Authority(#[from] authority::Error),
    /// No checkpoints can be signed.
    #[error(transparent)]
    Checkpoints(#[from] checkpoints::Error),
    /// There is no configuration.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A file or the clock is not as it must be.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// The server cannot be reached, does not log, or has no TLS.
    #[error(transparent)]
    Server(#[from] server::Error),
    /// The process cannot be told to stop.
    #[error("cannot listen for signals: {source}")]
    Signals {
        /// The reason.
        source: io::Error,
    },
    /// The database does not do what it should.
    #[error(transparent)]
    Store(#[from] dc_store::Error),
}
