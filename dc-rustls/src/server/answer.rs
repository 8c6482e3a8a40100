//! Answers to ClientHellos: a configuration, and what was read.

use std::sync::Arc;

use rustls::ServerConfig;

use super::Served;
use super::client_verifier::ConnectionVerifier;
use crate::io::Adapter;

/// The answer to a ClientHello: rustls starts over with all that was read.
pub(crate) struct Answer {
    pub(crate) served: Served,
    pub(crate) config: Arc<ServerConfig>,
    pub(super) received: Vec<u8>,
    /// The verifier that finds out who the client is, if it is asked for a credential.
    pub(crate) client: Option<Arc<ConnectionVerifier>>,
}

impl Answer {
    /// As stock rustls does.
    pub(super) fn stock(config: &Arc<ServerConfig>, received: Vec<u8>) -> Self {
        Self {
            served: Served::Certificate,
            config: Arc::clone(config),
            received,
            client: None,
        }
    }

    /// The socket of the connection, which gives rustls what was read before.
    pub(super) fn adapt<T>(&mut self, io: T) -> Adapter<T> {
        let received = std::mem::take(&mut self.received);
        match self.served {
            Served::Delegated { .. } => Adapter::server(io, &received),
            Served::Certificate => Adapter::stock(io, &received),
        }
    }
}
