//! The socket adapter: edits the hellos that pass in plaintext, then is transparent.

mod crypto_stream;
mod early;
mod hello;
mod queue;
mod records;
#[cfg(all(feature = "tokio", any(feature = "client", feature = "server")))]
mod tokio;

use std::io::{self, IoSlice, Read, Write};

pub(crate) use self::crypto_stream::{Gathered, HelloGatherer};
pub(crate) use self::early::{EarlyRecords, Verdict};
pub(crate) use self::hello::Offers;
use self::hello::{Edit, HelloEditor, ServerHelloWatch};
use self::queue::Queue;
pub(crate) use self::records::{HelloRecord, in_records};
use self::records::{Messages, Piece, Records};
#[cfg(all(feature = "tokio", any(feature = "client", feature = "server")))]
pub(crate) use self::tokio::{complete, delegate_to_tls, finish};
use crate::Error;

/// A byte stream between rustls and the network, in the rustls view on one side and the wire view on
/// the other.
///
/// Once the ServerHello has passed, which ends the plaintext, it hands reads and writes straight
/// through.
#[derive(Debug)]
pub struct Adapter<T> {
    io: T,
    hellos: Hellos,
    /// Edited bytes that rustls has not read yet.
    inbound: Queue,
    /// A server's, as long as there may be early data that it does not take.
    early: Option<Box<EarlyRecords>>,
    /// Bytes that the network has not taken yet: edited, or held.
    outbound: Queue,
    /// True if every write is taken at once and waits here for the network.
    holds_writes: bool,
    /// True if a flush is not waited for: what is read or written next does it.
    defers_flushes: bool,
}

/// The direction that has hellos to edit; the ServerHello passes in the other.
///
/// In boxes, because a connection lives much longer than its hellos.
#[derive(Debug)]
enum Hellos {
    /// A client's: ClientHellos leave.
    Outbound(Box<(HelloEditor, ServerHelloWatch)>),
    /// A server's: ClientHellos arrive.
    Inbound(Box<(HelloEditor, ServerHelloWatch)>),
    /// There are no more.
    Over,
}

impl<T> Adapter<T> {
    /// For a client, which adds `offer` to every ClientHello.
    pub(crate) fn client(io: T, offer: &'static [u8]) -> Self {
        let editor = HelloEditor::new(Edit::Insert(offer));
        let hellos = Box::new((editor, ServerHelloWatch::default()));
        Self::new(io, Hellos::Outbound(hellos))
    }

    /// For a server with a credential; `received` is what was read from the network already.
    pub(crate) fn server(io: T, received: &[u8]) -> Self {
        Self::inbound(io, Edit::Relabel(Offers::for_credential()), received)
    }

    /// For a server without a credential; `received` is what was read from the network already.
    pub(crate) fn stock(io: T, received: &[u8]) -> Self {
        Self::inbound(io, Edit::Watch(Offers::for_stock()), received)
    }

    /// For a server whose rustls has had the first ClientHello, which came in this record.
    pub(crate) fn after_hello(io: T, has_credential: bool, mut record: Vec<u8>) -> Self {
        if let HelloRecord::Whole(hello) = HelloRecord::of(&record) {
            record.drain(..record.len() - hello.len());
        }
        let edit = match has_credential {
            true => Edit::Relabel(Offers::for_credential().after(record)),
            false => Edit::Watch(Offers::for_stock().after(record)),
        };
        let hellos = Box::new((HelloEditor::new(edit), ServerHelloWatch::default()));
        Self::new(io, Hellos::Inbound(hellos))
    }

    fn inbound(io: T, edit: Edit, received: &[u8]) -> Self {
        let mut editor = HelloEditor::new(edit);
        let mut inbound = Queue::default();
        editor.push(received, &mut inbound.bytes);
        let hellos = Box::new((editor, ServerHelloWatch::default()));
        Self {
            inbound,
            ..Self::new(io, Hellos::Inbound(hellos))
        }
    }

    fn new(io: T, hellos: Hellos) -> Self {
        Self {
            io,
            hellos,
            inbound: Queue::default(),
            early: None,
            outbound: Queue::default(),
            holds_writes: false,
            defers_flushes: false,
        }
    }

    /// Keeps early data from rustls, if the client has announced some, until it is known whether it is taken, and skips up
    /// to `limit` bytes of it if not.
    pub(crate) fn skipping_early_data(mut self, limit: usize) -> Self {
        if !matches!(&self.hellos, Hellos::Inbound(hellos) if hellos.0.has_early_data()) {
            return self;
        }
        self.early = Some(Box::new(EarlyRecords::new(limit)));
        let received = std::mem::take(&mut self.inbound).bytes;
        self.hand_in(&received);
        self
    }

    /// True as long as rustls has not said what it does with early data.
    pub(crate) fn awaits_verdict(&self) -> bool {
        self.early
            .as_ref()
            .is_some_and(|early| early.awaits_verdict())
    }

    /// Skips early data or not, as rustls does.
    pub(crate) fn judge_early_data(&mut self, verdict: Verdict) {
        if let Some(early) = &mut self.early {
            early.judge(verdict, &mut self.inbound.bytes);
        }
        self.drop_early_records();
    }

    /// Queues edited bytes for rustls, without the early data that it does not take.
    fn hand_in(&mut self, edited: &[u8]) {
        match &mut self.early {
            Some(early) => early.push(edited, &mut self.inbound.bytes),
            None => self.inbound.bytes.extend_from_slice(edited),
        }
        self.drop_early_records();
    }

    /// Lets rustls judge early data that is there and about which it has said nothing, though it has all that came before.
    fn gives_up_waiting(&mut self) -> bool {
        let gives_up = self.early.as_ref().is_some_and(|early| early.is_held());
        if gives_up {
            self.judge_early_data(Verdict::Accepted);
        }
        gives_up
    }

    fn drop_early_records(&mut self) {
        self.early = self.early.take().filter(|early| !early.is_over());
    }

    /// The network side.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// The network side; what is read from or written to it directly is not TLS that works.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// The network side, unless something still waits here for one end to take it.
    pub(crate) fn into_transparent(self) -> Option<T> {
        let is_empty = self.inbound.is_empty() && self.outbound.is_empty() && self.early.is_none();
        (is_empty && matches!(self.hellos, Hellos::Over)).then_some(self.io)
    }

    /// Takes all that rustls wants to send and queues what the peer shall see. Returns 0, with nothing taken,
    /// when it would be the same and need not wait.
    fn queue_all(&mut self, bufs: &[IoSlice<'_>]) -> usize {
        let mut queued = 0;
        for buf in bufs {
            if self.queue_outbound(buf) {
                queued += buf.len();
            }
        }
        queued
    }

    fn queue_outbound(&mut self, bytes: &[u8]) -> bool {
        if let Hellos::Outbound(hellos) = &mut self.hellos {
            let (editor, _) = &mut **hellos;
            editor.push(bytes, &mut self.outbound.bytes);
            return true;
        }
        if self.holds_writes {
            self.outbound.bytes.extend_from_slice(bytes);
            self.watch_outbound(bytes);
        }
        self.holds_writes
    }

    /// Takes what the peer sent and queues what rustls shall see.
    ///
    /// Fails with [`Error::OfferChanged`], and then has an alert to flush, which rustls has no reason
    /// to send.
    fn edit_inbound(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Hellos::Inbound(hellos) = &mut self.hellos else {
            self.hand_in(bytes);
            return Ok(());
        };
        let (editor, _) = &mut **hellos;
        let mut edited = Vec::new();
        editor.push(bytes, &mut edited);
        let is_offer_changed = editor.is_offer_changed();
        self.hand_in(&edited);
        if is_offer_changed {
            self.outbound.bytes.extend_from_slice(&ILLEGAL_PARAMETER);
            self.hellos = Hellos::Over;
            let error = Error::OfferChanged;
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(())
    }

    /// True if what the peer sends has to go through [`edit_inbound`](Self::edit_inbound).
    fn edits_inbound(&self) -> bool {
        matches!(self.hellos, Hellos::Inbound(_)) || self.early.is_some()
    }

    /// Looks at what the peer sent to a client.
    fn watch_inbound(&mut self, bytes: &[u8]) {
        if let Hellos::Outbound(hellos) = &mut self.hellos
            && let (editor, watch) = &mut **hellos
            && watch.push(bytes)
        {
            editor.finish(&mut self.outbound.bytes);
            self.hellos = Hellos::Over;
        }
    }

    /// Looks at the first `written` bytes, which a server has sent to its peer.
    fn watch_written(&mut self, bufs: &[IoSlice<'_>], mut written: usize) {
        for buf in bufs {
            let sent = buf.get(..written).unwrap_or(buf);
            self.watch_outbound(sent);
            written -= sent.len();
        }
    }

    fn watch_outbound(&mut self, bytes: &[u8]) {
        if let Hellos::Inbound(hellos) = &mut self.hellos
            && let (editor, watch) = &mut **hellos
            && watch.push(bytes)
        {
            let mut rest = Vec::new();
            editor.finish(&mut rest);
            self.hellos = Hellos::Over;
            self.hand_in(&rest);
        }
    }
}

#[cfg(feature = "tokio")]
impl<T> Adapter<T> {
    /// Takes all that is written until the handshake is over.
    ///
    /// An asynchronous TLS stream tries to write an alert once and forgets it with the connection; here
    /// it stays until it is flushed. A handshake's own messages are few and small.
    pub(crate) fn holding_writes(mut self) -> Self {
        self.holds_writes = true;
        self
    }

    /// Lets the handshake end before the network has taken all that was written.
    ///
    /// A server's tickets come last, and a client that reads nothing before it has sent its request never makes room for
    /// them.
    pub(crate) fn deferring_flushes(mut self) -> Self {
        self.defers_flushes = true;
        self
    }

    /// From now on, only what the network takes is taken.
    pub(crate) fn release_writes(&mut self) {
        self.holds_writes = false;
        self.defers_flushes = false;
    }
}

impl<T: Read> Read for Adapter<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.inbound.read(buf);
            if read > 0 || buf.is_empty() {
                return Ok(read);
            }
            if !self.edits_inbound() {
                let read = self.io.read(buf)?;
                self.watch_inbound(buf.get(..read).unwrap_or_default());
                return Ok(read);
            }
            if self.gives_up_waiting() {
                continue;
            }
            if self.read_hello()? == 0 {
                return Ok(0);
            }
        }
    }
}

impl<T: Read> Adapter<T> {
    /// Reads from the network and queues what rustls shall see.
    ///
    /// Not over the stack, of which a thread keeps every page that was ever written.
    fn read_hello(&mut self) -> io::Result<usize> {
        let mut chunk = vec![0; CHUNK];
        let read = self.io.read(&mut chunk)?;
        self.edit_inbound(chunk.get(..read).unwrap_or_default())?;
        Ok(read)
    }
}

impl<T: Write> Adapter<T> {
    fn drain(&mut self) -> io::Result<()> {
        while !self.outbound.is_empty() {
            match self.io.write(self.outbound.unread()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.outbound.advance(written),
                // A caller would try again with what is in the queue already.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<T: Write> Write for Adapter<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    /// rustls hands over all of its records at once. They leave together: a packet of its own for each would wait
    /// until the peer acknowledges the one before, which takes it up to 40 ms (RFC 1122 §4.2.3.2 and §4.2.3.4).
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.drain()?;
        let queued = self.queue_all(bufs);
        if queued > 0 {
            // The bytes are ours now, so that the network is not ready for them is for `flush` or the
            // next `write` to say.
            return match self.drain() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
                _ => Ok(queued),
            };
        }
        let written = self.io.write_vectored(bufs)?;
        self.watch_written(bufs, written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.io.flush()
    }
}

/// True if the peer takes no more; what it sent before may still be there to read.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset
    )
}

/// The first handshake message of a plaintext byte stream, whatever other records are in front of it; empty if it is not there
/// whole.
pub(crate) fn first_message(received: &[u8]) -> Vec<u8> {
    let (mut records, mut messages) = (Records::default(), Messages::default());
    records.push(received);
    while let Some(piece) = records.next_piece() {
        if let Piece::Handshake(record) = piece {
            messages.push(record.payload());
        }
    }
    messages
        .next_message()
        .map(<[u8]>::to_vec)
        .unwrap_or_default()
}

/// A fatal alert in plaintext (RFC 8446 §6).
const ILLEGAL_PARAMETER: [u8; 7] = [21, 3, 3, 0, 2, 2, 47];
/// A ClientHello with room to spare.
const CHUNK: usize = 4096;

#[cfg(test)]
mod tests;
