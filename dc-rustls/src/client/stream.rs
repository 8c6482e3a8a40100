//! A blocking connection to a server.

use std::io::{self, IoSlice, Read, Write};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::beginning::Beginning;
use super::early;
use super::standing::Standing;
use super::{EarlyData, EarlyDataStatus, EchStatus, Peer};
use crate::Error;
use crate::handover;
use crate::handshake;
use crate::io::Adapter;

/// A TLS connection to a peer that is known.
#[derive(Debug)]
pub struct Stream<T: Read + Write> {
    tls: StreamOwned<ClientConnection, Adapter<T>>,
    standing: Standing,
    early_data: EarlyDataStatus,
}

impl<T: Read + Write> Stream<T> {
    pub(super) fn handshake(
        beginning: Beginning,
        io: T,
        fill: impl FnOnce(&mut EarlyData<'_>) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let Beginning {
            rustls,
            sessions,
            hidden,
            name,
            offer,
        } = beginning;
        let mut connection = ClientConnection::new(rustls, name.clone())?;
        let sent_early = early::write(&mut connection, &sessions, &name, fill)?;
        let mut io = Adapter::client(io, offer);
        handshake::complete(&mut connection, &mut io, |connection, _| {
            let (step, peer) = handover::hiding_scope(&hidden, || connection.process_new_packets());
            sessions.found(peer);
            step.map(drop).map_err(Error::from)
        })?;
        let early_data = early::settle(&mut connection, &sessions, sent_early);
        if early_data.is_err() {
            // What went wrong matters more than whether the server could be told.
            let _ = handshake::send(&mut connection, &mut io);
        }
        Ok(Self {
            early_data: early_data?,
            tls: StreamOwned::new(connection, io),
            standing: Standing::settle(sessions, name)?,
        })
    }

    /// The server that answered; on a resumed connection, the one that the session was made with.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        self.standing.peer()
    }

    /// True if the server has proved to be `name`: what to ask before anything meant for that name is sent on
    /// this connection.
    ///
    /// A device with a unique name is that name and nothing else. Else the server is the name, or the
    /// address, that the connection was made for. Other names of the certificate never count: with
    /// credentials, every device of the vendor has them. So none of them may be the reason to reuse a
    /// connection in HTTP/2 and HTTP/3, to follow Alt-Svc or to believe an ORIGIN frame.
    ///
    /// ```no_run
    /// # fn example(tls: &dc_rustls::client::Config) -> Result<(), Box<dyn std::error::Error>> {
    /// # let tcp = std::net::TcpStream::connect("192.0.2.1:443")?;
    /// let stream = tls.connect("k3v.cpe.example.com".try_into()?, tcp)?;
    /// assert!(stream.authenticates(&"k3v.cpe.example.com".try_into()?));
    /// // Of the same vendor, under the same certificate.
    /// assert!(!stream.authenticates(&"m7q.cpe.example.com".try_into()?));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn authenticates(&self, name: &ServerName<'_>) -> bool {
        self.standing.authenticates(name)
    }

    /// Asks again whether this connection would be made now, by the clock and the predicate of the
    /// configuration: TLS asks nothing after the handshake, and an open connection outlives the credential.
    /// Neither the end of a certificate nor its revocation is looked at.
    ///
    /// For an application to call when its list of withdrawn devices changes, and now and then on
    /// connections that stay open for days; it closes the connection if this fails.
    ///
    /// Fails with [`Error::Refused`]: with [`Error::Expired`](dc_core::Error::Expired) if the credential has ended,
    /// and with [`Refusal::NotAuthorized`](crate::Refusal::NotAuthorized) if
    /// [`Builder::authorize`](super::Builder::authorize) does not want the peer any more. The sessions with
    /// this peer are discarded then. Fails with [`Error::Tls`] if there is no time.
    pub fn recheck(&self) -> Result<(), Error> {
        self.standing.recheck()
    }

    /// The fate of what [`Config::connect_early`](super::Config::connect_early) sent early.
    #[must_use]
    pub fn early_data(&self) -> EarlyDataStatus {
        self.early_data
    }

    /// The outcome of Encrypted ClientHello (RFC 9849): [`Accepted`](EchStatus::Accepted) if the name was hidden.
    ///
    /// Never [`Rejected`](EchStatus::Rejected): that is [`Error::EchRejected`].
    #[must_use]
    pub fn ech_status(&self) -> EchStatus {
        self.tls.conn.ech_status()
    }

    /// The connection's state: protocol version, cipher suite, application protocol.
    ///
    /// Its `peer_certificates` are the vendor's: they say who made the device, and not which one it is. For that,
    /// ask [`authenticates`](Self::authenticates) or [`peer`](Self::peer).
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
    /// Nothing of this crate is needed once the handshake is over, but nothing of it is left to say who the peer
    /// is either: keep a clone of [`peer`](Self::peer), and ask its
    /// [`authenticates`](Peer::authenticates). `None`, and the connection is lost, if
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
