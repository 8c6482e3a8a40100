//! A connection to a client over `AsyncRead + AsyncWrite`.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::Accepted;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, StartHandshake, TlsAcceptor};

use super::acceptor::{CHUNK, Rejection};
use super::answer::{Answer, Configured};
use super::client_verifier::client_of;
use super::greeting::Greeting;
use super::{Acceptor, EarlyData, Peer, Served, early, stream};
use crate::Error;
use crate::events;
use crate::handover;
use crate::io::{Adapter, complete, delegate_to_tls, finish};

impl Acceptor {
    /// Accepts over an asynchronous stream, as [`accept`](Self::accept) does over a blocking one.
    ///
    /// Takes no early data, not for a fallback either.
    pub async fn accept_async<T>(&self, io: T) -> Result<AsyncStream<T>, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = match self.greet_async(io).await {
            Ok((answer, io)) => AsyncStream::handshake(answer, io).await,
            Err(error) => Err(error),
        };
        accepted.inspect_err(events::not_served)
    }

    /// Accepts over an asynchronous stream, as [`accept_early`](Self::accept_early) does over a blocking one.
    pub async fn accept_early_async<T>(
        &self,
        io: T,
        take: impl FnMut(&mut EarlyData<'_>) -> io::Result<()>,
    ) -> Result<AsyncStream<T>, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = match self.greet_async(io).await {
            Ok((answer, io)) => AsyncStream::handshake_early(answer, io, take).await,
            Err(error) => Err(error),
        };
        accepted.inspect_err(events::not_served)
    }

    async fn greet_async<T>(&self, mut io: T) -> Result<(Answer, T), Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut greeting = Greeting::default();
        // Not in the future, whose room a task keeps as long as it lives.
        let mut chunk = Vec::with_capacity(CHUNK);
        let heard = loop {
            if io.read_buf(&mut chunk).await? == 0 {
                return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some(heard) = greeting.push(&chunk) {
                break heard;
            }
            chunk.clear();
        };
        drop(chunk);
        match self.decide(heard) {
            Ok(answer) => Ok((answer, io)),
            Err(rejection) => Err(send(rejection, &mut io).await),
        }
    }
}

async fn send(rejection: Rejection, io: &mut (impl AsyncWrite + Unpin)) -> Error {
    let (error, record) = rejection.into_parts();
    // What went wrong matters more than whether the client could be told.
    if io.write_all(&record).await.is_ok() {
        let _ = io.flush().await;
    }
    error
}

/// A TLS connection to a client, over an asynchronous stream.
#[derive(Debug)]
pub struct AsyncStream<T> {
    tls: TlsStream<Adapter<T>>,
    served: Served,
    peer: Option<Arc<Peer>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncStream<T> {
    async fn handshake(answer: Answer, io: T) -> Result<Self, Error> {
        let Answer {
            served,
            config,
            client,
            beginning,
        } = answer;
        let (accepted, io) = beginning.adapt(&served, io);
        let io = hold(early::skipping(io, &config));
        let config = early::refusing(config);
        if io.awaits_verdict() {
            let completed = Self::complete(served, (config, client), io, |_| Ok(()));
            return Box::pin(completed).await;
        }
        let mut accept = pin!(start(config, accepted, io).into_fallible());
        let accepted = poll_fn(|cx| handover::scope(|| accept.as_mut().poll(cx)).0).await;
        let mut tls = finish(accepted).await?;
        tls.get_mut().0.release_writes();
        let peer = client_of(client.as_deref(), tls.get_ref().1);
        Ok(Self { tls, served, peer })
    }

    /// As [`handshake`](Self::handshake), and gives what arrives early to `take`.
    async fn handshake_early(
        answer: Answer,
        io: T,
        take: impl FnMut(&mut EarlyData<'_>) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let Answer {
            served,
            config,
            client,
            beginning,
        } = answer;
        let (_, io) = beginning.over().adapt(&served, io);
        let io = hold(early::skipping(io, &config));
        Self::complete(served, (config, client), io, take).await
    }

    /// An acceptor of tokio-rustls keeps the connection to itself until the handshake is over, so it gets one
    /// that is there already, and that has read nothing.
    async fn complete(
        served: Served,
        (config, client): Configured,
        mut io: Adapter<T>,
        mut take: impl FnMut(&mut EarlyData<'_>) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let mut connection = ServerConnection::new(Arc::clone(&config))?;
        complete(&mut connection, &mut io, |connection, io| {
            early::step(connection, io)?;
            early::hand_over(connection, &served, client.as_deref(), &mut take)?;
            Ok(())
        })
        .await?;
        let accept = TlsAcceptor::from(config).accept_with(io, |fresh| *fresh = connection);
        let mut tls = finish(accept.into_fallible().await).await?;
        tls.get_mut().0.release_writes();
        let peer = client_of(client.as_deref(), tls.get_ref().1);
        Ok(Self { tls, served, peer })
    }
}

/// The handshake, in a call of its own: the hello is no part of the future.
#[inline(never)]
fn start<T: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ServerConfig>,
    accepted: Option<Box<Accepted>>,
    io: Adapter<T>,
) -> Accept<Adapter<T>> {
    match accepted {
        None => TlsAcceptor::from(config).accept(io),
        Some(accepted) => {
            let start = StartHandshake::from_parts(*accepted, io);
            handover::scope(|| start.into_stream(config)).0
        }
    }
}

/// The socket during the handshake.
fn hold<T>(io: Adapter<T>) -> Adapter<T> {
    io.holding_writes().deferring_flushes()
}

impl<T> AsyncStream<T> {
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

    /// The same, for as long as the caller likes.
    pub(super) fn shared_peer(&self) -> Option<Arc<Peer>> {
        self.peer.clone()
    }

    /// The client's certificates, the end entity's first; empty if it has presented none.
    ///
    /// Unlike rustls's `peer_certificates`, which has what was next to a certificate as an entry of its own
    /// behind it, one that is no certificate.
    pub fn client_certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        stream::client_certificates(self.connection())
    }

    /// The connection's state: protocol version, cipher suite, application protocol.
    #[must_use]
    pub fn connection(&self) -> &ServerConnection {
        self.tls.get_ref().1
    }

    /// The rustls connection and the network side, for whoever goes on without this stream, as
    /// [`Stream::into_parts`](super::Stream::into_parts) gives them.
    ///
    /// Flush before: `None`, and the connection is lost, if bytes still wait here for one end to take them.
    #[must_use]
    pub fn into_parts(self) -> Option<(ServerConnection, T)> {
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
