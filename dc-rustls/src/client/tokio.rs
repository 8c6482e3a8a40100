//! A connection to a server over `AsyncRead + AsyncWrite`.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Config, Peer};
use crate::Error;
use crate::events;
use crate::handover;
use crate::io::{Adapter, finish};

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
    /// Who answered. On a resumed connection, whom the session was made with.
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

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for AsyncStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for AsyncStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}
