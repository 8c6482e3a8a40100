//! Record protection of the sides that know of client credentials.
//!
//! Only the first record of a flight is ever changed: the stores and policies see to it that what has to be changed
//! is in there.

use rustls::crypto::cipher::{
    InboundOpaqueMessage, MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage,
};
use rustls::{ContentType, Error};

use super::inbound::Inbound;
use super::{encrypt_changed, encrypt_with_alert};
use crate::handover;
use crate::view::from_client::FromClient;
use crate::view::request::requests_to_wire;
use crate::view::stream::ToWire;
use crate::view::to_server::certificate_to_server;

/// The encrypter of a client that may present a credential, or of a server that asks for one.
pub(super) struct ClientAuthEncrypter {
    inner: Box<dyn MessageEncrypter>,
    outbound: Outbound,
}

/// The messages that are still to be changed.
enum Outbound {
    /// A client's Certificate.
    Certificate,
    /// A server's CertificateRequest, and its Certificate if it has a credential.
    Request {
        offer: &'static [u8],
        to_wire: Option<ToWire>,
        is_first: bool,
    },
    /// There are no more.
    Over,
}

impl ClientAuthEncrypter {
    pub(super) fn presenting(inner: Box<dyn MessageEncrypter>) -> Self {
        Self {
            inner,
            outbound: Outbound::Certificate,
        }
    }

    pub(super) fn asking(
        inner: Box<dyn MessageEncrypter>,
        offer: &'static [u8],
        has_credential: bool,
    ) -> Self {
        Self {
            inner,
            outbound: Outbound::Request {
                offer,
                to_wire: has_credential.then(ToWire::new),
                is_first: true,
            },
        }
    }
}

impl Outbound {
    /// Changes the handshake bytes of the next record.
    fn apply(&mut self, handshake: &mut [u8]) {
        match self {
            Self::Certificate => {
                certificate_to_server(handshake);
                *self = Self::Over;
            }
            Self::Request {
                offer,
                to_wire,
                is_first,
            } => {
                if std::mem::take(is_first) {
                    requests_to_wire(handshake, offer);
                }
                if let Some(to_wire) = to_wire {
                    // As for a server that does not ask: see `CertificateEncrypter`.
                    let _ = to_wire.apply(handshake);
                }
            }
            Self::Over => {}
        }
    }
}

impl MessageEncrypter for ClientAuthEncrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        if message.typ == ContentType::ApplicationData {
            self.outbound = Outbound::Over;
        }
        if message.typ != ContentType::Handshake || matches!(self.outbound, Outbound::Over) {
            return encrypt_with_alert(self.inner.as_mut(), message, seq);
        }
        let mut payload = message.payload.to_vec();
        self.outbound.apply(&mut payload);
        encrypt_changed(self.inner.as_mut(), &message, &payload, seq)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.inner.encrypted_payload_len(payload_len)
    }
}

/// The messages that a server that asks receives: the client's Certificate from wire to rustls.
pub(super) struct ClientCertificate {
    from_client: FromClient,
    mapped: Vec<u8>,
}

impl ClientCertificate {
    pub(super) fn new() -> Self {
        Self {
            from_client: FromClient::new(),
            mapped: Vec::new(),
        }
    }
}

impl Inbound for ClientCertificate {
    /// A record may get two bytes longer than its plaintext was. There is room for them where the tag and the inner
    /// content type were, 17 bytes of every record.
    fn put(
        &mut self,
        typ: ContentType,
        plain: &[u8],
        record: &mut InboundOpaqueMessage<'_>,
    ) -> Result<(), Error> {
        let Self {
            from_client,
            mapped,
        } = self;
        mapped.clear();
        match typ {
            ContentType::Handshake => {
                from_client.apply(plain, mapped);
                handover::leave_originals(from_client.take_originals());
            }
            _ => mapped.extend_from_slice(plain),
        }
        if mapped.len() > record.payload.len() {
            return Err(Error::General("a record without a tag".to_owned()));
        }
        record.payload.truncate(mapped.len());
        record.payload.copy_from_slice(mapped);
        Ok(())
    }
}
