//! A decrypter that maps the handshake messages of a peer, from the wire to rustls.

use rustls::crypto::cipher::{InboundOpaqueMessage, InboundPlainMessage, MessageDecrypter};
use rustls::{ContentType, Error};

/// The mapping of what a peer sends.
pub(super) trait Inbound: Send + Sync {
    /// Puts what a plaintext becomes into its record.
    fn put(
        &mut self,
        typ: ContentType,
        plain: &[u8],
        record: &mut InboundOpaqueMessage<'_>,
    ) -> Result<(), Error>;
}

/// A decrypter whose plaintexts are mapped.
pub(super) struct MappingDecrypter<M> {
    inner: Box<dyn MessageDecrypter>,
    /// Gone after the first record of application data: bulk data passes untouched. Nothing else ends it, for a
    /// warning may come in front of Certificate.
    handshake: Option<Handshake<M>>,
}

struct Handshake<M> {
    mapping: M,
    scratch: Vec<u8>,
}

impl<M> MappingDecrypter<M> {
    pub(super) fn new(inner: Box<dyn MessageDecrypter>, mapping: M) -> Self {
        Self {
            inner,
            handshake: Some(Handshake {
                mapping,
                scratch: Vec::new(),
            }),
        }
    }
}

impl<M: Inbound> MessageDecrypter for MappingDecrypter<M> {
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

impl<M: Inbound> Handshake<M> {
    /// `decrypt` returns a shared borrow of the record, so it works on a copy, and what is made of
    /// that is copied back.
    fn decrypt<'a>(
        &mut self,
        inner: &mut dyn MessageDecrypter,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let Self { mapping, scratch } = self;
        scratch.clear();
        scratch.extend_from_slice(&message.payload);
        let copy = InboundOpaqueMessage::new(message.typ, message.version, scratch);
        let InboundPlainMessage {
            typ,
            version,
            payload,
        } = inner.decrypt(copy, seq)?;
        mapping.put(typ, payload, &mut message)?;
        Ok(InboundPlainMessage {
            typ,
            version,
            payload: message.into_plain_message().payload,
        })
    }
}
