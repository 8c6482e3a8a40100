//! The first message of a client, which rustls reads once where nothing else has arrived.

use rustls::server::{Accepted, ClientHello};
use rustls::{AlertDescription, ServerConfig};

use super::offer::{self, Offered};
use crate::io::{HelloRecord, first_message};
use crate::view::client_hello::{self, Relabelling, relabel};

/// A ClientHello that is arriving.
#[derive(Default)]
pub(super) struct Greeting {
    /// All that was read.
    received: Vec<u8>,
    /// From when on it is more or less than one ClientHello in one record.
    pieces: Option<Box<Pieces>>,
}

/// The first message of a client.
pub(super) enum Heard {
    Hello(Hello),
    /// Something that rustls refuses, with all that was read.
    Nonsense(Vec<u8>),
    /// More than anybody has to say, and not yet the end.
    TooMuch,
}

/// A whole ClientHello that rustls has accepted.
pub(super) struct Hello {
    accepted: Box<Accepted>,
    view: View,
    /// The offer in it, or the alert that the client is owed.
    pub(super) offered: Result<Offered, AlertDescription>,
    /// All that was read.
    received: Vec<u8>,
}

/// The form in which rustls has read a ClientHello.
#[derive(Clone, Copy)]
enum View {
    /// As it is on the wire, in the one record that has arrived.
    Wire,
    /// The same, with its offer of a credential relabelled.
    Rustls,
    /// As it is on the wire, and there was more than one record, or something else in it.
    Pieces,
}

/// The state in which rustls takes a connection over.
pub(super) enum Beginning {
    /// It has accepted the ClientHello in this record, behind which nothing has arrived.
    Accepted {
        accepted: Box<Accepted>,
        record: Vec<u8>,
    },
    /// It starts over with all that was read.
    Over(Vec<u8>),
}

/// Something that rustls takes for no ClientHello. Its alert is not kept: some are not those of a connection.
struct Refused;

impl Greeting {
    /// Takes what was read, and says what it is once it is whole. rustls's copies of it stay in this call.
    #[inline(never)]
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<Heard> {
        self.received.extend_from_slice(bytes);
        let heard = match (&mut self.pieces, HelloRecord::of(&self.received)) {
            // rustls does not look into a record that is not whole.
            (None, HelloRecord::Cut) => return too_much(&self.received),
            (None, HelloRecord::Whole(message)) => hear_record(&self.received, message),
            (pieces, _) => {
                let pieces = pieces.get_or_insert_default();
                let Some(accepted) = pieces.hear(&self.received) else {
                    return too_much(&self.received);
                };
                accepted.map(|accepted| {
                    let (_, offered) = read_offer(&first_message(&self.received));
                    (accepted, View::Pieces, offered)
                })
            }
        };
        let received = std::mem::take(&mut self.received);
        Some(match heard {
            Ok((accepted, view, offered)) => Heard::Hello(Hello {
                accepted,
                view,
                offered,
                received,
            }),
            Err(Refused) => Heard::Nonsense(received),
        })
    }
}

impl Hello {
    /// The hello, for whoever decides on it.
    pub(super) fn client_hello(&self) -> ClientHello<'_> {
        self.accepted.client_hello()
    }

    /// The beginning of a connection that is made with `config`, which serves with a credential or without.
    ///
    /// rustls goes on with what it has read if that is what it would read again, and if a connection that is made so
    /// knows all that another would: of a provider with FIPS validation it knows only when it is made of it. Not behind
    /// a hello that announces early data, which the socket has to see with it.
    pub(super) fn begin(self, config: &ServerConfig, has_credential: bool) -> Beginning {
        let is_same = match self.view {
            View::Wire => true,
            View::Rustls => has_credential,
            View::Pieces => false,
        };
        let is_early = self.offered.is_ok_and(|offered| offered.has_early_data);
        match is_same && !is_early && !config.fips() {
            true => Beginning::Accepted {
                accepted: self.accepted,
                record: self.received,
            },
            false => Beginning::Over(self.received),
        }
    }
}

/// Says whether what has not ended should have.
fn too_much(received: &[u8]) -> Option<Heard> {
    (received.len() >= MAX_GREETING).then_some(Heard::TooMuch)
}

type Parts = (Box<Accepted>, View, Result<Offered, AlertDescription>);

/// Lets rustls read the only record that there is, with its message as a connection with a credential has to see it.
fn hear_record(record: &[u8], message: &[u8]) -> Result<Parts, Refused> {
    let (relabelling, offered) = read_offer(message);
    let mut acceptor = rustls::server::Acceptor::default();
    let Relabelling::Done(form) = relabelling else {
        let accepted = hear(&mut acceptor, record).unwrap_or(Err(Refused));
        return Ok((accepted?, View::Wire, offered));
    };
    let mut relabelled = record.to_vec();
    let at = record.len() - message.len();
    relabel(relabelled.get_mut(at..).unwrap_or_default(), form);
    let accepted = hear(&mut acceptor, &relabelled).unwrap_or(Err(Refused));
    Ok((accepted?, View::Rustls, offered))
}

/// The offer of a ClientHello, or the alert for it, and how a credential can answer it.
fn read_offer(message: &[u8]) -> (Relabelling, Result<Offered, AlertDescription>) {
    match client_hello::Offer::read(message) {
        Ok(extensions) => (extensions.relabelling(), offer::read(&extensions)),
        Err(_) => (Relabelling::Impossible, Err(AlertDescription::DecodeError)),
    }
}

/// Lets rustls read on. `None` if that is no whole message yet.
fn hear(
    acceptor: &mut rustls::server::Acceptor,
    mut bytes: &[u8],
) -> Option<Result<Box<Accepted>, Refused>> {
    while !bytes.is_empty() {
        if acceptor.read_tls(&mut bytes).is_err() {
            return Some(Err(Refused));
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Some(Ok(Box::new(accepted))),
            Err(_) => return Some(Err(Refused)),
        }
    }
    None
}

/// A ClientHello in any records, with warnings in front of it.
#[derive(Default)]
struct Pieces {
    acceptor: rustls::server::Acceptor,
    /// How much of what was read was heard or skipped.
    heard: usize,
    /// How many warnings were skipped; none is once anything else was heard.
    skipped: usize,
}

impl Pieces {
    /// Hears what is new in `received`, which is all that was read. `None` if that is not all of a message.
    fn hear(&mut self, received: &[u8]) -> Option<Result<Box<Accepted>, Refused>> {
        if !self.skip_warnings(received) {
            return None;
        }
        let rest = received.get(self.heard..).unwrap_or_default();
        self.heard = received.len();
        hear(&mut self.acceptor, rest)
    }

    /// Skips the warnings in front of a ClientHello, which a connection of rustls ignores and its `Acceptor` does not. Says whether
    /// the first of something else is there.
    fn skip_warnings(&mut self, received: &[u8]) -> bool {
        while self.heard == self.skipped * WARNING.len() && self.skipped < WARNINGS {
            let next = received.get(self.heard..).unwrap_or_default();
            let fits = |(byte, expected): (&u8, &Option<u8>)| expected.is_none_or(|it| it == *byte);
            match next.iter().zip(&WARNING).all(fits) {
                true if next.len() < WARNING.len() => return false,
                true => (self.heard, self.skipped) = (self.heard + WARNING.len(), self.skipped + 1),
                false => return true,
            }
        }
        true
    }
}

/// After so many bytes, in records, a ClientHello has to have ended: anybody can have a server keep them, twice. BoringSSL takes
/// none of more than 16 KiB; and below this, neither rustls's buffer nor ours grows beyond 32 KiB.
const MAX_GREETING: usize = 28 << 10;
/// The record of an alert whose level is warning (RFC 8446 §5.1 and §6), of any version that rustls takes.
const WARNING: [Option<u8>; 7] = [Some(21), Some(3), None, Some(0), Some(2), Some(1), None];
/// How many of them rustls ignores.
const WARNINGS: usize = 4;
