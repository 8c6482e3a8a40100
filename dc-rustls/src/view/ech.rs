//! Client: the two hellos of Encrypted ClientHello (RFC 9849) at the moment when one is sealed into the other.
//!
//! rustls seals inside, where no socket adapter comes between: what it gives to be sealed is the encoded inner hello
//! with its padding, and what is authenticated with it is the outer hello with zeros in the place of the sealed one.
//! Both are bodies without the handshake header. On the wire, both hellos begin with our extensions, so they have to
//! when they are sealed:
//!
//! ```text
//! sealed  version random 00 suites 01 00 u16 N   | extensions(N)             | 00 ...
//! wire    version random 00 suites 01 00 u16 N+E | ours(E) | extensions(N)   | 00 ...
//!
//! outer   ... u16 O     | ... fe 0d u16 C   | 00 suite id u16 K enc(K) u16 P   | 00(P)   | ...
//! wire    ... u16 O+E+G | ours(E) | ... fe 0d u16 C+G | 00 suite id u16 K enc(K) u16 P+G | 00(P+G) | ...
//! ```
//!
//! `G` is how much longer the padded inner hello gets. Its length is what RFC 9849 §6.1.3 recommends, so it is a multiple
//! of 32 and tells nothing of the length of the name that is hidden.

use super::bytes::{Cursor, put_length};
use super::client_hello::{self, Hello, RANDOM_LEN, SERVER_NAME, VERSION_LEN, insert_extensions};
use super::handshake::{CLIENT_HELLO, HEADER_LEN};

/// A message for the AEAD.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Sealable {
    /// ClientHelloOuterAAD (RFC 9849 §5.2).
    pub(crate) additional: Vec<u8>,
    /// EncodedClientHelloInner (RFC 9849 §5.1).
    pub(crate) plaintext: Vec<u8>,
}

/// Client: `sealable` with `extensions` in front of those of both hellos.
///
/// `maximum_name_length` is the ECHConfig's. `None` if either hello is not what rustls makes, or if a length would not
/// fit.
pub(crate) fn sealable_to_wire(
    sealable: &Sealable,
    extensions: &[u8],
    maximum_name_length: u8,
) -> Option<Sealable> {
    let message = hello_at_start(&sealable.plaintext)?;
    let name_padding = name_padding(&Hello::read(&message)?, maximum_name_length);
    let mut plaintext = body_of(insert_extensions(&message, extensions)?);
    let padded = (plaintext.len() + name_padding).next_multiple_of(BLOCK);
    plaintext.resize(padded, 0);
    let growth = padded.checked_sub(sealable.plaintext.len())?;
    Some(Sealable {
        additional: outer_to_wire(&sealable.additional, extensions, growth)?,
        plaintext,
    })
}

/// The `maximum_name_length` in the `info` of HPKE: a label and one ECHConfig (RFC 9849 §4 and §6.1).
///
/// `None` if there is no whole ECHConfig of the version that rustls has.
pub(crate) fn maximum_name_length(info: &[u8]) -> Option<u8> {
    let mut config = Cursor::new(info.strip_prefix(INFO_LABEL)?);
    if config.u16()? != ENCRYPTED_CLIENT_HELLO {
        return None;
    }
    let mut contents = Cursor::new(config.vector(2)?);
    contents.take(CONFIG_ID_LEN + KEM_LEN)?;
    let _public_key = contents.vector(2)?;
    let _cipher_suites = contents.vector(2)?;
    contents.u8()
}

/// The outer hello with `extensions` first, and with so many more zeros where the sealed one goes.
fn outer_to_wire(body: &[u8], extensions: &[u8], growth: usize) -> Option<Vec<u8>> {
    let message = with_header(body)?;
    let grown = client_hello::rewrite(&message, growth, |hello, wire| {
        let is_one = hello.extension(ENCRYPTED_CLIENT_HELLO).is_some();
        if !hello.is_whole() || !is_one {
            return None;
        }
        for extension in hello.extensions() {
            let grows = extension.kind == ENCRYPTED_CLIENT_HELLO;
            wire.extend_from_slice(&extension.kind.to_be_bytes());
            match grows {
                true => {
                    put_length(wire, 2, extension.body.len() + growth)?;
                    put_grown(wire, extension.body, growth)?;
                }
                false => {
                    put_length(wire, 2, extension.body.len())?;
                    wire.extend_from_slice(extension.body);
                }
            }
        }
        Some(())
    })?;
    Some(body_of(insert_extensions(&grown, extensions)?))
}

/// Appends an ECHClientHello of the type `outer` (RFC 9849 §5) whose payload has so many more zeros.
fn put_grown(wire: &mut Vec<u8>, body: &[u8], growth: usize) -> Option<()> {
    let mut cursor = Cursor::new(body);
    if cursor.u8()? != OUTER {
        return None;
    }
    cursor.take(CIPHER_SUITE_LEN + CONFIG_ID_LEN)?;
    let _enc = cursor.vector(2)?;
    let head = body.len().checked_sub(cursor.rest().len())?;
    let payload = cursor.vector(2)?;
    if !cursor.rest().is_empty() {
        return None;
    }
    wire.extend_from_slice(body.get(..head)?);
    put_length(wire, 2, payload.len() + growth)?;
    wire.extend_from_slice(payload);
    wire.resize(wire.len() + growth, 0);
    Some(())
}

/// The padding that hides how long the name is, if there is one (RFC 9849 §6.1.3), before it is rounded up.
///
/// rustls takes a maximum of 0 for the longest that a name can be.
fn name_padding(inner: &Hello<'_>, maximum_name_length: u8) -> usize {
    let maximum = match maximum_name_length {
        0 => usize::from(u8::MAX),
        maximum => usize::from(maximum),
    };
    match inner.extension(SERVER_NAME) {
        Some(name) => maximum.saturating_sub(name.body.len().saturating_sub(NAME_HEAD_LEN)),
        None => maximum + NAME_HEAD_LEN + EXTENSION_HEAD_LEN,
    }
}

/// The hello at the start of `padded`, with a handshake header; `None` if anything but zeros is behind it.
fn hello_at_start(padded: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(padded);
    cursor.take(VERSION_LEN + RANDOM_LEN)?;
    let _session_id = cursor.vector(1)?;
    let _cipher_suites = cursor.vector(2)?;
    let _compression_methods = cursor.vector(1)?;
    let _extensions = cursor.vector(2)?;
    let padding = cursor.rest();
    let is_padding = padding.iter().all(|&byte| byte == 0);
    let body = padded.get(..padded.len().checked_sub(padding.len())?)?;
    is_padding.then(|| with_header(body)).flatten()
}

fn with_header(body: &[u8]) -> Option<Vec<u8>> {
    let mut message = vec![CLIENT_HELLO];
    put_length(&mut message, 3, body.len())?;
    message.extend_from_slice(body);
    Some(message)
}

fn body_of(mut message: Vec<u8>) -> Vec<u8> {
    message.drain(..HEADER_LEN.min(message.len()));
    message
}

/// The extension, and the version of ECHConfig (RFC 9849 §11.1 and §4).
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// The ECHClientHelloType of an outer hello.
const OUTER: u8 = 0;
const CIPHER_SUITE_LEN: usize = 4;
const CONFIG_ID_LEN: usize = 1;
const KEM_LEN: usize = 2;
/// Type and length of an extension.
const EXTENSION_HEAD_LEN: usize = 4;
/// In front of a server_name: the length of the list, the type of the name, and its length.
const NAME_HEAD_LEN: usize = 5;
/// To a multiple of this, the inner hello is padded.
const BLOCK: usize = 32;
const INFO_LABEL: &[u8] = b"tls ech\0";

#[cfg(test)]
mod tests;
