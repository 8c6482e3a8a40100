//! The beginning of one connection, blocking or not.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::sessions::ConnectionSessions;

/// A configuration that keeps its sessions with its peer, and the extensions to offer.
pub(crate) struct Beginning {
    pub(crate) rustls: Arc<ClientConfig>,
    pub(crate) sessions: Arc<ConnectionSessions>,
    /// The name, if Encrypted ClientHello hides it.
    pub(crate) hidden: Option<Arc<ServerName<'static>>>,
    pub(crate) name: ServerName<'static>,
    pub(crate) offer: &'static [u8],
}
