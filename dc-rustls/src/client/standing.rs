//! What a connection has proved about its server, and whether that still holds.

use std::fmt;
use std::sync::Arc;

use dc_core::Error as CredentialError;
use rustls::pki_types::ServerName;
use rustls::time_provider::TimeProvider;

use super::Peer;
use super::authorization::Authorization;
use super::sessions::Sessions;
use crate::{Error, Refusal};

/// The server of one connection, and all that is needed to ask about it again.
pub(super) struct Standing {
    pub(super) wanted: ServerName<'static>,
    pub(super) peer: Arc<Peer>,
    pub(super) clock: Arc<dyn TimeProvider>,
    pub(super) authorization: Authorization,
    pub(super) sessions: Arc<Sessions>,
}

impl Standing {
    /// True if the server is known to be `name`.
    pub(super) fn authenticates(&self, name: &ServerName<'_>) -> bool {
        match &*self.peer {
            Peer::Delegated {
                unique_name: Some(_),
                ..
            } => self.peer.authenticates(name),
            Peer::Certificate | Peer::Delegated { .. } => self.wanted == *name,
        }
    }

    /// Fails if this connection would not be made any more.
    pub(super) fn recheck(&self) -> Result<(), Error> {
        let now = self.clock.current_time();
        let now = now.ok_or(rustls::Error::FailedToGetCurrentTime)?;
        let refusal = match &*self.peer {
            Peer::Delegated { expires, .. } if now > *expires => {
                Refusal::Credential(CredentialError::Expired {
                    now,
                    expiry: *expires,
                })
            }
            peer if !self.authorization.allows(&self.wanted, peer) => Refusal::NotAuthorized,
            Peer::Certificate | Peer::Delegated { .. } => return Ok(()),
        };
        self.sessions.discard(&self.wanted, &self.peer);
        Err(Error::Refused(refusal))
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wanted,
            peer,
            clock: _,
            authorization: _,
            sessions: _,
        } = self;
        f.debug_struct("Standing")
            .field("wanted", wanted)
            .field("peer", peer)
            .finish_non_exhaustive()
    }
}
