//! The log of a listener, as `tracing` events. Without the feature `tracing`, nothing.

#![cfg_attr(not(feature = "tracing"), allow(unused_variables))]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A client did not end its handshake in time.
pub(super) fn handshake_timed_out(client: SocketAddr, after: Duration) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%client, ?after, "did not serve a client: its handshake took too long");
}

/// The system gave a server no connection, which is waited for.
pub(super) fn not_accepted(error: &io::Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%error, "accepted no connection");
}
