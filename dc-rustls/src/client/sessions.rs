//! `rustls::client::ClientSessionStore`: sessions that remember whom they are with and end with its
//! credential.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::time_provider::TimeProvider;

use super::Peer;
use super::authorization::Authorization;
use crate::{Error, Refusal, handover};

/// The sessions of one configuration, by server name.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Names>);

#[derive(Default)]
struct Names {
    servers: HashMap<ServerName<'static>, Server>,
    /// The names of `servers`, the oldest first.
    order: VecDeque<ServerName<'static>>,
}

#[derive(Default)]
struct Server {
    group: Option<NamedGroup>,
    tickets: VecDeque<Ticket>,
}

struct Ticket {
    value: Tls13ClientSessionValue,
    peer: Arc<Peer>,
    protocol: Protocol,
}

/// The application protocol of a session, if there is one; empty until the handshake is over that has made it.
pub(super) type Protocol = Arc<OnceLock<Option<Vec<u8>>>>;

impl Names {
    fn server(&mut self, name: ServerName<'static>) -> &mut Server {
        if !self.servers.contains_key(&name) {
            if self.order.len() >= MAX_SERVERS
                && let Some(oldest) = self.order.pop_front()
            {
                self.servers.remove(&oldest);
            }
            self.order.push_back(name.clone());
        }
        self.servers.entry(name).or_default()
    }
}

impl Sessions {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest ticket for this server, once.
    fn pop_ticket(&self, name: &ServerName<'static>) -> Option<Ticket> {
        self.names().servers.get_mut(name)?.tickets.pop_back()
    }

    /// Forgets the sessions with this peer.
    fn discard(&self, name: &ServerName<'static>, peer: &Peer) {
        if let Some(server) = self.names().servers.get_mut(name) {
            server.tickets.retain(|ticket| *ticket.peer != *peer);
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// One connection's view of the sessions: it knows whom the connection is with.
pub(crate) struct ConnectionSessions {
    shared: Arc<Sessions>,
    clock: Arc<dyn TimeProvider>,
    authorization: Authorization,
    peer: Mutex<Known>,
    protocol: Protocol,
}

/// The peer of a connection, as far as it is known.
#[derive(Default)]
struct Known {
    peer: Option<Arc<Peer>>,
    /// True if the handshake is over, so that this does not change any more.
    is_final: bool,
    /// The protocol of the session that the connection begins with.
    resumed: Option<Protocol>,
}

impl ConnectionSessions {
    pub(super) fn new(
        shared: Arc<Sessions>,
        clock: Arc<dyn TimeProvider>,
        authorization: Authorization,
    ) -> Self {
        Self {
            shared,
            clock,
            authorization,
            peer: Mutex::default(),
            protocol: Protocol::default(),
        }
    }

    /// Remembers what a step of the handshake found out.
    pub(crate) fn found(&self, peer: Option<Arc<Peer>>) {
        if peer.is_some() {
            self.known().peer = peer;
        }
    }

    /// The connection's peer, as far as it is known.
    pub(super) fn so_far(&self) -> Option<Arc<Peer>> {
        self.known().peer.clone()
    }

    /// The application protocol of the session that the connection begins with; `None` if it begins with none, or if that is
    /// not known.
    pub(super) fn resumed_protocol(&self) -> Option<Option<Vec<u8>>> {
        self.known().resumed.as_ref()?.get().cloned()
    }

    /// Remembers what the handshake has agreed on, for the sessions that it makes.
    pub(super) fn agreed_on(&self, protocol: Option<&[u8]>) {
        self.protocol.get_or_init(|| protocol.map(<[u8]>::to_vec));
    }

    /// The connection's peer, now that the handshake is over: the one that was verified, or that the resumed
    /// session was made with.
    ///
    /// Fails with [`Error::PeerUnknown`], which is a bug.
    pub(super) fn settle(&self) -> Result<Arc<Peer>, Error> {
        let mut known = self.known();
        known.is_final = true;
        known.peer.clone().ok_or(Error::PeerUnknown)
    }

    /// Fails if a connection that was made for `wanted` to this peer would not be made now. The sessions with the
    /// peer are forgotten then.
    pub(super) fn recheck(&self, wanted: &ServerName<'static>, peer: &Peer) -> Result<(), Error> {
        let now = self.clock.current_time();
        let now = now.ok_or(rustls::Error::FailedToGetCurrentTime)?;
        let refusal = match *peer {
            Peer::Delegated { expires, .. } if now > expires => {
                Refusal::Credential(dc_core::Error::Expired {
                    now,
                    expiry: expires,
                })
            }
            Peer::Certificate | Peer::Delegated { .. } => {
                match self.authorization.check(wanted, peer, now) {
                    Ok(()) => return Ok(()),
                    Err(refusal) => refusal,
                }
            }
        };
        self.shared.discard(wanted, peer);
        Err(Error::Refused(refusal))
    }

    /// The connection's peer. In the very step that verifies the peer only the cell knows; after the
    /// handshake the cell is that of another connection, if this one is read from in a step of that.
    fn peer(&self) -> Option<Arc<Peer>> {
        let known = self.known();
        match known.is_final {
            true => known.peer.clone(),
            false => handover::peer().or_else(|| known.peer.clone()),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for ConnectionSessions {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.shared.names().server(server_name).group = Some(group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.shared.names().servers.get(server_name)?.group
    }

    // Sessions below TLS 1.3 are not kept: no credential is behind them.
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        value: Tls13ClientSessionValue,
    ) {
        let Some(peer) = self.peer() else {
            return;
        };
        let mut names = self.shared.names();
        let tickets = &mut names.server(server_name).tickets;
        if tickets.len() >= MAX_TICKETS {
            tickets.pop_front();
        }
        tickets.push_back(Ticket {
            value,
            peer,
            protocol: Arc::clone(&self.protocol),
        });
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        let now = self.clock.current_time()?;
        loop {
            // The application is asked without the lock held: it may well connect elsewhere.
            let Ticket {
                value,
                peer,
                protocol,
            } = self.shared.pop_ticket(server_name)?;
            // RFC 9345 §7.4: a session does not outlive the credential it was made under, nor what the
            // application thinks of the peer, nor the peer's name.
            let check = || self.authorization.check(server_name, &peer, now);
            if peer.is_valid_at(now) && check().is_ok() {
                let mut known = self.known();
                known.peer = Some(peer);
                known.resumed = Some(protocol);
                return Some(value);
            }
        }
    }
}

impl fmt::Debug for ConnectionSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSessions").finish_non_exhaustive()
    }
}

const MAX_SERVERS: usize = 256;
const MAX_TICKETS: usize = 8;
