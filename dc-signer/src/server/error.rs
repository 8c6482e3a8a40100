//! Errors of the server itself.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A reason that the server cannot be reached, does not log, or has no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The filter of the log cannot be understood.
    #[error(
        "{filter:?} says nothing about what to log: {source}: use a level such as info, or one for each part, as in info,sqlx=warn"
    )]
    BadLogFilter {
        /// The filter.
        filter: String,
        /// The mistake in it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Devices cannot be asked for their credentials.
    #[error("devices cannot be asked for credentials: {source}: see credential_listener.roots")]
    AskForCredentials {
        /// The reason.
        source: dc_rustls::Error,
    },
    /// Devices cannot show their credentials at an address.
    #[error(
        "cannot listen at {address}: {source}: see what else does with 'ss -ltnp', or change credential_listener.address"
    )]
    ListenForCredentials {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// The service cannot be reached at an address.
    #[error(
        "cannot listen at {address}: {source}: see what else does with 'ss -ltnp', or change {setting}"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The key of the configuration that has it.
        setting: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// Nobody can connect to a Unix socket.
    #[error(
        "cannot listen at {}: {source}: see what is there with 'ss -lxp', or change listen.health.unix",
        path.display()
    )]
    ListenAtPath {
        /// The socket.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Something in this process logs already.
    #[error("something in this process logs already: start it once only")]
    LogStarted,
    /// The service's own certificate or its key cannot be used.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// The service's own certificate is one that signs credentials.
    #[error(
        "{} may delegate, and a key that signs credentials must never serve TLS: get another certificate for the service",
        path.display()
    )]
    ServesWithDelegation {
        /// The file with the certificate.
        path: PathBuf,
    },
    /// The TLS stack cannot do what the configuration asks for.
    #[error("TLS cannot be set up as configured: {source}")]
    Tls {
        /// The reason.
        source: rustls::Error,
    },
}
