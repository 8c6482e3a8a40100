//! Early data (RFC 8446 §2.3): what a client sends with its first flight, to a peer that it knows from a session.

use std::fmt;
use std::io::{self, Write};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::Peer;
use super::sessions::ConnectionSessions;
use super::standing::proves;
use crate::handover;
use crate::{Error, Refusal};

/// The early data of one connection that is about to be made, and whom it is for.
///
/// The peer is the one that the session was made with: a credential that has ended, or that
/// [`Builder::authorize`](super::Builder::authorize) does not want any more, has no sessions.
pub struct EarlyData<'a> {
    bytes: Vec<u8>,
    /// How many there may be.
    limit: usize,
    peer: &'a Peer,
    wanted: &'a ServerName<'static>,
    protocol: Option<&'a [u8]>,
}

impl EarlyData<'_> {
    /// The server that the session was made with, and the only one that can read what is written here.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        self.peer
    }

    /// True if that server has proved to be `name`, as
    /// [`Stream::authenticates`](super::Stream::authenticates) says it of a connection.
    #[must_use]
    pub fn authenticates(&self, name: &ServerName<'_>) -> bool {
        proves(self.peer, self.wanted, name)
    }

    /// The application protocol of the session, if there was one, and so of what is written here (RFC 8446 §4.2.10).
    ///
    /// A server that would now speak another one rejects early data; one that takes it all the same is refused, with
    /// [`Refusal::ProtocolChanged`](crate::Refusal::ProtocolChanged).
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.protocol
    }

    /// How many more bytes can be written: what the server allows, but 64 KiB at most, as the network may take them before
    /// the server reads any.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.limit.saturating_sub(self.bytes.len())
    }
}

impl Write for EarlyData<'_> {
    /// Takes no more than [`remaining`](EarlyData::remaining) bytes, and keeps them until the handshake begins.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let taken = buf.len().min(self.remaining());
        self.bytes
            .extend_from_slice(buf.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for EarlyData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlyData")
            .field("peer", self.peer)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// The fate of a connection's early data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EarlyDataStatus {
    /// Nothing was sent early.
    NotSent,
    /// The server has it. It arrived once, or more often if somebody replayed it and the server takes no care.
    Accepted,
    /// The server ignored it: whoever wrote it sends it again, on the connection that there is now.
    Rejected,
}

/// The end of a handshake in which early data was sent or not: its fate. Tells the sessions what was agreed on.
///
/// Fails with [`Refusal::ProtocolChanged`], and then the connection has an alert to send.
pub(super) fn settle(
    connection: &mut ClientConnection,
    sessions: &ConnectionSessions,
    sent: bool,
) -> Result<EarlyDataStatus, Error> {
    sessions.agreed_on(connection.alpn_protocol());
    match (sent, connection.is_early_data_accepted()) {
        (false, _) => return Ok(EarlyDataStatus::NotSent),
        (true, false) => return Ok(EarlyDataStatus::Rejected),
        (true, true) => {}
    }
    let protocol = sessions.resumed_protocol().flatten();
    if protocol.as_deref() == connection.alpn_protocol() {
        return Ok(EarlyDataStatus::Accepted);
    }
    let refusal = Refusal::ProtocolChanged;
    handover::scope(|| {
        // The alert goes out in the place of this one, which is all that rustls lets an application send.
        handover::leave_alert(refusal.alert());
        connection.send_close_notify();
    });
    Err(Error::Refused(refusal))
}

/// Lets the application write early data into a connection that has sent nothing yet, and says whether it did.
///
/// It is not asked unless the peer is known.
pub(super) fn write(
    connection: &mut ClientConnection,
    sessions: &ConnectionSessions,
    wanted: &ServerName<'static>,
    fill: impl FnOnce(&mut EarlyData<'_>) -> io::Result<()>,
) -> io::Result<bool> {
    let (Some(peer), Some(protocol)) = (sessions.so_far(), sessions.resumed_protocol()) else {
        return Ok(false);
    };
    let Some(allowed) = connection.early_data().map(|it| it.bytes_left()) else {
        return Ok(false);
    };
    let mut early = EarlyData {
        bytes: Vec::new(),
        limit: allowed.min(MOST),
        peer: &peer,
        wanted,
        protocol: protocol.as_deref(),
    };
    // The store gives sessions by name; whatever it gave, nothing goes to anybody else.
    if !early.authenticates(wanted) {
        return Ok(false);
    }
    fill(&mut early)?;
    send(connection, &early.bytes)?;
    Ok(!early.bytes.is_empty())
}

/// Gives rustls all of it at once: it would count what it has no room for as sent.
fn send(connection: &mut ClientConnection, bytes: &[u8]) -> io::Result<()> {
    connection.set_buffer_limit(None);
    let sent = match connection.early_data() {
        Some(mut writer) => writer.write_all(bytes),
        None => Ok(()),
    };
    connection.set_buffer_limit(Some(BUFFER_LIMIT));
    sent
}

/// The most that is sent early.
const MOST: usize = 1 << 16;
/// That of rustls, unless an application sets another.
const BUFFER_LIMIT: usize = 1 << 16;
