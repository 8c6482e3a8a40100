//! `rustls::client::ClientSessionStore`: tickets with the credential that the session was made with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::{ClientSessionKey, ClientSessionStore, Tls12Session, Tls13Session};
use rustls::crypto::kx::NamedGroup;
use rustls::pki_types::UnixTime;

use crate::client::Peer;
use crate::verifier::CredentialVerifier;

/// The tickets of a client, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<Vec<Ticket>>);

#[derive(Debug)]
struct Ticket {
    key: ClientSessionKey<'static>,
    session: Tls13Session,
    peer: Peer,
}

/// What one connection sees of them.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) verifier: Arc<CredentialVerifier>,
    pub(crate) now: UnixTime,
    /// The peer of the session that was offered.
    pub(crate) offered: Mutex<Option<Peer>>,
}

impl Sessions {
    /// The peer that this connection has verified, or that of the session which it goes on with.
    pub(crate) fn peer(&self) -> Peer {
        let offered = lock(&self.offered).clone();
        match (self.verifier.accepted.get(), offered) {
            (Some((credential, _)), _) => Peer::from(credential),
            (None, Some(peer)) => peer,
            (None, None) => Peer::Certificate,
        }
    }

    /// A full handshake has a certificate of its own, whatever session was offered.
    pub(crate) fn forget_offered(&self) {
        lock(&self.offered).take();
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _: ClientSessionKey<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ClientSessionKey<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ClientSessionKey<'static>, _: Tls12Session) {}

    fn tls12_session(&self, _: &ClientSessionKey<'_>) -> Option<Tls12Session> {
        None
    }

    fn remove_tls12_session(&self, _: &ClientSessionKey<'static>) {}

    fn insert_tls13_ticket(&self, key: ClientSessionKey<'static>, session: Tls13Session) {
        let peer = self.peer();
        let mut tickets = lock(&self.tickets.0);
        if tickets.len() == MAX_TICKETS {
            tickets.remove(0);
        }
        tickets.push(Ticket { key, session, peer });
    }

    /// A session ends with the credential that it was made with.
    fn take_tls13_ticket(&self, key: &ClientSessionKey<'static>) -> Option<Tls13Session> {
        let mut tickets = lock(&self.tickets.0);
        tickets.retain(|ticket| ticket.peer.expires().is_none_or(|end| self.now < end));
        let at = tickets.iter().rposition(|ticket| ticket.key == *key)?;
        let Ticket { session, peer, .. } = tickets.remove(at);
        *lock(&self.offered) = Some(peer);
        Some(session)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tickets that a client keeps.
const MAX_TICKETS: usize = 64;
