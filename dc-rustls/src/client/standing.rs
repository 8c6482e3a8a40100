//! The name that a connection has proved of its server, and whether that still holds.

use std::fmt;
use std::sync::Arc;

use dc_core::is_same_reference;
use rustls::pki_types::ServerName;

use super::Peer;
use super::sessions::ConnectionSessions;
use crate::Error;

/// The server of one connection, and all that is needed to ask about it again.
pub(crate) struct Standing {
    wanted: ServerName<'static>,
    peer: Arc<Peer>,
    sessions: Arc<ConnectionSessions>,
}

impl Standing {
    /// The outcome of a handshake that was made to reach `wanted`.
    ///
    /// Fails with [`Error::PeerUnknown`], which is a bug.
    pub(crate) fn settle(
        sessions: Arc<ConnectionSessions>,
        wanted: ServerName<'static>,
    ) -> Result<Self, Error> {
        Ok(Self {
            wanted,
            peer: sessions.settle()?,
            sessions,
        })
    }

    /// The server as far as it is known before the end of the handshake: whom the session was made with that
    /// early data is sent under.
    pub(crate) fn so_far(
        sessions: Arc<ConnectionSessions>,
        wanted: ServerName<'static>,
    ) -> Option<Self> {
        Some(Self {
            wanted,
            peer: sessions.so_far()?,
            sessions,
        })
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// True if the server is known to be `name`.
    pub(crate) fn authenticates(&self, name: &ServerName<'_>) -> bool {
        proves(&self.peer, &self.wanted, name)
    }

    /// Fails if this connection would not be made any more.
    pub(crate) fn recheck(&self) -> Result<(), Error> {
        self.sessions.recheck(&self.wanted, &self.peer)
    }
}

/// True if `peer`, who was verified for `wanted`, is known to be `name`.
pub(super) fn proves(peer: &Peer, wanted: &ServerName<'_>, name: &ServerName<'_>) -> bool {
    match peer {
        Peer::Delegated {
            unique_name: Some(_),
            ..
        } => peer.authenticates(name),
        Peer::Certificate | Peer::Delegated { .. } => is_same_reference(wanted, name),
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wanted,
            peer,
            sessions: _,
        } = self;
        f.debug_struct("Standing")
            .field("wanted", wanted)
            .field("peer", peer)
            .finish_non_exhaustive()
    }
}
