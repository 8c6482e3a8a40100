//! Connections from clients to the server behind.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use dc_connect::relay::{Limits, relay};
use dc_rustls::server::{Acceptor, AsyncStream, Listener};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use crate::backend::{Backend, Plain};
use crate::header::header;
use crate::identity::Followed;
use crate::options::Options;

/// The settings of connections, for as long as any of them is open.
#[derive(Debug)]
pub struct Service {
    identity: Followed,
    backend: Backend,
    proxy_protocol: bool,
    backend_timeout: Duration,
    handshake_timeout: Duration,
    limits: Limits,
    /// The server did not answer when it was last asked.
    is_away: AtomicBool,
}

impl Service {
    /// With these settings.
    #[must_use]
    pub fn new(options: &Options, identity: Followed) -> Self {
        Self {
            identity,
            backend: options.backend.clone(),
            proxy_protocol: options.proxy_protocol,
            backend_timeout: options.times.backend,
            handshake_timeout: options.times.handshake,
            limits: Limits {
                idle: Some(options.times.idle),
                half_closed: options.times.idle,
                recheck: NEVER,
            },
            is_away: AtomicBool::new(false),
        }
    }

    fn acceptor(&self) -> Acceptor {
        self.identity.acceptor.clone()
    }

    /// Serves a port until it is told to stop, and then those who are shaking hands. Connections go on by themselves.
    ///
    /// Fails if the system does not say which port it is.
    pub async fn serve(
        self: Arc<Self>,
        tcp: tokio::net::TcpListener,
        room: Arc<Semaphore>,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut listener = Listener::new(tcp, self.acceptor())?
            .max_handshakes(MAX_HANDSHAKES)
            .handshake_timeout(self.handshake_timeout);
        let mut stopping = false;
        loop {
            // It is never closed. Who comes when there is no room waits, and is shaken hands with later.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return Ok(());
            };
            let accepted = {
                let accepted = pin!(listener.accept());
                let told = pin!(async {
                    match stopping {
                        true => pending().await,
                        // The sender is gone: nothing will be told any more, which is to stop.
                        false => drop(stop.wait_for(|stop| *stop).await),
                    }
                });
                unless(accepted, told).await
            };
            match accepted {
                Some(Some((tls, client))) => {
                    let this = Arc::clone(&self);
                    tokio::spawn(async move {
                        this.pass(tls, client).await;
                        drop(permit);
                    });
                }
                Some(None) => return Ok(()),
                None => {
                    stopping = true;
                    listener.shutdown();
                }
            }
        }
    }

    async fn pass(&self, mut tls: AsyncStream<TcpStream>, client: SocketAddr) {
        let mut plain = match self.reach(&tls, client).await {
            Ok(plain) => plain,
            Err(error) => {
                if !self.is_away.swap(true, Ordering::Relaxed) {
                    eprintln!(
                        "dc-terminator: the server at {} does not answer: {error}; clients are cut off until it does",
                        self.backend
                    );
                }
                // Without a goodbye, which would be that of a server with nothing to say.
                return;
            }
        };
        if self.is_away.swap(false, Ordering::Relaxed) {
            eprintln!(
                "dc-terminator: the server at {} answers again",
                self.backend
            );
        }
        let stays = |_: &_| Ok::<_, Infallible>(());
        let passed = relay(&mut tls, &mut plain, Vec::new(), self.limits, stays).await;
        // Clients that go away, and servers that do, are everyday's.
        if passed.is_ok() {
            plain.has_ended();
        }
    }

    async fn reach(&self, tls: &AsyncStream<TcpStream>, client: SocketAddr) -> io::Result<Plain> {
        let mut plain = self.backend.connect(self.backend_timeout).await?;
        if self.proxy_protocol {
            let local = tls.get_ref().local_addr()?;
            plain.write_all(&header(client, local)).await?;
        }
        Ok(plain)
    }
}

/// The result of the first, or nothing if the second is done by then.
async fn unless<T>(
    mut first: Pin<&mut impl Future<Output = T>>,
    mut second: Pin<&mut impl Future<Output = ()>>,
) -> Option<T> {
    poll_fn(|cx| match second.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => first.as_mut().poll(cx).map(Some),
    })
    .await
}

/// The most handshakes of a port at once.
pub const MAX_HANDSHAKES: usize = 64;
/// Nothing about a client can change.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);
