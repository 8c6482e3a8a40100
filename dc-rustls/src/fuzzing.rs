//! Private functions for the targets in `fuzz/`, and for nobody else.

use dc_core::Form;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

use crate::io::{Adapter, EarlyRecords, Verdict};
use crate::record::RecordProtection;
use crate::side::Side;
use crate::view::certificate::unpack;
use crate::view::client_hello::{self, Relabelling};
use crate::view::{ech, from_client, presented, request, stream, to_server};

/// A client's inbound mapping of Certificate.
#[derive(Debug)]
pub struct ToRustls(stream::ToRustls);

impl ToRustls {
    /// Starts at the header of a handshake message.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "as the type it wraps")]
    pub fn new() -> Self {
        Self(stream::ToRustls::new())
    }

    /// Maps the next bytes in place; false if the connection ends there.
    pub fn apply(&mut self, handshake: &mut [u8]) -> bool {
        self.0.apply(handshake).is_ok()
    }

    /// Puts back what was ignored in the Certificate message that has come whole.
    pub fn restore(&mut self, message: &mut [u8]) {
        self.0.take_originals().restore(message);
    }
}

/// Handshake bytes behind a client's record layer, in records of this length, with a warning in front of each.
#[must_use]
pub fn behind_warnings(handshake: &[u8], length: usize) -> Vec<u8> {
    let protection = RecordProtection {
        inner: &Unprotected,
        side: Side::Client { offer: &[] },
    };
    let mut decrypter = protection.decrypter(AeadKey::from([0; 32]), Iv::new([0; 12]));
    let mut opened = Vec::new();
    let mut open = |typ, payload: &[u8]| {
        let mut payload = payload.to_vec();
        let record = InboundOpaqueMessage::new(typ, ProtocolVersion::TLSv1_3, &mut payload);
        if let Ok(plain) = decrypter.decrypt(record, 0)
            && plain.typ == ContentType::Handshake
        {
            opened.extend_from_slice(plain.payload);
        }
    };
    for record in handshake.chunks(length.max(1)) {
        open(ContentType::Alert, &USER_CANCELED);
        open(ContentType::Handshake, record);
    }
    opened
}

/// A warning that TLS 1.3 still has (RFC 8446 §6.1).
const USER_CANCELED: [u8; 2] = [1, 90];

/// No protection: what is fuzzed is what surrounds it.
struct Unprotected;

impl Tls13AeadAlgorithm for Unprotected {
    fn encrypter(&self, _: AeadKey, _: Iv) -> Box<dyn MessageEncrypter> {
        unreachable!("nothing is sent")
    }

    fn decrypter(&self, _: AeadKey, _: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Self)
    }

    fn key_len(&self) -> usize {
        32
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

impl MessageDecrypter for Unprotected {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        _: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        Ok(message.into_plain_message())
    }
}

/// Maps the body of a Certificate message in place; false if the connection ends there.
pub fn certificate_body_to_rustls(body: &mut [u8]) -> bool {
    stream::certificate_body_to_rustls(body).is_ok()
}

/// The bytes that the transcript hashes of these messages.
#[must_use]
pub fn certificates_to_wire(messages: &[u8]) -> Vec<u8> {
    stream::certificates_to_wire(messages).into_owned()
}

/// The OCSP response and the credential in a blob, if the verifier does not refuse it.
#[must_use]
#[allow(clippy::type_complexity, reason = "for tests alone")]
pub fn unpack_blob(blob: &[u8]) -> Option<(Vec<u8>, Option<(Form, Vec<u8>)>)> {
    let unpacked = unpack(blob).ok()?;
    Some((unpacked.ocsp.to_vec(), unpacked.credential))
}

/// A ClientHello with these extensions first.
#[must_use]
pub fn insert_extensions(hello: &[u8], extensions: &[u8]) -> Option<Vec<u8>> {
    client_hello::insert_extensions(hello, extensions)
}

/// The bytes that a client's transcript hashes of these messages.
#[must_use]
pub fn hellos_to_wire(messages: &[u8], extensions: &[u8]) -> Vec<u8> {
    client_hello::hellos_to_wire(messages, extensions).into_owned()
}

/// The outer hello and the padded inner one, as a client seals them.
#[must_use]
pub fn seal(outer: &[u8], padded: &[u8], extensions: &[u8], max: u8) -> Option<[Vec<u8>; 2]> {
    let sealable = ech::Sealable {
        additional: outer.to_vec(),
        plaintext: padded.to_vec(),
    };
    let sealed = ech::sealable_to_wire(&sealable, extensions, max)?;
    Some([sealed.additional, sealed.plaintext])
}

/// The maximum length of names in the `info` of HPKE.
#[must_use]
pub fn maximum_name_length(info: &[u8]) -> Option<u8> {
    ech::maximum_name_length(info)
}

/// Relabels one ClientHello; which form's offer, and whether it could.
pub fn offer_to_rustls(hello: &mut [u8]) -> Result<Option<Form>, ()> {
    match client_hello::offer_to_rustls(hello) {
        Relabelling::Done(form) => Ok(Some(form)),
        Relabelling::Impossible => Err(()),
        Relabelling::Unneeded => Ok(None),
    }
}

/// The bytes that a server's transcript hashes of these messages.
pub fn offer_to_wire(messages: &mut [u8]) {
    client_hello::offer_to_wire(messages);
}

/// A client's socket.
pub fn client_adapter<T>(io: T, offer: &'static [u8]) -> Adapter<T> {
    Adapter::client(io, offer)
}

/// A server's socket, of which these bytes were read before.
pub fn server_adapter<T>(io: T, received: &[u8]) -> Adapter<T> {
    Adapter::server(io, received)
}

/// The bytes for rustls of a client's stream that arrives in these pieces, of whose early data up to `limit` bytes are
/// skipped. Here, a payload that begins with an odd byte is encrypted for the handshake.
#[must_use]
pub fn without_early_data(pieces: &[&[u8]], is_retry: bool, limit: usize) -> Vec<u8> {
    let is_handshake = |payload: &[u8]| payload.first().is_some_and(|byte| byte % 2 == 1);
    let verdict = match is_retry {
        true => Verdict::Retry,
        false => Verdict::Rejected(Box::new(is_handshake)),
    };
    let (mut records, mut out) = (EarlyRecords::new(limit), Vec::new());
    records.judge(verdict, &mut out);
    for piece in pieces {
        records.push(piece, &mut out);
    }
    out
}

/// A server's inbound mapping of a client's Certificate.
#[derive(Debug)]
pub struct FromClient(from_client::FromClient);

impl FromClient {
    /// Starts at the header of a handshake message.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "as the type it wraps")]
    pub fn new() -> Self {
        Self(from_client::FromClient::new())
    }

    /// Maps the next bytes, and appends what leaves.
    pub fn apply(&mut self, handshake: &[u8], out: &mut Vec<u8>) {
        self.0.apply(handshake, out);
    }

    /// Puts back what was ignored in the Certificate message that has come whole.
    pub fn restore(&mut self, message: &mut [u8]) {
        self.0.take_originals().restore(message);
    }
}

/// The bytes that a server's transcript hashes of these messages of a client's.
pub fn certificates_to_server(messages: &mut [u8]) {
    to_server::certificates_to_server(messages);
}

/// True for an entry behind another's that stands for a block to be ignored.
#[must_use]
pub fn is_ignored(entry: &[u8]) -> bool {
    presented::check_ignored(entry).is_ok()
}

/// The credential that an entry stands for, or `None` if the verifier refuses it; the outer is `None` for a certificate.
#[must_use]
#[allow(clippy::type_complexity, reason = "for tests alone")]
pub fn unpack_entry(entry: &[u8]) -> Option<Option<(Form, Vec<u8>)>> {
    presented::is_extension_entry(entry).then(|| presented::unpack_entry(entry).ok())
}

/// The lists that a client finds in a CertificateRequest, cut into pieces of this length, each of its own form.
#[must_use]
pub fn requested(handshake: &[u8], length: usize) -> Vec<[Option<Vec<u8>>; 2]> {
    let mut watch = request::RequestWatch::default();
    let pieces = handshake.chunks(length.max(1));
    let requests = pieces.filter_map(|piece| watch.push(piece));
    requests.map(|found| [found.rfc9345, found.named]).collect()
}

/// Puts a server's offer into its CertificateRequest.
pub fn requests_to_wire(messages: &mut [u8], offer: &[u8]) {
    request::requests_to_wire(messages, offer);
}
