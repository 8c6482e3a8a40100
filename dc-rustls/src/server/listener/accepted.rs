//! One client as the application gets to know it.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::server::{AsyncStream, Peer, Served};

/// A client: its address, its identity, whom it wanted to reach, and what it was served with. `ConnectInfo` for handlers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Accepted {
    /// The client's address and port.
    pub address: SocketAddr,
    /// The credential, with its unique name, or the certificate.
    pub served: Served,
    /// The client, if it has presented a certificate, as [`AsyncStream::peer`] says it.
    pub peer: Option<Arc<Peer>>,
    /// The name in the client's server_name, in lower case, if it sent one.
    pub server_name: Option<String>,
}

impl Accepted {
    /// The client of this connection, which comes from `address`.
    #[must_use]
    pub fn new<T>(stream: &AsyncStream<T>, address: SocketAddr) -> Self {
        Self {
            address,
            served: stream.served().clone(),
            peer: stream.shared_peer(),
            server_name: stream.connection().server_name().map(Into::into),
        }
    }
}
