//! A blocking connection to a client.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::{Accepted, AcceptedAlert};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::answer::Answer;
use super::client_verifier::{ConnectionVerifier, client_of};
use super::{EarlyData, Peer, Served, early};
use crate::Error;
use crate::handover;
use crate::handshake::{self, flush};
use crate::io::Adapter;
use crate::view::presented::is_extension_entry;

/// A TLS connection to a client.
#[derive(Debug)]
pub struct Stream<T: Read + Write> {
    /// On the heap, because a thread keeps every page of its stack that was ever written, and each function that
    /// hands a connection on has a copy there.
    tls: Box<Tls<T>>,
    served: Served,
    peer: Option<Arc<Peer>>,
}

type Tls<T> = StreamOwned<ServerConnection, Adapter<T>>;

impl<T: Read + Write> Stream<T> {
    pub(super) fn handshake(answer: Answer, io: T) -> Result<Self, Error> {
        // What a fallback takes is read from `connection_mut`, as with rustls alone.
        let refuse = match answer.served {
            Served::Delegated { .. } => early::refusing,
            Served::Certificate => |config| config,
        };
        Self::complete(answer, io, refuse, |_, _, _| Ok(()))
    }

    /// As [`handshake`](Self::handshake), and gives what arrives early to `take`.
    pub(super) fn handshake_early(
        answer: Answer,
        io: T,
        mut take: impl FnMut(&mut EarlyData<'_>) -> io::Result<()>,
    ) -> Result<Self, Error> {
        Self::complete(
            answer,
            io,
            |config| config,
            |connection, served, client| early::hand_over(connection, served, client, &mut take),
        )
    }

    /// Does the handshake with what `configure` makes of the answer's configuration, and calls `stepped` after each step of it.
    fn complete(
        answer: Answer,
        io: T,
        configure: impl FnOnce(Arc<ServerConfig>) -> Arc<ServerConfig>,
        mut stepped: impl FnMut(
            &mut ServerConnection,
            &Served,
            Option<&ConnectionVerifier>,
        ) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let Answer {
            served,
            config,
            client,
            beginning,
        } = answer;
        let (accepted, io) = beginning.adapt(&served, io);
        let io = early::skipping(io, &config);
        let mut tls = start(configure(config), accepted, io)?;
        let StreamOwned { conn, sock } = &mut *tls;
        handshake::complete(conn, sock, |connection, io| {
            early::step(connection, io)?;
            Ok(stepped(connection, &served, client.as_deref())?)
        })?;
        let peer = client_of(client.as_deref(), conn);
        Ok(Self { tls, served, peer })
    }

    /// The credential or certificate of this connection.
    #[must_use]
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// The client, if it has presented a certificate; on a resumed connection, the one that the session was made with.
    ///
    /// Only a server that asks for credentials,
    /// [`Settings::client_credentials`](super::Settings::client_credentials), knows one from a certificate; it knows
    /// no client below TLS 1.3. A unique name is the client's, and no other name of its certificate is.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_deref()
    }

    /// The client's certificates, the end entity's first; empty if it has presented none.
    ///
    /// Unlike rustls's `peer_certificates`, which has what was next to a certificate as an entry of its own
    /// behind it, one that is no certificate.
    pub fn client_certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        client_certificates(&self.tls.conn)
    }

    /// The connection's state: protocol version, cipher suite, application protocol.
    #[must_use]
    pub fn connection(&self) -> &ServerConnection {
        &self.tls.conn
    }

    /// The connection's state, to send a close_notify or to update keys.
    pub fn connection_mut(&mut self) -> &mut ServerConnection {
        &mut self.tls.conn
    }

    /// The rustls connection and the network side, for whoever goes on without this stream.
    ///
    /// Nothing of this crate is needed once the handshake is over. `None`, and the connection is lost, if
    /// bytes were read that rustls has not seen yet.
    #[must_use]
    pub fn into_parts(self) -> Option<(ServerConnection, T)> {
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

pub(super) fn client_certificates(
    connection: &ServerConnection,
) -> impl Iterator<Item = &CertificateDer<'static>> {
    let entries = connection.peer_certificates().unwrap_or_default();
    entries.iter().filter(|entry| !is_extension_entry(entry))
}

/// A call of its own, so that its copies are off the stack before the handshake.
///
/// When it fails, the alert has been sent as far as the network took it.
#[inline(never)]
fn start<T: Read + Write>(
    config: Arc<ServerConfig>,
    accepted: Option<Box<Accepted>>,
    mut io: Adapter<T>,
) -> Result<Box<Tls<T>>, Error> {
    let Some(accepted) = accepted else {
        let connection = ServerConnection::new(config)?;
        return Ok(Box::new(StreamOwned::new(connection, io)));
    };
    match handover::scope(|| accepted.into_connection(config)).0 {
        Ok(connection) => Ok(Box::new(StreamOwned::new(connection, io))),
        Err((error, mut alert)) => {
            // What went wrong matters more than whether the client could be told.
            let _ = send(&mut alert, &mut io);
            Err(error.into())
        }
    }
}

fn send(alert: &mut AcceptedAlert, io: &mut impl Write) -> io::Result<()> {
    loop {
        match alert.write(io) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    flush(io)
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
