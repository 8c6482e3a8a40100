//! A server's side of a connection: a ClientHello comes in whole and is answered, Certificate goes out.

use std::any::Any;
use std::sync::Arc;

use quinn_proto::TransportError;
use quinn_proto::crypto::{Keys, Session};
use quinn_proto::transport_parameters::TransportParameters;
use rustls::AlertDescription;
use rustls::pki_types::CertificateDer;

use super::serving::Serving;
use super::session::{Views, alert};
use crate::io::{Gathered, HelloGatherer, Offers};
use crate::server::Served;
use crate::view::client_hello::offer_to_rustls;
use crate::view::stream::ToWire;
use crate::{Error, events};

/// The client of one connection, and what it was served with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Client {
    /// The credential or certificate of this connection.
    pub served: Served,
    /// The chain that the client sent, its own certificate first; empty if it sent none.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// The client of a connection that was accepted with [`server_config`](super::server_config).
///
/// `None` before the ClientHello has arrived, and on any other connection.
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
        let session = serving.start(answer.config, *version, parameters);
        let internal = || rejected((Error::NoQuic, AlertDescription::InternalError));
        *inner = session.ok_or_else(internal)?;
        self.to_wire = match answer.served {
            Served::Delegated { .. } => Some(ToWire::new()),
            Served::Certificate => None,
        };
        self.served = Some(answer.served);
        Ok(())
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

impl Views for ServerViews {
    fn read(&mut self, inner: &mut Box<dyn Session>, bytes: &[u8]) -> Result<bool, TransportError> {
        let Some(hellos) = &mut self.hellos else {
            return inner.read_handshake(bytes);
        };
        match hellos.gatherer.push(bytes) {
            None => Ok(false),
            Some(Gathered::Other(bytes)) => inner.read_handshake(&bytes),
            Some(Gathered::Hello { hello, behind }) => {
                if self.served.is_none() {
                    self.answer(inner, &hello)?;
                }
                let mut heard = self.hear(hello)?;
                heard.extend_from_slice(&behind);
                inner.read_handshake(&heard)
            }
        }
    }

    /// rustls hands over whole messages.
    fn write(&mut self, inner: &mut dyn Session, out: &mut Vec<u8>) -> Option<Keys> {
        let Some(to_wire) = &mut self.to_wire else {
            let keys = inner.write_handshake(out);
            self.after_keys(keys.is_some());
            return keys;
        };
        let mut flight = Vec::new();
        let keys = inner.write_handshake(&mut flight);
        // Only part of a message straddles anything.
        let _ = to_wire.apply(&mut flight);
        out.extend_from_slice(&flight);
        self.after_keys(keys.is_some());
        if !inner.is_handshaking() {
            self.to_wire = None;
        }
        keys
    }

    fn identity(&self, inner: &dyn Session) -> Option<Box<dyn Any>> {
        let certificates = inner.peer_identity().and_then(|any| any.downcast().ok());
        Some(Box::new(Client {
            served: self.served.clone()?,
            certificates: certificates
                .map(|certificates| *certificates)
                .unwrap_or_default(),
        }))
    }
}

impl ServerViews {
    /// Behind a ServerHello, which brings keys, no ClientHello comes any more.
    fn after_keys(&mut self, are_there: bool) {
        if are_there {
            self.hellos = None;
        }
    }
}
