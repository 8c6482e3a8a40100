//! Hellos on their way: ClientHellos are edited or looked at, a ServerHello ends it.

use super::records::{Messages, Piece, Records, is_oversized, split_message, write_message};
use crate::view::client_hello;

/// The edit of ClientHellos.
#[derive(Debug)]
pub(super) enum Edit {
    /// Client: adds these extensions.
    Insert(&'static [u8]),
    /// Server: makes the offer of a credential something that rustls understands.
    Relabel(Offers),
    /// Server without a credential: none, but the second hello may offer nothing else than the first.
    Watch(Offers),
}

impl Edit {
    /// Appends the hello in the other view.
    fn apply(&mut self, hello: &[u8], out: &mut Vec<u8>) {
        match self {
            // A hello that has no room for the extensions is one that rustls never makes; without
            // them the transcripts differ, and the handshake fails.
            Self::Insert(offer) => match client_hello::insert_extensions(hello, offer) {
                Some(edited) => out.extend_from_slice(&edited),
                None => out.extend_from_slice(hello),
            },
            Self::Relabel(offers) => {
                offers.see(hello);
                let at = out.len();
                out.extend_from_slice(hello);
                client_hello::offer_to_rustls(out.get_mut(at..).unwrap_or_default());
            }
            Self::Watch(offers) => {
                offers.see(hello);
                out.extend_from_slice(hello);
            }
        }
    }
}

/// The offers in one client's ClientHellos, which have to be the same in each: after a HelloRetryRequest
/// the credential that suited the first is sent (RFC 8446 §4.1.2, RFC 9345 §4.1.1).
#[derive(Debug)]
pub(crate) struct Offers {
    /// The first ClientHello.
    first: Option<Vec<u8>>,
    changed: bool,
    has_early_data: bool,
    of: Compared,
}

/// The extensions that have to be the same.
#[derive(Clone, Copy, Debug)]
enum Compared {
    /// Those that decide on the credential, and the one that carries it in the rustls view.
    Credential,
    /// The two that offer a form: the others are for the stock configuration to judge.
    Forms,
}

impl Compared {
    /// Their bodies, and whether a session is offered. `None` for a broken hello, which is for rustls to refuse.
    fn read(self, hello: &[u8]) -> Option<([Option<&[u8]>; 4], bool)> {
        let offer = client_hello::Offer::read(hello).ok()?;
        Some(match self {
            Self::Credential => {
                let (algorithms, status) = (offer.signature_algorithms, offer.status_request);
                (
                    [offer.rfc9345, offer.named, algorithms, status],
                    offer.has_session,
                )
            }
            Self::Forms => ([offer.rfc9345, offer.named, None, None], false),
        })
    }

    /// True if the second hello offers something else. It may leave a session out, but the end of one that it adds was not
    /// looked at.
    fn differ(self, first: &[u8], second: &[u8]) -> bool {
        let (Some((first, had_session)), Some((second, has_session))) =
            (self.read(first), self.read(second))
        else {
            return false;
        };
        first != second || (has_session && !had_session)
    }
}

impl Offers {
    /// For a connection with a credential.
    pub(crate) fn for_credential() -> Self {
        Self::of(Compared::Credential)
    }

    /// For a connection without one.
    pub(crate) fn for_stock() -> Self {
        Self::of(Compared::Forms)
    }

    fn of(of: Compared) -> Self {
        Self {
            first: None,
            changed: false,
            has_early_data: false,
            of,
        }
    }

    /// The same behind this ClientHello, the first.
    pub(super) fn after(self, hello: Vec<u8>) -> Self {
        Self {
            first: Some(hello),
            ..self
        }
    }

    /// Looks at one whole ClientHello.
    pub(crate) fn see(&mut self, hello: &[u8]) {
        let Some(first) = &self.first else {
            self.has_early_data =
                client_hello::Offer::read(hello).is_ok_and(|offer| offer.has_early_data);
            self.first = Some(hello.to_vec());
            return;
        };
        self.changed |= self.of.differ(first, hello);
    }

    /// True if the second ClientHello offers something else than the first.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }
}

/// Edits the ClientHellos in one direction of a connection and passes everything else.
#[derive(Debug)]
pub(super) struct HelloEditor {
    edit: Edit,
    records: Records,
    hello: Unfinished,
}

/// A ClientHello that is spread over records and not there whole.
#[derive(Debug)]
struct Unfinished {
    bytes: Vec<u8>,
    /// The `legacy_record_version` of its last record.
    version: [u8; 2],
}

impl HelloEditor {
    pub(super) fn new(edit: Edit) -> Self {
        Self {
            edit,
            records: Records::default(),
            hello: Unfinished {
                bytes: Vec::new(),
                version: [3, 3],
            },
        }
    }

    /// Takes any part of the stream and appends what can be passed on already.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.records.push(bytes);
        while let Some(piece) = self.records.next_piece() {
            match piece {
                Piece::Handshake(record) => {
                    self.hello.version = record.version();
                    self.hello.push(record.payload(), &mut self.edit, out);
                }
                // rustls refuses it in the middle of a message; so that is not put right here.
                Piece::Other(bytes) => {
                    self.hello.pass(out);
                    out.extend_from_slice(bytes);
                }
            }
        }
    }

    /// True if the client's second ClientHello offers something else than its first.
    pub(super) fn is_offer_changed(&self) -> bool {
        matches!(&self.edit, Edit::Relabel(offers) | Edit::Watch(offers) if offers.is_changed())
    }

    /// True if the client may send early data behind a ClientHello that has passed.
    pub(super) fn has_early_data(&self) -> bool {
        matches!(&self.edit, Edit::Relabel(offers) | Edit::Watch(offers) if offers.has_early_data)
    }

    /// Passes on all that is left: no ClientHello will come any more.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.hello.pass(out);
        out.extend_from_slice(&self.records.take_rest());
    }
}

impl Unfinished {
    /// Takes what is in the next handshake record, and passes it on unless a ClientHello has to be waited for.
    ///
    /// rustls refuses a ClientHello with something behind it in its record, so what was in one record stays
    /// in one.
    fn push(&mut self, payload: &[u8], edit: &mut Edit, out: &mut Vec<u8>) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        if self.is_awaited() {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        let (mut edited, mut rest) = (Vec::with_capacity(bytes.len()), bytes.as_slice());
        let mut hellos = 0;
        while let Some((hello, behind)) = split_message(rest)
            && hello.first() == Some(&CLIENT_HELLO)
        {
            edit.apply(hello, &mut edited);
            (hellos, rest) = (hellos + 1, behind);
        }
        let last_record = match (hellos, rest) {
            (1, []) => 0,
            _ => before,
        };
        edited.extend_from_slice(rest);
        let (earlier, last) = edited.split_at(last_record.min(edited.len()));
        write_message(self.version, earlier, out);
        write_message(self.version, last, out);
    }

    /// Only a ClientHello is worth waiting for; what else comes is for rustls to judge.
    fn is_awaited(&self) -> bool {
        self.bytes.first() == Some(&CLIENT_HELLO)
            && split_message(&self.bytes).is_none()
            && !is_oversized(&self.bytes)
    }

    fn pass(&mut self, out: &mut Vec<u8>) {
        write_message(self.version, &std::mem::take(&mut self.bytes), out);
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
        while let Some(piece) = self.records.next_piece() {
            if let Piece::Handshake(record) = piece {
                self.messages.push(record.payload());
            }
        }
        while let Some(message) = self.messages.next_message() {
            if is_final_server_hello(message) {
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
