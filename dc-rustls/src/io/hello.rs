//! What happens to hellos on their way: ClientHellos are edited, a ServerHello ends it.

use super::records::{Messages, Records, write_message};
use crate::view::client_hello;

/// How ClientHellos are edited.
#[derive(Debug)]
pub(super) enum Edit {
    /// Client: adds these extensions.
    Insert(&'static [u8]),
    /// Server: makes the offer of a credential something that rustls understands.
    Relabel(Offers),
}

impl Edit {
    fn apply(&mut self, mut hello: Vec<u8>) -> Vec<u8> {
        match self {
            // A hello that has no room for the extensions is one that rustls never makes; without
            // them the transcripts differ, and the handshake fails.
            Self::Insert(offer) => client_hello::insert_extensions(&hello, offer).unwrap_or(hello),
            Self::Relabel(offers) => {
                offers.see(&hello);
                client_hello::offer_to_rustls(&mut hello);
                hello
            }
        }
    }
}

/// What the ClientHellos of one client offer, which has to be the same in each: after a HelloRetryRequest
/// the credential that suited the first is sent (RFC 8446 §4.1.2, RFC 9345 §4.1.1).
#[derive(Debug, Default)]
pub(super) struct Offers {
    first: Option<Vec<Option<Vec<u8>>>>,
    changed: bool,
}

impl Offers {
    fn see(&mut self, hello: &[u8]) {
        let offer = client_hello::Offer::read(hello).unwrap_or_default();
        let seen: Vec<_> = [
            offer.rfc9345,
            offer.named,
            offer.signature_algorithms,
            offer.status_request,
        ]
        .map(|body| body.map(<[u8]>::to_vec))
        .into();
        self.changed |= *self.first.get_or_insert_with(|| seen.clone()) != seen;
    }
}

/// Edits the ClientHellos in one direction of a connection and passes everything else.
#[derive(Debug)]
pub(super) struct HelloEditor {
    edit: Edit,
    records: Records,
    messages: Messages,
    version: [u8; 2],
}

impl HelloEditor {
    pub(super) fn new(edit: Edit) -> Self {
        Self {
            edit,
            records: Records::default(),
            messages: Messages::default(),
            version: [3, 3],
        }
    }

    /// Takes any part of the stream and appends what can be passed on already.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.records.push(bytes);
        while let Some(record) = self.records.next_record() {
            // rustls refuses records without content, and others in the middle of a message; so neither
            // is put right here.
            if !record.is_handshake() || record.payload().is_empty() {
                write_message(self.version, &self.messages.take_rest(), out);
                out.extend_from_slice(record.bytes());
                continue;
            }
            self.version = record.version();
            self.messages.push(record.payload());
            self.pass_messages(out);
        }
    }

    /// Whether the client's second ClientHello offers something else than its first.
    pub(super) fn is_offer_changed(&self) -> bool {
        matches!(&self.edit, Edit::Relabel(offers) if offers.changed)
    }

    /// Passes on all that is left: no ClientHello will come any more.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        write_message(self.version, &self.messages.take_rest(), out);
        out.extend_from_slice(&self.records.take_rest());
    }

    fn pass_messages(&mut self, out: &mut Vec<u8>) {
        while self.messages.kind() == Some(CLIENT_HELLO) {
            let Some(hello) = self.messages.next_message() else {
                break;
            };
            write_message(self.version, &self.edit.apply(hello), out);
        }
        // Only a ClientHello is worth waiting for; what else comes is for rustls to judge.
        if self.messages.kind() != Some(CLIENT_HELLO) || self.messages.is_oversized() {
            write_message(self.version, &self.messages.take_rest(), out);
        }
    }
}

/// Waits for the ServerHello that ends the plaintext part of a handshake.
#[derive(Debug, Default)]
pub(super) struct ServerHelloWatch {
    records: Records,
    messages: Messages,
}

impl ServerHelloWatch {
    /// Takes any part of the server's stream, and says whether the ServerHello has passed.
    ///
    /// A HelloRetryRequest, which looks like one but for its random, does not count
    /// (RFC 8446 §4.1.3).
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        self.records.push(bytes);
        while let Some(record) = self.records.next_record() {
            if record.is_handshake() {
                self.messages.push(record.payload());
            }
        }
        while let Some(message) = self.messages.next_message() {
            if is_final_server_hello(&message) {
                return true;
            }
        }
        self.messages.is_oversized()
    }
}

fn is_final_server_hello(message: &[u8]) -> bool {
    let random = message.get(RANDOM..RANDOM + HELLO_RETRY_REQUEST.len());
    message.first() == Some(&SERVER_HELLO) && random != Some(&HELLO_RETRY_REQUEST)
}

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Where the random is: behind the message header and `legacy_version`.
const RANDOM: usize = 6;
/// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
