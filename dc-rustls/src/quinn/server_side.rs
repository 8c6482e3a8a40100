//! A server's side of a connection: a ClientHello comes in whole and is answered, Certificate goes out.

use std::any::Any;
use std::sync::Arc;

use quinn_proto::TransportError;
use quinn_proto::crypto::{Keys, Session};
use quinn_proto::transport_parameters::TransportParameters;
use rustls::AlertDescription;
use rustls::pki_types::CertificateDer;

use super::serving::Serving;
use super::session::{Views, alert, read};
use crate::io::{Gathered, HelloGatherer, Offers};
use crate::server::answer::Answer;
use crate::server::{ConnectionVerifier, Peer, Served};
use crate::view::client_hello::offer_to_rustls;
use crate::view::from_client::FromClient;
use crate::view::ignored::Originals;
use crate::view::presented::is_extension_entry;
use crate::view::request::requests_to_wire;
use crate::view::stream::ToWire;
use crate::{Error, events, handover};

/// The client of one connection, and what it was served with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Client {
    /// The credential or certificate of this connection.
    pub served: Served,
    /// The client, if it has presented a certificate, as [`Stream::peer`](crate::server::Stream::peer); on a resumed
    /// connection, the one that the session was made with.
    pub peer: Option<Arc<Peer>>,
    /// The chain that the client sent, its own certificate first; empty if it sent none.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// The client of a connection that was accepted with [`server_config`](super::server_config).
///
/// `None` before the client is known, and on any other connection. A client is known when the handshake is over, or
/// before that if early data is taken from it: as whom the session was made with. So a server that sends before the
/// handshake is over, with [`Connecting::into_0rtt`](::quinn::Connecting::into_0rtt), sends to whoever it may be.
#[must_use]
pub fn client(connection: &::quinn::Connection) -> Option<Client> {
    let identity = connection.peer_identity()?.downcast().ok()?;
    Some(*identity)
}

/// The views of one connection.
pub(super) struct ServerViews {
    serving: Arc<Serving>,
    version: u32,
    parameters: TransportParameters,
    /// While a ClientHello may come.
    hellos: Option<Hellos>,
    served: Option<Served>,
    /// Maps what goes to a client that is served with a credential.
    to_wire: Option<ToWire>,
    /// Of a client that is asked for a credential.
    asked: Option<Asked>,
}

struct Asked {
    verifier: Arc<ConnectionVerifier>,
    from_client: FromClient,
}

#[derive(Default)]
struct Hellos {
    gatherer: HelloGatherer,
    /// From the first ClientHello on.
    offers: Option<Offers>,
}

impl ServerViews {
    pub(super) fn new(
        serving: Arc<Serving>,
        version: u32,
        parameters: TransportParameters,
    ) -> Self {
        Self {
            serving,
            version,
            parameters,
            hellos: Some(Hellos::default()),
            served: None,
            to_wire: None,
            asked: None,
        }
    }

    /// Picks the session that answers the first ClientHello.
    fn answer(&mut self, inner: &mut Box<dyn Session>, hello: &[u8]) -> Result<(), TransportError> {
        let Self {
            serving,
            version,
            parameters,
            ..
        } = self;
        let rejected = |(error, description): (Error, AlertDescription)| {
            events::not_served(&error);
            // The client can read a reason, and ours may have the name that is kept from it.
            alert(description, String::new())
        };
        let answer = serving.acceptor.answer_hello(hello).map_err(rejected)?;
        let Answer {
            served,
            config,
            client,
            ..
        } = answer;
        let session = serving.start(config, *version, parameters);
        let internal = || rejected((Error::NoQuic, AlertDescription::InternalError));
        *inner = session.ok_or_else(internal)?;
        self.to_wire = match served {
            Served::Delegated { .. } => Some(ToWire::new()),
            Served::Certificate => None,
        };
        self.asked = client.map(|verifier| Asked {
            verifier,
            from_client: FromClient::new(),
        });
        self.served = Some(served);
        Ok(())
    }

    /// Gives rustls what the client sent after the ServerHello.
    fn read_behind_hellos(
        &mut self,
        inner: &mut dyn Session,
        bytes: &[u8],
    ) -> Result<bool, TransportError> {
        let Some(asked) = &mut self.asked else {
            return step(inner, bytes, Originals::default());
        };
        let mut rustls = Vec::with_capacity(bytes.len());
        asked.from_client.apply(bytes, &mut rustls);
        if rustls.is_empty() {
            // What has arrived leaves with what is behind it.
            return Ok(false);
        }
        step(inner, &rustls, asked.from_client.take_originals())
    }

    /// A ClientHello as rustls is to see it.
    fn hear(&mut self, mut hello: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        let has_credential = self.to_wire.is_some();
        if let Some(hellos) = &mut self.hellos {
            let offers = hellos.offers.get_or_insert_with(|| match has_credential {
                true => Offers::for_credential(),
                false => Offers::for_stock(),
            });
            offers.see(&hello);
            if offers.is_changed() {
                events::not_served(&Error::OfferChanged);
                return Err(alert(AlertDescription::IllegalParameter, String::new()));
            }
        }
        if has_credential {
            offer_to_rustls(&mut hello);
        }
        Ok(hello)
    }
}

/// Gives rustls what the client sent, with the blocks that were ignored in it.
fn step(
    inner: &mut dyn Session,
    bytes: &[u8],
    originals: Originals,
) -> Result<bool, TransportError> {
    let (read, _) = handover::scope(|| {
        handover::leave_originals(originals);
        read(inner, bytes, |_, _| {})
    });
    read.inspect_err(|error| events::not_served_for(&error.reason))
}

impl Views for ServerViews {
    fn read(&mut self, inner: &mut Box<dyn Session>, bytes: &[u8]) -> Result<bool, TransportError> {
        let Some(hellos) = &mut self.hellos else {
            return self.read_behind_hellos(inner.as_mut(), bytes);
        };
        match hellos.gatherer.push(bytes) {
            None => Ok(false),
            Some(Gathered::Other(bytes)) => step(inner.as_mut(), &bytes, Originals::default()),
            Some(Gathered::Hello { hello, behind }) => {
                if self.served.is_none() {
                    self.answer(inner, &hello)?;
                }
                let mut heard = self.hear(hello)?;
                heard.extend_from_slice(&behind);
                step(inner.as_mut(), &heard, Originals::default())
            }
        }
    }

    /// rustls hands over whole messages.
    fn write(&mut self, inner: &mut dyn Session, out: &mut Vec<u8>) -> Option<Keys> {
        let mut flight = Vec::new();
        let keys = inner.write_handshake(&mut flight);
        if let Some(asked) = &self.asked {
            requests_to_wire(&mut flight, asked.verifier.extensions());
        }
        if let Some(to_wire) = &mut self.to_wire {
            // Only part of a message straddles anything.
            let _ = to_wire.apply(&mut flight);
        }
        out.extend_from_slice(&flight);
        // Behind a ServerHello, which brings keys, no ClientHello comes any more.
        if keys.is_some() {
            self.hellos = None;
        }
        if !inner.is_handshaking() {
            self.to_wire = None;
        }
        keys
    }

    fn identity(&self, inner: &dyn Session) -> Option<Box<dyn Any>> {
        let is_known = !inner.is_handshaking() || inner.early_crypto().is_some();
        let served = self.served.clone().filter(|_| is_known)?;
        let certificates = inner.peer_identity().and_then(|any| any.downcast().ok());
        let certificates: Option<Box<Vec<CertificateDer<'static>>>> = certificates;
        let peer = match &self.asked {
            Some(asked) => asked.verifier.peer(),
            None => certificates.as_ref().map(|_| Arc::new(Peer::Certificate)),
        };
        let mut certificates = *certificates.unwrap_or_default();
        certificates.retain(|entry| !is_extension_entry(entry));
        Some(Box::new(Client {
            served,
            peer,
            certificates,
        }))
    }
}
