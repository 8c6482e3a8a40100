//! Early data (RFC 8446 §2.3): what a client sends with its first flight, to a peer that it knows from a session.

use std::fmt;
use std::io::{self, Write};

use rustls::ClientConnection;
use rustls::client::WriteEarlyData;
use rustls::pki_types::ServerName;

use super::Peer;
use super::sessions::ConnectionSessions;
use super::standing::proves;

/// The early data of one connection that is about to be made, and whom it is for.
///
/// The peer is the one that the session was made with: a credential that has ended, or that
/// [`Builder::authorize`](super::Builder::authorize) does not want any more, has no sessions.
pub struct EarlyData<'a> {
    writer: WriteEarlyData<'a>,
    peer: &'a Peer,
    wanted: &'a ServerName<'static>,
    written: bool,
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

    /// How many more bytes the server allows.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.writer.bytes_left()
    }
}

impl Write for EarlyData<'_> {
    /// Takes no more than [`remaining`](EarlyData::remaining) bytes. They are sent when the handshake begins.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(buf)?;
        self.written |= written > 0;
        Ok(written)
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

impl EarlyDataStatus {
    /// The status at the end of the handshake.
    pub(super) fn of(connection: &ClientConnection, sent: bool) -> Self {
        match (sent, connection.is_early_data_accepted()) {
            (false, _) => Self::NotSent,
            (true, true) => Self::Accepted,
            (true, false) => Self::Rejected,
        }
    }
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
    let (Some(peer), Some(writer)) = (sessions.so_far(), connection.early_data()) else {
        return Ok(false);
    };
    let mut early = EarlyData {
        writer,
        peer: &peer,
        wanted,
        written: false,
    };
    // The store gives sessions by name; whatever it gave, nothing goes to anybody else.
    if !early.authenticates(wanted) {
        return Ok(false);
    }
    fill(&mut early)?;
    Ok(early.written)
}
