//! `rustls::crypto::cipher::Tls13AeadAlgorithm`: record protection that swaps views.

mod client_auth;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    OutboundChunks, OutboundOpaqueMessage, OutboundPlainMessage, Tls13AeadAlgorithm,
    UnsupportedOperationError,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error};

use self::client_auth::{ClientAuthEncrypter, ClientCertificateDecrypter};
use crate::handover;
use crate::side::Side;
use crate::view::request::RequestWatch;
use crate::view::stream::{ToRustls, ToWire};

/// The base provider's record protection, with the Certificate message mapped between the views:
/// a client's on the way in, a server's on the way out.
pub(crate) struct RecordProtection {
    pub(crate) inner: &'static dyn Tls13AeadAlgorithm,
    pub(crate) side: Side,
}

impl Tls13AeadAlgorithm for RecordProtection {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        let inner = self.inner.encrypter(key, iv);
        match self.side {
            Side::Client { .. } => Box::new(AlertEncrypter { inner }),
            Side::Server => Box::new(CertificateEncrypter {
                inner,
                to_wire: Some(ToWire::new()),
            }),
            Side::Presenting { .. } => Box::new(ClientAuthEncrypter::presenting(inner)),
            Side::Asking {
                offer,
                has_credential,
            } => Box::new(ClientAuthEncrypter::asking(inner, offer, has_credential)),
        }
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        let inner = self.inner.decrypter(key, iv);
        match self.side {
            Side::Client { .. } | Side::Presenting { .. } => Box::new(CertificateDecrypter {
                inner,
                handshake: Some(Handshake {
                    to_rustls: ToRustls::new(),
                    requests: matches!(self.side, Side::Presenting { .. })
                        .then(RequestWatch::default),
                    scratch: Vec::new(),
                }),
            }),
            Side::Server => inner,
            Side::Asking { .. } => Box::new(ClientCertificateDecrypter::new(inner)),
        }
    }

    fn key_len(&self) -> usize {
        self.inner.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.inner.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        self.inner.fips()
    }
}

/// A client's decrypter: Certificate from wire to rustls.
struct CertificateDecrypter {
    inner: Box<dyn MessageDecrypter>,
    /// Gone after the first record of application data: bulk data passes untouched. Nothing else ends it, for a
    /// warning may come in front of Certificate.
    handshake: Option<Handshake>,
}

struct Handshake {
    to_rustls: ToRustls,
    /// Of a client that may present a credential.
    requests: Option<RequestWatch>,
    scratch: Vec<u8>,
}

impl MessageDecrypter for CertificateDecrypter {
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
    /// `decrypt` returns a shared borrow of the record, so it works on a copy, and what it made of
    /// that is copied back.
    fn decrypt<'a>(
        &mut self,
        inner: &mut dyn MessageDecrypter,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let Self {
            to_rustls,
            requests,
            scratch,
        } = self;
        scratch.clear();
        scratch.extend_from_slice(&message.payload);
        let copy = InboundOpaqueMessage::new(message.typ, message.version, scratch);
        let InboundPlainMessage {
            typ,
            version,
            payload,
        } = inner.decrypt(copy, seq)?;
        message.payload.truncate(payload.len());
        message.payload.copy_from_slice(payload);
        if typ == ContentType::Handshake {
            to_rustls.apply(&mut message.payload);
            let request = requests
                .as_mut()
                .and_then(|requests| requests.push(&message.payload));
            if let Some(request) = request {
                handover::leave_request(request);
            }
        }
        Ok(InboundPlainMessage {
            typ,
            version,
            payload: message.into_plain_message().payload,
        })
    }
}

/// A server's encrypter: Certificate from rustls to wire.
struct CertificateEncrypter {
    inner: Box<dyn MessageEncrypter>,
    /// Gone after the first record of application data.
    to_wire: Option<ToWire>,
}

impl MessageEncrypter for CertificateEncrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        if message.typ == ContentType::ApplicationData {
            self.to_wire = None;
        }
        let (Some(to_wire), ContentType::Handshake) = (&mut self.to_wire, message.typ) else {
            return self.inner.encrypt(message, seq);
        };
        let mut payload = message.payload.to_vec();
        // The store refuses credentials whose block could straddle two records, and rustls panics
        // when encryption fails. Were it to happen, the record goes out in the rustls view, which no
        // client accepts.
        let _ = to_wire.apply(&mut payload);
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

/// A client's encrypter: gives a refused credential the alert that RFC 9345 wants.
///
/// rustls derives alerts from its own errors, among which there is none for most of ours.
struct AlertEncrypter {
    inner: Box<dyn MessageEncrypter>,
}

impl MessageEncrypter for AlertEncrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        encrypt_with_alert(self.inner.as_mut(), message, seq)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.inner.encrypted_payload_len(payload_len)
    }
}

/// Encrypts the alert that a refusal asks for instead of an alert of rustls's, and all else as it is.
fn encrypt_with_alert(
    inner: &mut dyn MessageEncrypter,
    message: OutboundPlainMessage<'_>,
    seq: u64,
) -> Result<OutboundOpaqueMessage, Error> {
    let OutboundPlainMessage { typ, version, .. } = message;
    if typ != ContentType::Alert {
        return inner.encrypt(message, seq);
    }
    let Some(alert) = handover::take_alert() else {
        return inner.encrypt(message, seq);
    };
    let payload = [FATAL, alert.into()];
    let message = OutboundPlainMessage {
        typ,
        version,
        payload: OutboundChunks::Single(&payload),
    };
    inner.encrypt(message, seq)
}

/// AlertLevel (RFC 8446 §6).
const FATAL: u8 = 2;

#[cfg(test)]
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod tests;
