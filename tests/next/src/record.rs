//! `rustls::crypto::cipher::Tls13AeadAlgorithm`: record protection that swaps views.

use rustls::crypto::cipher::{
    AeadKey, InboundOpaque, Iv, OutboundPlain, Record, RecordDecrypter, RecordEncrypter,
    Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::enums::ContentType;
use rustls::error::{InvalidMessage, PeerMisbehaved};
use rustls::pki_types::FipsStatus;
use rustls::{ConnectionTrafficSecrets, Error};

use crate::ignored;
use crate::provider::Side;
use crate::pseudo::entries_to_wire;
use crate::view::certificate::UnpackError;
use crate::view::stream::{ToRustls, ToWire};

/// The base provider's record protection, with the Certificate message mapped between the views:
/// a client's on the way in, a server's on the way out.
pub(crate) struct RecordProtection {
    pub(crate) inner: &'static dyn Tls13AeadAlgorithm,
    pub(crate) side: Side,
}

impl Tls13AeadAlgorithm for RecordProtection {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordEncrypter> {
        let inner = self.inner.encrypter(key, iv);
        let to_wire = match self.side {
            Side::Client { .. } => return inner,
            Side::Server => Outbound::Block(ToWire::new()),
            Side::PseudoEntryServer => Outbound::Entry,
        };
        Box::new(CertificateEncrypter {
            inner,
            to_wire: Some(to_wire),
        })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordDecrypter> {
        let inner = self.inner.decrypter(key, iv);
        match self.side {
            Side::Client { .. } => Box::new(CertificateDecrypter {
                inner,
                handshake: Some((ToRustls::new(), Vec::new())),
            }),
            Side::Server | Side::PseudoEntryServer => inner,
        }
    }

    fn key_len(&self) -> usize {
        self.inner.key_len()
    }

    fn iv_len(&self) -> usize {
        self.inner.iv_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.inner.extract_keys(key, iv)
    }

    fn fips(&self) -> FipsStatus {
        self.inner.fips()
    }
}

/// A client's decrypter: Certificate from wire to rustls.
struct CertificateDecrypter {
    inner: Box<dyn RecordDecrypter>,
    /// Gone after the first record of application data; with a buffer for a copy of a record.
    handshake: Option<(ToRustls, Vec<u8>)>,
}

impl RecordDecrypter for CertificateDecrypter {
    /// It returns a shared borrow of the record, so it works on a copy, and what it made of that is copied back.
    fn decrypt<'a>(
        &mut self,
        mut record: Record<InboundOpaque<'a>>,
        seq: u64,
    ) -> Result<Record<&'a [u8]>, Error> {
        let Some((to_rustls, scratch)) = &mut self.handshake else {
            return self.inner.decrypt(record, seq);
        };
        scratch.clear();
        scratch.extend_from_slice(&record.payload);
        let copy = Record::new(record.typ, record.version, InboundOpaque(scratch));
        let plain = self.inner.decrypt(copy, seq)?;
        let (typ, version, length) = (plain.typ, plain.version, plain.payload.len());
        record.payload.truncate(length);
        record.payload.copy_from_slice(plain.payload);
        match typ {
            ContentType::Handshake => {
                to_rustls.apply(&mut record.payload).map_err(refused)?;
                ignored::leave(to_rustls.take_originals());
            }
            ContentType::ApplicationData => self.handshake = None,
            _ => {}
        }
        let payload = record.into_plain_record().payload;
        Ok(Record::new(typ, version, payload))
    }
}

/// The error of a block next to an intermediate that TLS does not allow, which has an alert of the right kind.
fn refused(error: UnpackError) -> Error {
    match error {
        UnpackError::DuplicateExtension => InvalidMessage::DuplicateExtension(0x22).into(),
        UnpackError::UnexpectedExtension => PeerMisbehaved::UnsolicitedEncryptedExtension.into(),
        UnpackError::Malformed | UnpackError::MalformedCredential { .. } => {
            InvalidMessage::MissingData("CertificateEntry").into()
        }
    }
}

/// A server's encrypter: Certificate from rustls to wire.
struct CertificateEncrypter {
    inner: Box<dyn RecordEncrypter>,
    /// Gone after the first record of application data.
    to_wire: Option<Outbound>,
}

/// Where a server's rustls has the credential.
enum Outbound {
    Block(ToWire),
    Entry,
}

impl RecordEncrypter for CertificateEncrypter {
    fn encrypt<'a>(
        &mut self,
        record: Record<OutboundPlain<'_>>,
        seq: u64,
        out: &'a mut [u8],
    ) -> Result<Record<&'a [u8]>, Error> {
        if record.typ == ContentType::ApplicationData {
            self.to_wire = None;
        }
        let (Some(to_wire), ContentType::Handshake) = (&mut self.to_wire, record.typ) else {
            return self.inner.encrypt(record, seq, out);
        };
        let mut payload = record.payload.to_vec();
        match to_wire {
            Outbound::Block(to_wire) => to_wire
                .apply(&mut payload)
                .map_err(|_| Error::Unreachable("a credential straddles two records"))?,
            Outbound::Entry => payload = entries_to_wire(&payload).into_owned(),
        }
        let record = Record::new(record.typ, record.version, OutboundPlain::Single(&payload));
        self.inner.encrypt(record, seq, out)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.inner.encrypted_payload_len(payload_len)
    }
}
