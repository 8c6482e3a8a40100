//! The two hellos, as they were on the wire: they are there even if the handshake failed.

use dc_core::{Form, SchemeList};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

/// The credentials that a ClientHello offered to understand.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Offered {
    /// The forms of credentials, each with the schemes that their keys may have.
    pub credentials: Vec<(Form, SchemeList)>,
}

/// The choices of a ServerHello.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Chosen {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The group of the key exchange, where the ServerHello says it: in TLS 1.3.
    pub group: Option<NamedGroup>,
}

/// The offer of the first ClientHello in these bytes of a connection.
pub(super) fn client_hello(sent: &[u8]) -> Option<Offered> {
    let messages = plaintext(sent);
    let hello = message(&messages, CLIENT_HELLO).next()?;
    let mut hello = Cursor(hello);
    hello.take(VERSION_AND_RANDOM)?;
    hello.vector(1)?;
    hello.vector(2)?;
    hello.vector(1)?;
    let extensions = extensions(hello.vector(2)?);
    let list = |form: Form| {
        let (_, body) = extensions
            .iter()
            .find(|(id, _)| *id == form.extension_type())?;
        Some((form, SchemeList::decode(body).ok()?))
    };
    Some(Offered {
        credentials: [Form::Named, Form::Rfc9345]
            .into_iter()
            .filter_map(list)
            .collect(),
    })
}

/// The choices of the last ServerHello in these bytes of a connection.
pub(super) fn server_hello(received: &[u8]) -> Option<Chosen> {
    let messages = plaintext(received);
    // A HelloRetryRequest has the same form, and a ServerHello behind it.
    let hello = message(&messages, SERVER_HELLO).last()?;
    let mut hello = Cursor(hello);
    let version = Cursor(hello.take(VERSION_AND_RANDOM)?).u16()?;
    hello.vector(1)?;
    let cipher_suite = hello.u16()?;
    hello.take(1)?;
    let extensions = extensions(hello.vector(2).unwrap_or_default());
    let first = |wanted| {
        let (_, body) = extensions.iter().find(|(id, _)| *id == wanted)?;
        Cursor(body).u16()
    };
    Some(Chosen {
        version: first(SUPPORTED_VERSIONS).unwrap_or(version).into(),
        cipher_suite: cipher_suite.into(),
        group: first(KEY_SHARE).map(NamedGroup::from),
    })
}

/// The handshake messages in the plaintext records at the beginning, one behind the other.
fn plaintext(connection: &[u8]) -> Vec<u8> {
    let (mut records, mut messages) = (Cursor(connection), Vec::new());
    let mut next = || {
        let kind = records.take(1)?;
        records.take(2)?;
        Some((*kind.first()?, records.vector(2)?))
    };
    while let Some((kind, body)) = next() {
        match kind {
            HANDSHAKE => messages.extend_from_slice(body),
            CHANGE_CIPHER_SPEC => {}
            _ => break,
        }
    }
    messages
}

/// The bodies of all whole messages of one type.
fn message(messages: &[u8], wanted: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Cursor(messages);
    let next = move || {
        let kind = rest.take(1)?;
        Some((*kind.first()?, rest.vector(3)?))
    };
    std::iter::from_fn(next)
        .filter(move |(kind, _)| *kind == wanted)
        .map(|(_, body)| body)
}

fn extensions(list: &[u8]) -> Vec<(u16, &[u8])> {
    let (mut list, mut found) = (Cursor(list), Vec::new());
    let mut next = || Some((list.u16()?, list.vector(2)?));
    while let Some(extension) = next() {
        found.push(extension);
    }
    found
}

/// The bytes that are left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        let bytes = self.take(bytes)?.iter();
        Some(bytes.fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    fn u16(&mut self) -> Option<u16> {
        self.number(2)?.try_into().ok()
    }

    /// A vector whose length has so many bytes.
    fn vector(&mut self, length_bytes: usize) -> Option<&'a [u8]> {
        let length = self.number(length_bytes)?;
        self.take(length)
    }
}

const HANDSHAKE: u8 = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const VERSION_AND_RANDOM: usize = 2 + 32;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record with one handshake message, whose body begins with version and random.
    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let body = [&[3, 3][..], &[7; 32], body].concat();
        let length = u8::try_from(body.len()).unwrap();
        let message = [&[kind, 0, 0, length][..], &body].concat();
        [&[22, 3, 1, 0, length + 4][..], &message].concat()
    }

    /// No session, one suite, no compression, these extensions.
    fn server(extensions: &[u8]) -> Vec<u8> {
        let length = u8::try_from(extensions.len()).unwrap();
        record(
            2,
            &[&[0, 0x13, 0x02, 0, 0, length][..], extensions].concat(),
        )
    }

    #[test]
    fn a_client_hello_says_which_credentials_it_takes() {
        let body = [
            0, 0, 2, 0x13, 1, 1, 0, 0, 14, 0xff, 0x22, 0, 4, 0, 2, 4, 3, 0, 1, 0, 2, 0, 0,
        ];
        let offered = client_hello(&record(1, &body)).unwrap();
        let schemes = SchemeList::decode(&[0, 2, 4, 3]).unwrap();
        assert_eq!(offered.credentials, [(Form::Named, schemes)]);
    }

    #[test]
    fn a_server_hello_says_version_suite_and_group() {
        let chosen = server_hello(&server(&[0, 43, 0, 2, 3, 4, 0, 51, 0, 4, 0, 29, 0, 0])).unwrap();
        assert_eq!(chosen.version, ProtocolVersion::TLSv1_3);
        assert_eq!(chosen.cipher_suite, CipherSuite::TLS13_AES_256_GCM_SHA384);
        assert_eq!(chosen.group, Some(NamedGroup::X25519));
    }

    #[test]
    fn below_tls_1_3_the_version_is_the_first_field() {
        let chosen = server_hello(&server(&[])).unwrap();
        assert_eq!(chosen.version, ProtocolVersion::TLSv1_2);
        assert_eq!(chosen.group, None);
    }

    #[test]
    fn the_second_server_hello_counts() {
        let retry = server(&[0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 24]);
        let second = server(&[0, 43, 0, 2, 3, 4, 0, 51, 0, 4, 0, 23, 0, 0]);
        let bytes = [
            &retry[..],
            &[20, 3, 3, 0, 1, 1],
            &second,
            &[23, 3, 3, 0, 1, 0],
        ]
        .concat();
        let chosen = server_hello(&bytes).unwrap();
        assert_eq!(chosen.group, Some(NamedGroup::secp256r1));
    }

    #[test]
    fn every_truncation_is_nothing() {
        let whole = server(&[]);
        for length in 0..whole.len() {
            assert_eq!(server_hello(&whole[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes: Vec<u8>) {
            let _ = (client_hello(&bytes), server_hello(&bytes));
            if let Some(start) = bytes.get_mut(..6) { start.copy_from_slice(&[22, 3, 1, 0, 40, 2]); }
            let _ = (client_hello(&bytes), server_hello(&bytes));
        }
    }
}
