//! A rustls endpoint that says what rustls never says, and cuts it as rustls never cuts it.
//!
//! The provider hashes every outgoing handshake message as it will be after the change, and hands its
//! records over unencrypted. The wire changes the messages, puts them into records as it likes, and
//! encrypts those.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundOpaqueMessage,
    OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};

use crate::message::{messages, number};

/// What becomes of a whole handshake message on its way out; it must leave the peer's messages alone.
pub type Rewrite = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// What becomes of one type of message, where nothing has to be remembered.
pub type Change = fn(&[u8]) -> Vec<u8>;

/// No change.
#[must_use]
pub fn unchanged() -> Rewrite {
    Arc::new(<[u8]>::to_vec)
}

/// Changes messages of one type.
#[must_use]
pub fn only(kind: u8, change: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Rewrite {
    Arc::new(move |message| match message.first() == Some(&kind) {
        true => change(message),
        false => message.to_vec(),
    })
}

/// How handshake messages are put into encrypted records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framing {
    /// How they are cut.
    pub cut: Cut,
    /// How many bytes of padding every record gets (RFC 8446 §5.4).
    pub padding: usize,
}

/// Where one record ends and the next begins.
#[derive(Clone, Copy, Debug, Default)]
pub enum Cut {
    /// As many messages to a record as come together.
    #[default]
    Coalesced,
    /// One message to a record.
    Messages,
    /// After so many bytes, and then nowhere.
    Once(usize),
    /// After so many bytes, again and again.
    Every(usize),
}

impl Cut {
    fn records<'a>(self, flight: &'a [u8]) -> Vec<&'a [u8]> {
        let short = |pieces: Vec<&'a [u8]>| {
            let pieces = pieces.into_iter();
            pieces.flat_map(|p| p.chunks(MAX_FRAGMENT)).collect()
        };
        match self {
            Self::Coalesced => short(vec![flight]),
            Self::Messages => short(messages(flight)),
            Self::Once(at) => {
                let (first, rest) = flight.split_at(at.min(flight.len()));
                short(vec![first, rest])
            }
            Self::Every(length) => flight.chunks(length).collect(),
        }
    }
}

/// The same cryptography for an endpoint behind a [`Wire`] with the same `rewrite`.
#[must_use]
pub fn provider(base: &CryptoProvider, rewrite: &Rewrite) -> Arc<CryptoProvider> {
    let common = |common: &CipherSuiteCommon| CipherSuiteCommon {
        suite: common.suite,
        hash_provider: Box::leak(Box::new(Rewritten {
            inner: common.hash_provider,
            rewrite: Arc::clone(rewrite),
        })),
        confidentiality_limit: common.confidentiality_limit,
    };
    let suite = |suite: &SupportedCipherSuite| -> SupportedCipherSuite {
        match suite {
            SupportedCipherSuite::Tls13(suite) => {
                SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                    common: common(&suite.common),
                    hkdf_provider: suite.hkdf_provider,
                    aead_alg: Box::leak(Box::new(Unencrypted(suite.aead_alg))),
                    quic: suite.quic,
                })))
            }
            SupportedCipherSuite::Tls12(suite) => {
                SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                    common: common(&suite.common),
                    ..**suite
                })))
            }
        }
    };
    Arc::new(CryptoProvider {
        cipher_suites: base.cipher_suites.iter().map(suite).collect(),
        ..base.clone()
    })
}

struct Rewritten {
    inner: &'static dyn Hash,
    rewrite: Rewrite,
}

impl Hash for Rewritten {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Transcript {
            inner: self.inner.start(),
            rewrite: Arc::clone(&self.rewrite),
        })
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.inner.hash(data)
    }

    fn output_len(&self) -> usize {
        self.inner.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.inner.algorithm()
    }
}

struct Transcript {
    inner: Box<dyn Context>,
    rewrite: Rewrite,
}

impl Context for Transcript {
    fn fork_finish(&self) -> Output {
        self.inner.fork_finish()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self {
            inner: self.inner.fork(),
            rewrite: Arc::clone(&self.rewrite),
        })
    }

    fn finish(self: Box<Self>) -> Output {
        self.inner.finish()
    }

    fn update(&mut self, data: &[u8]) {
        for message in messages(data) {
            self.inner.update(&(self.rewrite)(message));
        }
    }
}

struct Unencrypted(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for Unencrypted {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let sealer = Sealer {
            inner: self.0.encrypter(key, iv),
            sequence: 0,
        };
        SEALERS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_default()
            .insert(id, sealer);
        Box::new(HandOver { id })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

/// Sends the plaintext and which key it is for.
struct HandOver {
    id: u64,
}

impl MessageEncrypter for HandOver {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        _: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let mut payload = PrefixedPayload::with_capacity(message.payload.len() + 9);
        payload.extend_from_slice(&self.id.to_be_bytes());
        payload.extend_from_slice(&[message.typ.into()]);
        payload.extend_from_chunks(&message.payload);
        Ok(OutboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            payload,
        ))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 9
    }
}

struct Sealer {
    inner: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Sealer {
    fn seal(&mut self, typ: u8, payload: &[u8], padding: usize) -> Vec<u8> {
        let mut inner = payload.to_vec();
        let mut typ = ContentType::from(typ);
        if padding > 0 {
            inner.push(typ.into());
            inner.resize(inner.len() + padding - 1, 0);
            typ = ContentType::Unknown(0);
        }
        let message = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_3,
            payload: OutboundChunks::Single(&inner),
        };
        let record = self.inner.encrypt(message, self.sequence).unwrap();
        self.sequence += 1;
        record.encode()
    }
}

/// Where an endpoint with a mutant's [`provider`] writes to.
pub struct Wire<T> {
    io: T,
    rewrite: Rewrite,
    framing: Framing,
    /// Less than a record.
    pending: Vec<u8>,
    /// Handshake bytes under one key that are less than a message.
    handshake: Vec<u8>,
    /// Whether a warning is still to come in front of the first encrypted handshake record.
    warns: bool,
}

impl<T: Read + Write> Wire<T> {
    /// Changes messages by `rewrite` and cuts them by `framing`.
    pub fn new(io: T, rewrite: &Rewrite, framing: Framing) -> Self {
        Self {
            io,
            rewrite: Arc::clone(rewrite),
            framing,
            pending: Vec::new(),
            handshake: Vec::new(),
            warns: false,
        }
    }

    /// Sends `user_canceled` (RFC 8446 §6.1) in front of the encrypted part of the handshake, and goes on.
    #[must_use]
    pub fn warning(mut self, warns: bool) -> Self {
        self.warns = warns;
        self
    }

    fn send(&mut self, record: &[u8]) -> io::Result<()> {
        match (record[0], &record[5..]) {
            (HANDSHAKE, payload) => self.send_hello(record, payload),
            (APPLICATION_DATA, payload) => self.send_encrypted(record, payload),
            _ => self.io.write_all(record),
        }
    }

    /// In plaintext; what is encrypted below TLS 1.3 has the same type and passes.
    fn send_hello(&mut self, record: &[u8], payload: &[u8]) -> io::Result<()> {
        let is_hello =
            matches!(payload, [1 | 2, a, b, c, rest @ ..] if number(&[*a, *b, *c]) == rest.len());
        if !is_hello {
            return self.io.write_all(record);
        }
        let hello = (self.rewrite)(payload);
        let length = u16::try_from(hello.len()).unwrap().to_be_bytes();
        let head = [&record[..3], &length].concat();
        self.io.write_all(&[head, hello].concat())
    }

    fn send_encrypted(&mut self, record: &[u8], payload: &[u8]) -> io::Result<()> {
        let Some((id, [typ, plain @ ..])) = payload.split_first_chunk() else {
            return self.io.write_all(record);
        };
        let mut sealers = SEALERS.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sealer) = sealers
            .get_or_insert_default()
            .get_mut(&u64::from_be_bytes(*id))
        else {
            // Below TLS 1.3.
            return self.io.write_all(record);
        };
        if *typ != HANDSHAKE {
            let record = sealer.seal(*typ, plain, 0);
            return self.io.write_all(&record);
        }
        self.handshake.extend_from_slice(plain);
        let mut flight = Vec::new();
        let mut used = 0;
        for message in messages(&self.handshake) {
            let whole = message
                .get(1..4)
                .is_some_and(|len| message.len() == 4 + number(len));
            if whole {
                flight.extend((self.rewrite)(message));
                used += message.len();
            }
        }
        self.handshake.drain(..used);
        if std::mem::take(&mut self.warns) {
            self.io.write_all(&sealer.seal(ALERT, &USER_CANCELED, 0))?;
        }
        for fragment in self.framing.cut.records(&flight) {
            let record = sealer.seal(HANDSHAKE, fragment, self.framing.padding);
            self.io.write_all(&record)?;
        }
        Ok(())
    }
}

impl<T: Read> Read for Wire<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read(buf)
    }
}

impl<T: Read + Write> Write for Wire<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(buf);
        while let Some(length) = self.pending.get(3..5).map(|len| 5 + number(len)) {
            if self.pending.len() < length {
                break;
            }
            let record: Vec<u8> = self.pending.drain(..length).collect();
            self.send(&record)?;
        }
        Ok(buf.len())
    }

    /// rustls tries to send an alert once, and may have another record in front of it.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(
            &bufs
                .iter()
                .flat_map(|buf| buf.iter().copied())
                .collect::<Vec<u8>>(),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

impl<T> fmt::Debug for Wire<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

const ALERT: u8 = 21;
const USER_CANCELED: [u8; 2] = [1, 90];
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const MAX_FRAGMENT: usize = 1 << 14;

static NEXT: AtomicU64 = AtomicU64::new(0);
static SEALERS: Mutex<Option<HashMap<u64, Sealer>>> = Mutex::new(None);
