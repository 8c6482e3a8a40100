//! Handshake messages, taken apart and put together as no library would.

/// ClientHello (RFC 8446 §4).
pub const CLIENT_HELLO: u8 = 1;
/// ServerHello and HelloRetryRequest.
pub const SERVER_HELLO: u8 = 2;
/// NewSessionTicket.
pub const NEW_SESSION_TICKET: u8 = 4;
/// EncryptedExtensions.
pub const ENCRYPTED_EXTENSIONS: u8 = 8;
/// Certificate.
pub const CERTIFICATE: u8 = 11;
/// CertificateVerify.
pub const CERTIFICATE_VERIFY: u8 = 15;
/// CompressedCertificate (RFC 8879).
pub const COMPRESSED_CERTIFICATE: u8 = 25;

/// A handshake message with its header.
#[must_use]
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], vector(3, body).as_slice()].concat()
}

/// An extension with its type and length.
#[must_use]
pub fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &vector(2, body)].concat()
}

/// A `status_request` extension of a CertificateEntry with this OCSP response.
#[must_use]
pub fn status(response: &[u8]) -> Vec<u8> {
    extension(5, &[&[1], vector(3, response).as_slice()].concat())
}

/// A `server_name` extension (RFC 6066 §3) with this name, which may be none.
#[must_use]
pub fn server_name(name: &str) -> Vec<u8> {
    let entry = [&[0], vector(2, name.as_bytes()).as_slice()].concat();
    extension(0, &vector(2, &entry))
}

/// An ECHConfig (RFC 9849 §4) for one HPKE suite: KEM, KDF and AEAD.
#[must_use]
pub fn ech_config(
    suite: [u16; 3],
    public_key: &[u8],
    maximum_name_length: u8,
    public_name: &str,
) -> Vec<u8> {
    let [kem, kdf, aead] = suite.map(u16::to_be_bytes);
    let contents = [
        &[1][..],
        &kem,
        &vector(2, public_key),
        &vector(2, &[kdf, aead].concat()),
        &[maximum_name_length],
        &vector(1, public_name.as_bytes()),
        &vector(2, &[]),
    ];
    [&[0xfe, 0x0d][..], &vector(2, &contents.concat())].concat()
}

/// A vector with a length of `width` bytes.
#[must_use]
pub fn vector(width: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[4 - width..], body].concat()
}

/// Takes a vector with a length of `width` bytes off the front.
#[must_use]
pub fn split_vector(data: &[u8], width: usize) -> (&[u8], &[u8]) {
    let (length, rest) = data.split_at(width);
    rest.split_at(number(length))
}

/// A big-endian number.
#[must_use]
pub fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// The handshake messages in `data`; the last may be cut.
#[must_use]
pub fn messages(mut data: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !data.is_empty() {
        let whole = data.get(1..4).map_or(data.len(), |len| 4 + number(len));
        let (message, rest) = data.split_at(whole.min(data.len()));
        found.push(message);
        data = rest;
    }
    found
}

/// A Certificate message whose extension blocks are what `edit` makes of the entry's number and block.
#[must_use]
pub fn edit_blocks(certificate: &[u8], edit: impl Fn(usize, &[u8]) -> Vec<u8>) -> Vec<u8> {
    message(CERTIFICATE, &edit_body(&certificate[4..], edit))
}

/// As [`edit_blocks`], of a body without header.
#[must_use]
pub fn edit_body(body: &[u8], edit: impl Fn(usize, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let (context, rest) = split_vector(body, 1);
    let (mut list, _) = split_vector(rest, 3);
    let mut entries = Vec::new();
    for index in 0.. {
        if list.is_empty() {
            break;
        }
        let (certificate, rest) = split_vector(list, 3);
        let (block, rest) = split_vector(rest, 2);
        entries.extend(vector(3, certificate));
        entries.extend(vector(2, &edit(index, block)));
        list = rest;
    }
    [vector(1, context), vector(3, &entries)].concat()
}

/// A ClientHello with these extensions first; it may be cut behind its extensions' length.
#[must_use]
pub fn add_extensions(hello: &[u8], extensions: &[u8]) -> Vec<u8> {
    let at = extensions_at(hello) + 2;
    let longer = |length: usize| length + extensions.len();
    resize(hello, longer, |rest| {
        rest.splice(at..at, extensions.iter().copied());
    })
}

/// A ClientHello without the extension of this type; it may be cut behind that.
#[must_use]
pub fn remove_extension(hello: &[u8], kind: u16) -> Vec<u8> {
    let mut at = extensions_at(hello) + 2;
    while at + 4 <= hello.len() {
        let end = at + 4 + number(&hello[at + 2..at + 4]);
        if hello[at..at + 2] == kind.to_be_bytes() {
            let shorter = |length: usize| length - (end - at);
            return resize(hello, shorter, |rest| _ = rest.drain(at..end));
        }
        at = end;
    }
    hello.to_vec()
}

/// A ServerHello, EncryptedExtensions or NewSessionTicket with these extensions first.
#[must_use]
pub fn insert_extensions(old: &[u8], added: &[u8]) -> Vec<u8> {
    let at = match old[0] {
        ENCRYPTED_EXTENSIONS => 4,
        // Behind the version, the random, the session, the suite and the compression.
        SERVER_HELLO => 4 + 2 + 32 + 1 + usize::from(old[38]) + 2 + 1,
        NEW_SESSION_TICKET => {
            // Behind the lifetime, the age, the nonce and the ticket.
            let ticket = 4 + 4 + 4 + 1 + usize::from(old[12]);
            ticket + 2 + number(&old[ticket..ticket + 2])
        }
        other => panic!("message {other} has its extensions elsewhere"),
    };
    let (block, rest) = split_vector(&old[at..], 2);
    assert!(rest.is_empty());
    let block = vector(2, &[added, block].concat());
    message(old[0], &[&old[4..at], &block].concat())
}

/// The extension of this type in a ClientHello, with its type and length.
#[must_use]
pub fn find_extension(hello: &[u8], kind: u16) -> Option<&[u8]> {
    let (block, _) = split_vector(&hello[extensions_at(hello)..], 2);
    extensions(block)
        .into_iter()
        .find(|one| one[..2] == kind.to_be_bytes())
}

fn resize(
    hello: &[u8],
    length: impl Fn(usize) -> usize,
    edit: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let at = extensions_at(hello);
    let new_length = |old: &[u8]| u32::try_from(length(number(old))).unwrap().to_be_bytes();
    let (message, extensions) = (new_length(&hello[1..4]), new_length(&hello[at..at + 2]));
    let mut out = hello.to_vec();
    out[1..4].copy_from_slice(&message[1..]);
    out[at..at + 2].copy_from_slice(&extensions[2..]);
    edit(&mut out);
    out
}

/// The extensions of a block, each with its type and length.
#[must_use]
pub fn extensions(mut block: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !block.is_empty() {
        let (one, rest) = block.split_at(4 + number(&block[2..4]));
        found.push(one);
        block = rest;
    }
    found
}

/// Where the length of a ClientHello's extensions is.
fn extensions_at(hello: &[u8]) -> usize {
    let mut at = 4 + 2 + 32;
    for width in [1, 2, 1] {
        at += width + number(&hello[at..at + width]);
    }
    at
}
