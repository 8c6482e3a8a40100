//! `rustls::crypto::cipher::Tls13AeadAlgorithm`: record protection that swaps views.

mod client_auth;
mod inbound;
mod shared;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundOpaqueMessage, OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, InvalidMessage};

use self::client_auth::{ClientAuthEncrypter, ClientCertificate};
use self::inbound::{Inbound, MappingDecrypter};
pub(crate) use self::shared::opens;
use self::shared::share;
use crate::handover;
use crate::refusal::Refusal;
use crate::side::Side;
use crate::view::certificate::UnpackError;
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
            Side::Client { .. } | Side::Presenting { .. } => {
                let is_presenting = matches!(self.side, Side::Presenting { .. });
                let mapping = FromServer {
                    to_rustls: ToRustls::new(),
                    requests: is_presenting.then(RequestWatch::default),
                };
                Box::new(MappingDecrypter::new(inner, mapping))
            }
            Side::Server => share(inner),
            Side::Asking { .. } => Box::new(MappingDecrypter::new(
                share(inner),
                ClientCertificate::new(),
            )),
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

/// The messages that a client receives: Certificate from wire to rustls.
struct FromServer {
    to_rustls: ToRustls,
    /// Of a client that may present a credential.
    requests: Option<RequestWatch>,
}

impl Inbound for FromServer {
    fn put(
        &mut self,
        typ: ContentType,
        plain: &[u8],
        record: &mut InboundOpaqueMessage<'_>,
    ) -> Result<(), Error> {
        record.payload.truncate(plain.len());
        record.payload.copy_from_slice(plain);
        if typ == ContentType::Handshake {
            let mapped = self.to_rustls.apply(&mut record.payload);
            mapped.map_err(refuse)?;
            handover::leave_originals(self.to_rustls.take_originals());
            let requests = self.requests.as_mut();
            let request = requests.and_then(|requests| requests.push(&record.payload));
            if let Some(request) = request {
                handover::leave_request(request);
            }
        }
        Ok(())
    }
}

/// The error that rustls ends a connection for, with the alert that it has to have.
fn refuse(error: UnpackError) -> Error {
    handover::leave_alert(Refusal::from(error).alert());
    Error::InvalidMessage(match error {
        UnpackError::DuplicateExtension => InvalidMessage::UnexpectedMessage(
            "a second extension of one type in a CertificateEntry",
        ),
        UnpackError::Malformed | UnpackError::MalformedCredential { .. } => {
            InvalidMessage::MissingData("extensions of a CertificateEntry")
        }
        UnpackError::UnexpectedExtension => InvalidMessage::UnknownCertificateExtension,
    })
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
        encrypt_changed(self.inner.as_mut(), &message, &payload, seq)
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
    if message.typ != ContentType::Alert {
        return inner.encrypt(message, seq);
    }
    let Some(alert) = handover::take_alert() else {
        return inner.encrypt(message, seq);
    };
    encrypt_changed(inner, &message, &[FATAL, alert.into()], seq)
}

/// Encrypts this payload in the place of the message's own.
fn encrypt_changed(
    inner: &mut dyn MessageEncrypter,
    message: &OutboundPlainMessage<'_>,
    payload: &[u8],
    seq: u64,
) -> Result<OutboundOpaqueMessage, Error> {
    let changed = OutboundPlainMessage {
        typ: message.typ,
        version: message.version,
        payload: OutboundChunks::Single(payload),
    };
    inner.encrypt(changed, seq)
}

/// AlertLevel (RFC 8446 §6).
const FATAL: u8 = 2;

#[cfg(test)]
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod tests;
