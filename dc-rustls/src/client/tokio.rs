//! A connection to a server over `AsyncRead + AsyncWrite`.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::beginning::Beginning;
use super::config::Config;
use super::early;
use super::standing::Standing;
use super::{EarlyData, EarlyDataStatus, EchStatus, Peer};
use crate::Error;
use crate::events;
use crate::handover;
use crate::io::{Adapter, delegate_to_tls, finish};

impl Config {
    /// Connects over an asynchronous stream, as [`connect`](Self::connect) does over a blocking one.
    pub async fn connect_async<T>(
        &self,
        name: ServerName<'static>,
        io: T,
    ) -> Result<AsyncStream<T>, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let wanted = name.clone();
        let connected = match self.begin(name) {
            Ok(beginning) => AsyncStream::handshake(beginning, io, |_| Ok(())).await,
            Err(error) => Err(error),
        };
        connected.inspect_err(|error| events::not_connected(&wanted, error))
    }

    /// Connects over an asynchronous stream, as [`connect_early`](Self::connect_early) does over a blocking one.
    pub async fn connect_early_async<T>(
        &self,
        name: ServerName<'static>,
        io: T,
        early: impl FnOnce(&mut EarlyData<'_>) -> io::Result<()>,
    ) -> Result<AsyncStream<T>, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let wanted = name.clone();
        let connected = match self.begin_early(name) {
            Ok(beginning) => AsyncStream::handshake(beginning, io, early).await,
            Err(error) => Err(error),
        };
        connected.inspect_err(|error| events::not_connected(&wanted, error))
    }
}

/// A TLS connection to a peer that is known, over an asynchronous stream.
#[derive(Debug)]
pub struct AsyncStream<T> {
    tls: TlsStream<Adapter<T>>,
    standing: Standing,
    early_data: EarlyDataStatus,
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncStream<T> {
    async fn handshake(
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
        let io = Adapter::client(io, offer).holding_writes();
        let mut sent_early = Ok(false);
        let connect = TlsConnector::from(rustls).connect_with(name.clone(), io, |connection| {
            sent_early = early::write(connection, &sessions, &name, fill);
        });
        let sent_early = sent_early?;
        let mut connect = pin!(connect.into_fallible());
        let connected = poll_fn(|cx| {
            let (poll, peer) = handover::hiding_scope(&hidden, || connect.as_mut().poll(cx));
            sessions.found(peer);
            poll
        })
        .await;
        let mut tls = finish(connected).await?;
        let (adapter, connection) = tls.get_mut();
        adapter.release_writes();
        let early_data = early::settle(connection, &sessions, sent_early);
        if early_data.is_err() {
            // What went wrong matters more than whether the server could be told.
            let _ = tls.flush().await;
        }
        Ok(Self {
            early_data: early_data?,
            tls,
            standing: Standing::settle(sessions, name)?,
        })
    }
}

impl<T> AsyncStream<T> {
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

    /// The fate of what [`Config::connect_early_async`] sent early.
    #[must_use]
    pub fn early_data(&self) -> EarlyDataStatus {
        self.early_data
    }

    /// The outcome of Encrypted ClientHello, as [`Stream::ech_status`](super::Stream::ech_status).
    #[must_use]
    pub fn ech_status(&self) -> EchStatus {
        self.connection().ech_status()
    }

    /// The connection's state: protocol version, cipher suite, application protocol.
    ///
    /// Its `peer_certificates` are the vendor's: they say who made the device, and not which one it is. For that,
    /// ask [`authenticates`](Self::authenticates) or [`peer`](Self::peer).
    #[must_use]
    pub fn connection(&self) -> &ClientConnection {
        self.tls.get_ref().1
    }

    /// The rustls connection and the network side, for whoever goes on without this stream, as
    /// [`Stream::into_parts`](super::Stream::into_parts) gives them.
    ///
    /// Flush before: `None`, and the connection is lost, if bytes still wait here for one end to take them.
    #[must_use]
    pub fn into_parts(self) -> Option<(ClientConnection, T)> {
        let (io, connection) = self.tls.into_inner();
        Some((connection, io.into_transparent()?))
    }

    /// The network side.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        self.tls.get_ref().0.get_ref()
    }
}

delegate_to_tls!(AsyncStream);
