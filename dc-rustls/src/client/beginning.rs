//! The beginning of one connection, blocking or not.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::sessions::ConnectionSessions;

/// A configuration that keeps its sessions with its peer, and the extensions to offer.
pub(super) struct Beginning {
    pub(super) rustls: Arc<ClientConfig>,
    pub(super) sessions: Arc<ConnectionSessions>,
    pub(super) name: ServerName<'static>,
    pub(super) offer: &'static [u8],
}
