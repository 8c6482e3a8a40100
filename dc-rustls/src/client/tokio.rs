//! A connection to a server over `AsyncRead + AsyncWrite`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Config, Peer};
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
        let connected = self.handshake_async(name, io).await;
        connected.inspect_err(|error| events::not_connected(&wanted, error))
    }

    async fn handshake_async<T>(
        &self,
        name: ServerName<'static>,
        io: T,
    ) -> Result<AsyncStream<T>, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let (rustls, sessions) = self.for_connection();
        let io = Adapter::client(io, self.offer()).holding_writes();
        let connect = TlsConnector::from(rustls).connect(name, io);
        let mut connect = pin!(connect.into_fallible());
        let connected = poll_fn(|cx| {
            let (poll, peer) = handover::scope(|| connect.as_mut().poll(cx));
            sessions.found(peer);
            poll
        })
        .await;
        let mut tls = finish(connected).await?;
        tls.get_mut().0.release_writes();
        let peer = sessions.settle().ok_or(Error::PeerUnknown)?;
        Ok(AsyncStream { tls, peer })
    }
}

/// A TLS connection to a peer that is known, over an asynchronous stream.
#[derive(Debug)]
pub struct AsyncStream<T> {
    tls: TlsStream<Adapter<T>>,
    peer: Arc<Peer>,
}

impl<T> AsyncStream<T> {
    /// The server that answered; on a resumed connection, the one that the session was made with.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The connection's state: protocol version, cipher suite, application protocol.
    #[must_use]
    pub fn connection(&self) -> &ClientConnection {
        self.tls.get_ref().1
    }

    /// The network side.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        self.tls.get_ref().0.get_ref()
    }
}

delegate_to_tls!(AsyncStream);
