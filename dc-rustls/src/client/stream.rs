//! A blocking connection to a server.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::Peer;
use super::sessions::ConnectionSessions;
use crate::Error;
use crate::handover;
use crate::handshake;
use crate::io::Adapter;

/// A TLS connection to a peer that is known.
#[derive(Debug)]
pub struct Stream<T: Read + Write> {
    tls: StreamOwned<ClientConnection, Adapter<T>>,
    peer: Arc<Peer>,
}

impl<T: Read + Write> Stream<T> {
    pub(super) fn handshake(
        rustls: Arc<ClientConfig>,
        sessions: Arc<ConnectionSessions>,
        name: ServerName<'static>,
        io: T,
        offer: &'static [u8],
    ) -> Result<Self, Error> {
        let mut connection = ClientConnection::new(rustls, name)?;
        let mut io = Adapter::client(io, offer);
        handshake::complete(&mut connection, &mut io, |connection| {
            let (step, peer) = handover::scope(|| connection.process_new_packets());
            sessions.found(peer);
            step.map(drop)
        })?;
        let peer = sessions.settle().ok_or(Error::PeerUnknown)?;
        Ok(Self {
            tls: StreamOwned::new(connection, io),
            peer,
        })
    }

    /// The server that answered; on a resumed connection, the one that the session was made with.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The connection's state: protocol version, cipher suite, application protocol.
    #[must_use]
    pub fn connection(&self) -> &ClientConnection {
        &self.tls.conn
    }

    /// The connection's state, to send a close_notify or to update keys.
    pub fn connection_mut(&mut self) -> &mut ClientConnection {
        &mut self.tls.conn
    }

    /// The rustls connection and the network side, for whoever goes on without this stream.
    ///
    /// Nothing of this crate is needed once the handshake is over. `None`, and the connection is lost, if
    /// bytes were read that rustls has not seen yet.
    #[must_use]
    pub fn into_parts(self) -> Option<(ClientConnection, T)> {
        let (connection, io) = self.tls.into_parts();
        Some((connection, io.into_transparent()?))
    }

    /// The network side.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        self.tls.sock.get_ref()
    }

    /// The network side, to set timeouts; what is read or written there is lost to TLS.
    pub fn get_mut(&mut self) -> &mut T {
        self.tls.sock.get_mut()
    }
}

impl<T: Read + Write> Read for Stream<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tls.read(buf)
    }
}

impl<T: Read + Write> Write for Stream<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.tls.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.tls.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tls.flush()
    }
}
