//! Certificate messages as servers send them, and what rustls makes of a message.

use proptest::collection::vec;
use proptest::prelude::*;

use super::bytes::{Cursor, put_vector};
use super::handshake::CERTIFICATE;
use dc_core::Form;

use super::STATUS_REQUEST;

/// A DER element with tag `tag`.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = match content.len() {
        0..=0x7f => vec![tag],
        0x80..=0xff => vec![tag, 0x81],
        _ => vec![tag, 0x82],
    };
    let width = if content.len() < 0x100 { 1 } else { 2 };
    put_vector(&mut out, width, content).expect("content of at most 65,535 bytes");
    out
}

/// A DER SEQUENCE.
pub(super) fn sequence(content: &[u8]) -> Vec<u8> {
    element(0x30, content)
}

/// An extension of type `kind`.
pub(super) fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut out = kind.to_be_bytes().to_vec();
    put_vector(&mut out, 2, body).expect("body of at most 65,535 bytes");
    out
}

/// A `status_request` extension of a CertificateEntry.
pub(super) fn status(response: &[u8]) -> Vec<u8> {
    let mut body = vec![1];
    put_vector(&mut body, 3, response).expect("short response");
    extension(STATUS_REQUEST, &body)
}

/// A handshake message.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    put_vector(&mut out, 3, body).expect("body below 16 MB");
    out
}

/// A Certificate message with an entry for each certificate and extension block.
pub(super) fn certificate_message<'a>(
    entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Vec<u8> {
    let mut list = Vec::new();
    for (certificate, block) in entries {
        put_vector(&mut list, 3, certificate).expect("short certificate");
        put_vector(&mut list, 2, block).expect("short block");
    }
    let mut body = vec![0];
    put_vector(&mut body, 3, &list).expect("short list");
    message(CERTIFICATE, &body)
}

/// A credential of `form`.
pub(super) fn credential(form: Form, spki: &[u8], name: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 1, 0x51, 0x80, 4, 3];
    put_vector(&mut out, 3, spki).expect("short SPKI");
    if form == Form::Named {
        put_vector(&mut out, 1, name).expect("name of at most 255 bytes");
    }
    out.extend([4, 3]);
    put_vector(&mut out, 2, signature).expect("short signature");
    out
}

/// An extension block and what is in it.
#[derive(Clone, Debug)]
pub(super) struct WireBlock {
    pub(super) bytes: Vec<u8>,
    pub(super) credential: Option<(Form, Vec<u8>)>,
    pub(super) ocsp: Vec<u8>,
}

/// A stream of handshake messages, one of them a Certificate.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(super) blocks: Vec<WireBlock>,
    pub(super) certificate: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

/// Any block that fits the mapping.
pub(super) fn any_block() -> impl Strategy<Value = WireBlock> {
    let with_credential = (
        any_credential(),
        proptest::option::of((any_ocsp(), any::<bool>())),
    );
    prop_oneof![
        6 => with_credential.prop_map(|((form, body), ocsp)| wire_block(form, body, ocsp)),
        1 => any_ocsp().prop_map(|ocsp| WireBlock { bytes: status(&ocsp), credential: None, ocsp }),
        1 => Just(WireBlock { bytes: Vec::new(), credential: None, ocsp: Vec::new() }),
    ]
}

fn wire_block(form: Form, body: Vec<u8>, ocsp: Option<(Vec<u8>, bool)>) -> WireBlock {
    let own = extension(form.extension_type(), &body);
    let bytes = match &ocsp {
        None => own,
        Some((response, true)) => [status(response), own].concat(),
        Some((response, false)) => [own, status(response)].concat(),
    };
    let ocsp = ocsp.map(|(response, _)| response).unwrap_or_default();
    WireBlock {
        bytes,
        credential: Some((form, body)),
        ocsp,
    }
}

/// Messages around a Certificate of one to four entries.
pub(crate) fn any_flight() -> impl Strategy<Value = Flight> {
    let other = (
        prop_oneof![Just(2u8), Just(8), Just(13), Just(15), Just(20)],
        vec(any::<u8>(), 0..80),
    )
        .prop_map(|(kind, body)| message(kind, &body));
    let others = vec(other, 0..3).prop_map(|messages| messages.concat());
    let entries = vec((vec(any::<u8>(), 0..400), any_block()), 1..4);
    (others.clone(), entries, others).prop_map(|(before, entries, after)| {
        let certificate = certificate_message(
            entries
                .iter()
                .map(|(cert, block)| (cert.as_slice(), block.bytes.as_slice())),
        );
        let bytes = [before, certificate.clone(), after].concat();
        Flight {
            blocks: entries.into_iter().map(|(_, block)| block).collect(),
            certificate,
            bytes,
        }
    })
}

/// Any credential, in both forms.
pub(super) fn any_credential() -> impl Strategy<Value = (Form, Vec<u8>)> {
    let name = proptest::string::string_regex("[a-z0-9]{1,26}\\.cpe\\.example\\.com")
        .expect("a valid pattern");
    let form = prop_oneof![Just(Form::Rfc9345), Just(Form::Named)];
    (form, any_spki(), name, vec(any::<u8>(), 1..260)).prop_map(
        |(form, spki, name, mut signature)| {
            signature.insert(0, 0x30);
            (form, credential(form, &spki, name.as_bytes(), &signature))
        },
    )
}

/// An SPKI: algorithm identifier and key of the usual sizes (Ed25519, P-256, P-384, RSA 2048 and 4096).
fn any_spki() -> impl Strategy<Value = Vec<u8>> {
    let key_len = prop_oneof![Just(32usize), Just(65), Just(97), Just(270), Just(526)];
    key_len
        .prop_flat_map(|len| vec(any::<u8>(), len))
        .prop_map(|key| {
            let algorithm = sequence(&element(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]));
            let bits = element(3, &[&[0], key.as_slice()].concat());
            sequence(&[algorithm, bits].concat())
        })
}

/// An OCSPResponse of status `successful`.
pub(super) fn any_ocsp() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![
        Just(0usize),
        Just(100),
        Just(124),
        Just(125),
        Just(250),
        Just(471),
        Just(1500)
    ];
    len.prop_flat_map(|len| vec(any::<u8>(), len))
        .prop_map(|rest| sequence(&[&[0x0a, 1, 0], rest.as_slice()].concat()))
}

/// The status blobs of a Certificate message, read as strictly as rustls 0.23 does; empty where an
/// entry has none. `None` if rustls refuses the message.
pub(super) fn rustls_blobs(message: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut cursor = Cursor::new(message);
    (cursor.u8()? == CERTIFICATE).then_some(())?;
    let body = cursor.vector(3)?;
    cursor.rest().is_empty().then_some(())?;
    let mut cursor = Cursor::new(body);
    cursor.vector(1)?;
    let list = cursor.vector(3)?;
    cursor.rest().is_empty().then_some(())?;
    let mut cursor = Cursor::new(list);
    let mut blobs = Vec::new();
    while !cursor.rest().is_empty() {
        cursor.vector(3)?;
        blobs.push(rustls_blob(cursor.vector(2)?)?);
    }
    Some(blobs)
}

fn rustls_blob(block: &[u8]) -> Option<Vec<u8>> {
    let mut extensions = wire_extensions(block)?;
    if extensions.is_empty() {
        return Some(Vec::new());
    }
    let (kind, body) = extensions.pop()?;
    (extensions.is_empty() && kind == STATUS_REQUEST).then_some(())?;
    let mut cursor = Cursor::new(body);
    (cursor.u8()? == 1).then_some(())?;
    let blob = cursor.vector(3)?;
    (cursor.rest().is_empty() && !blob.is_empty()).then(|| blob.to_vec())
}

/// The extensions of a block, or `None` if its framing is broken.
pub(super) fn wire_extensions(block: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut cursor = Cursor::new(block);
    let mut extensions = Vec::new();
    while !cursor.rest().is_empty() {
        extensions.push((cursor.u16()?, cursor.vector(2)?));
    }
    Some(extensions)
}
