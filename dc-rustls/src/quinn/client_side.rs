//! A client's side of a connection: hellos go out with the offer, Certificate comes in.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use quinn_proto::TransportError;
use quinn_proto::crypto::{Keys, Session};
use rustls::AlertDescription;
use rustls::pki_types::{CertificateDer, ServerName};

use super::session::{Views, alert, read};
use crate::client::Peer;
use crate::client::sessions::ConnectionSessions;
use crate::client::standing::Standing;
use crate::view::client_hello::hellos_to_wire;
use crate::view::request::RequestWatch;
use crate::view::stream::ToRustls;
use crate::view::to_server::certificates_to_server;
use crate::{Error, Refusal, events, handover};

/// The server of one connection.
#[derive(Clone)]
pub struct Server {
    standing: Arc<Standing>,
    certificates: Vec<CertificateDer<'static>>,
}

/// The server of a connection that was made with [`client_config`](super::client_config).
///
/// `None` before it is known, and on any other connection. Where early data is sent it is known at once: it is
/// whom the session was made with. If the server then does not take the session, the handshake says anew who it
/// is, so ask again once it is over.
#[must_use]
pub fn server(connection: &::quinn::Connection) -> Option<Server> {
    let identity = connection.peer_identity()?.downcast().ok()?;
    Some(*identity)
}

impl Server {
    /// The server that answered; on a resumed connection, the one that the session was made with.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        self.standing.peer()
    }

    /// True if the server has proved to be `name`: what to ask before anything meant for that name is sent on
    /// this connection, as [`Stream::authenticates`](crate::client::Stream::authenticates).
    #[must_use]
    pub fn authenticates(&self, name: &ServerName<'_>) -> bool {
        self.standing.authenticates(name)
    }

    /// Asks again whether this connection would be made now, as
    /// [`Stream::recheck`](crate::client::Stream::recheck), which says when it fails.
    pub fn recheck(&self) -> Result<(), Error> {
        self.standing.recheck()
    }

    /// The chain that the server sent, the delegation certificate first: the vendor's, so it does not say which
    /// device this is.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            standing,
            certificates: _,
        } = self;
        f.debug_struct("Server")
            .field("standing", standing)
            .finish_non_exhaustive()
    }
}

/// The views of one connection.
pub(super) struct ClientViews {
    wanted: ServerName<'static>,
    sessions: Arc<ConnectionSessions>,
    /// Until all of it is written: who the server is may be known before what the client presents has left.
    handshake: Option<Handshake>,
    /// The server, once the handshake is over.
    standing: Option<Arc<Standing>>,
}

/// All that is needed while there is one.
struct Handshake {
    offer: &'static [u8],
    to_rustls: ToRustls,
    requests: RequestWatch,
}

impl Handshake {
    /// Gives rustls what the server sent.
    fn read(
        &mut self,
        inner: &mut dyn Session,
        bytes: &[u8],
        wanted: &ServerName<'_>,
    ) -> Result<bool, TransportError> {
        let refused = |alert, reason: &str| events::refused(wanted, alert, &reason);
        let mut rustls = bytes.to_vec();
        self.to_rustls.apply(&mut rustls).map_err(|error| {
            let refusal = Refusal::from(error);
            let reason = refusal.to_string();
            refused(refusal.alert(), &reason);
            alert(refusal.alert(), reason)
        })?;
        handover::leave_originals(self.to_rustls.take_originals());
        if let Some(request) = self.requests.push(&rustls) {
            handover::leave_request(request);
        }
        read(inner, &rustls, refused)
    }

    /// Hellos and Certificate as they go to the server. rustls hands over whole messages.
    fn to_wire(&self, messages: &[u8]) -> Vec<u8> {
        let mut wire = hellos_to_wire(messages, self.offer).into_owned();
        certificates_to_server(&mut wire);
        wire
    }
}

impl ClientViews {
    pub(super) fn new(
        wanted: ServerName<'static>,
        sessions: Arc<ConnectionSessions>,
        offer: &'static [u8],
    ) -> Self {
        Self {
            wanted,
            sessions,
            handshake: Some(Handshake {
                offer,
                to_rustls: ToRustls::new(),
                requests: RequestWatch::default(),
            }),
            standing: None,
        }
    }

    /// Settles who the server is, if the handshake is over.
    fn settle(&mut self, inner: &dyn Session) -> Result<(), TransportError> {
        if self.standing.is_some() || inner.is_handshaking() {
            return Ok(());
        }
        let settled = Standing::settle(Arc::clone(&self.sessions), self.wanted.clone());
        let internal = |error: Error| alert(AlertDescription::InternalError, error.to_string());
        self.standing = Some(Arc::new(settled.map_err(internal)?));
        Ok(())
    }

    /// The server, or whom the session was made with that early data goes out under.
    fn standing(&self, inner: &dyn Session) -> Option<Arc<Standing>> {
        if let Some(standing) = &self.standing {
            return Some(Arc::clone(standing));
        }
        inner.early_crypto()?;
        let so_far = Standing::so_far(Arc::clone(&self.sessions), self.wanted.clone())?;
        Some(Arc::new(so_far))
    }
}

impl Views for ClientViews {
    fn read(&mut self, inner: &mut Box<dyn Session>, bytes: &[u8]) -> Result<bool, TransportError> {
        let (read, peer) = handover::scope(|| match &mut self.handshake {
            Some(handshake) => handshake.read(inner.as_mut(), bytes, &self.wanted),
            None => read(inner.as_mut(), bytes, |_, _| {}),
        });
        self.sessions.found(peer);
        let read = read?;
        self.settle(inner.as_ref())?;
        Ok(read)
    }

    fn write(&mut self, inner: &mut dyn Session, out: &mut Vec<u8>) -> Option<Keys> {
        let Some(handshake) = &self.handshake else {
            return inner.write_handshake(out);
        };
        let mut rustls = Vec::new();
        let keys = inner.write_handshake(&mut rustls);
        out.extend_from_slice(&handshake.to_wire(&rustls));
        if self.standing.is_some() && rustls.is_empty() {
            self.handshake = None;
        }
        keys
    }

    fn identity(&self, inner: &dyn Session) -> Option<Box<dyn Any>> {
        let standing = self.standing(inner)?;
        let certificates = inner.peer_identity().and_then(|any| any.downcast().ok());
        Some(Box::new(Server {
            standing,
            certificates: certificates
                .map(|certificates| *certificates)
                .unwrap_or_default(),
        }))
    }
}
