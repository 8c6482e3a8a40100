//! Record protection of the sides that know of client credentials.
//!
//! Only the first record of a flight is ever changed: the stores and policies see to it that what has to be changed
//! is in there.

use rustls::crypto::cipher::{
    InboundOpaqueMessage, InboundPlainMessage, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundOpaqueMessage, OutboundPlainMessage,
};
use rustls::{ContentType, Error};

use super::encrypt_with_alert;
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
        let message = OutboundPlainMessage {
            typ: message.typ,
            version: message.version,
            payload: OutboundChunks::Single(&payload),
        };
        self.inner.encrypt(message, seq)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.inner.encrypted_payload_len(payload_len)
    }
}

/// The decrypter of a server that asks: the client's Certificate from wire to rustls.
pub(super) struct ClientCertificateDecrypter {
    inner: Box<dyn MessageDecrypter>,
    /// Gone after the first record of application data.
    handshake: Option<Handshake>,
}

struct Handshake {
    from_client: FromClient,
    scratch: Vec<u8>,
    mapped: Vec<u8>,
}

impl ClientCertificateDecrypter {
    pub(super) fn new(inner: Box<dyn MessageDecrypter>) -> Self {
        Self {
            inner,
            handshake: Some(Handshake {
                from_client: FromClient::new(),
                scratch: Vec::new(),
                mapped: Vec::new(),
            }),
        }
    }
}

impl MessageDecrypter for ClientCertificateDecrypter {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let Some(handshake) = &mut self.handshake else {
            return self.inner.decrypt(message, seq);
        };
        let plain = handshake.decrypt(self.inner.as_mut(), message, seq)?;
        if plain.typ == ContentType::ApplicationData {
            self.handshake = None;
        }
        Ok(plain)
    }
}

impl Handshake {
    /// Decrypts a copy, and puts what it becomes into the record.
    ///
    /// A record may get two bytes longer than its plaintext was. There is room for them where the tag and the inner
    /// content type were, 17 bytes of every record.
    fn decrypt<'a>(
        &mut self,
        inner: &mut dyn MessageDecrypter,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let Self {
            from_client,
            scratch,
            mapped,
        } = self;
        scratch.clear();
        scratch.extend_from_slice(&message.payload);
        let copy = InboundOpaqueMessage::new(message.typ, message.version, scratch);
        let InboundPlainMessage {
            typ,
            version,
            payload,
        } = inner.decrypt(copy, seq)?;
        mapped.clear();
        match typ {
            ContentType::Handshake => from_client.apply(payload, mapped),
            _ => mapped.extend_from_slice(payload),
        }
        if mapped.len() > message.payload.len() {
            return Err(Error::General("a record without a tag".to_owned()));
        }
        message.payload.truncate(mapped.len());
        message.payload.copy_from_slice(mapped);
        Ok(InboundPlainMessage {
            typ,
            version,
            payload: message.into_plain_message().payload,
        })
    }
}
