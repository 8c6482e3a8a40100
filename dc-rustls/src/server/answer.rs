//! Answers to ClientHellos: a configuration, and what was read.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Accepted;

use super::Served;
use super::client_verifier::ConnectionVerifier;
use super::greeting::{Beginning, Hello};
use crate::io::Adapter;

/// The answer to a ClientHello.
pub(crate) struct Answer {
    pub(crate) served: Served,
    pub(crate) config: Arc<ServerConfig>,
    /// The verifier that finds out who the client is, if it is asked for a credential.
    pub(crate) client: Option<Arc<ConnectionVerifier>>,
    pub(super) beginning: Beginning,
}

/// The configuration of a connection, with its verifier of clients if that is for this connection only.
pub(super) type Configured = (Arc<ServerConfig>, Option<Arc<ConnectionVerifier>>);

impl Answer {
    pub(super) fn new(served: Served, (config, client): Configured, hello: Hello) -> Self {
        let has_credential = matches!(served, Served::Delegated { .. });
        Self {
            beginning: hello.begin(&config, has_credential),
            served,
            config,
            client,
        }
    }

    /// As stock rustls answers what was read.
    pub(super) fn over(config: Arc<ServerConfig>, received: Vec<u8>) -> Self {
        Self {
            served: Served::Certificate,
            config,
            client: None,
            beginning: Beginning::Over(received),
        }
    }
}

impl Beginning {
    /// The same without what rustls has accepted.
    pub(super) fn over(self) -> Self {
        match self {
            Self::Accepted { record, .. } => Self::Over(record),
            Self::Over(received) => Self::Over(received),
        }
    }

    /// The socket of the connection, and the hello if rustls has read it; else it reads that from the socket.
    pub(super) fn adapt<T>(self, served: &Served, io: T) -> (Option<Box<Accepted>>, Adapter<T>) {
        let has_credential = matches!(served, Served::Delegated { .. });
        match self {
            Self::Accepted { accepted, record } => {
                let io = Adapter::after_hello(io, has_credential, record);
                (Some(accepted), io)
            }
            Self::Over(received) if has_credential => (None, Adapter::server(io, &received)),
            Self::Over(received) => (None, Adapter::stock(io, &received)),
        }
    }
}
