//! From an open port to connections whose handshakes are over.

mod accepted;
mod announcing;
mod counters;
mod crowd;
mod events;

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Sleep, sleep, timeout};

pub use self::accepted::Accepted;
use self::announcing::Announcing;
pub use self::counters::Counters;
use self::crowd::Crowd;
use super::{Acceptor, AsyncStream};
use crate::Error;

/// A port whose connections have done their handshake when they are handed over.
///
/// Handshakes are done beside each other, each in a task of its own, so that a client that takes its time keeps nobody
/// waiting. When there are too many, the oldest one of the address with the most of them makes room: strangers who
/// connect and say nothing keep nobody out either. A handshake that fails, or takes too long, is counted and an event
/// in the log, and no reason to stop; nor is it that too many files are open, when those who have not ended their
/// handshake within a second make room.
///
/// **A connection that was handed over is the application's.** How many of them it keeps, and how long one may be silent, is not
/// bounded here, and strangers can do a handshake too: give each a time limit, and allow the process more files than the
/// connections that it is to have. axum's `serve` has no such limits; `hyper-util` lets one set them.
///
/// No early data is taken, not for a fallback either.
///
/// All of it happens in [`accept`](Self::accept), and whoever does not call it takes no connections. To drop a listener closes the
/// port and ends the handshakes that are under way.
///
/// ```no_run
/// use std::sync::Arc;
/// use dc_rustls::server::{Acceptor, Listener, Settings};
///
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let provider = Arc::new(rustls::crypto::ring::default_provider());
/// let acceptor = Acceptor::follow_with("/etc/dc", Settings::new(provider), |news| {
///     if let Err(error) = news {
///         eprintln!("not installed: {error}");
///     }
/// })?;
/// let mut listener = Listener::bind("0.0.0.0:443", acceptor).await?;
/// while let Some((stream, address)) = listener.accept().await {
///     println!("{address} is served with {:?}", stream.served());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    acceptor: Acceptor,
    /// None once nobody is let in any more.
    tcp: Option<TcpListener>,
    address: SocketAddr,
    handshakes: JoinSet<Outcome>,
    crowd: Crowd,
    /// How long nothing is accepted, after that has failed.
    pause: Option<Pin<Box<Sleep>>>,
    max_handshakes: usize,
    timeout: Duration,
    /// Reads what comes in front of a handshake; none if that is nothing.
    announcing: Option<Announcing>,
    counters: Counters,
}

/// The end of what is done with one connection before it is handed over, and whose it is.
struct Outcome {
    address: SocketAddr,
    end: End,
}

enum End {
    /// It was read what is in front of the handshake.
    Announced(TcpStream),
    /// It was refused for that.
    Refused,
    /// The handshake is over.
    Shaken(Box<Result<AsyncStream<TcpStream>, Error>>),
    /// Either took too long.
    TimedOut,
}

impl Listener {
    /// Opens a port.
    ///
    /// Fails as [`TcpListener::bind`] does.
    pub async fn bind(address: impl ToSocketAddrs, acceptor: Acceptor) -> io::Result<Self> {
        Self::new(TcpListener::bind(address).await?, acceptor)
    }

    /// Takes a port that is open already, however it was opened.
    ///
    /// Fails if the system does not say which one it is.
    pub fn new(tcp: TcpListener, acceptor: Acceptor) -> io::Result<Self> {
        Ok(Self {
            acceptor,
            address: tcp.local_addr()?,
            tcp: Some(tcp),
            handshakes: JoinSet::new(),
            crowd: Crowd::default(),
            pause: None,
            max_handshakes: MAX_HANDSHAKES,
            timeout: TIMEOUT,
            announcing: None,
            counters: Counters::default(),
        })
    }

    /// The most handshakes at once, 256 unless this is called, and 1 at least.
    ///
    /// With a ClientHello as clients send it, each takes about 20 kilobytes; a stranger can make it 80, with a long one that
    /// does not end. Where clients are asked for a certificate, a chain that does not end makes it 180.
    #[must_use]
    pub fn max_handshakes(mut self, max: usize) -> Self {
        self.max_handshakes = max.max(1);
        self
    }

    /// How long a handshake may take, from the first packet on: 10 seconds unless this is called.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reads what comes in front of each handshake, such as the header by which a load balancer says whose connection it is (PROXY
    /// protocol): nothing is there unless this is called.
    ///
    /// `read` gets a connection with where it comes from. It reads what is in front and not a byte more, and gives the connection
    /// back with the address that counts from then on: for making room, and for [`accept`](Self::accept). It gives none for a
    /// connection that it refuses, which is counted as a failure. It has as long as a handshake. Whom it believes is its own
    /// business: a stranger can send such a header too.
    ///
    /// ```no_run
    /// use dc_rustls::server::Listener;
    /// use tokio::io::AsyncReadExt;
    ///
    /// # fn behind(listener: Listener) -> Listener {
    /// // A balancer, the only one that reaches this port, sends the client's IPv4 address in front.
    /// listener.announced_by(|mut tcp, balancer| async move {
    ///     let mut client = [0; 4];
    ///     tcp.read_exact(&mut client).await.ok()?;
    ///     Some((tcp, (client, balancer.port()).into()))
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn announced_by<F>(
        mut self,
        read: impl Fn(TcpStream, SocketAddr) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<(TcpStream, SocketAddr)>> + Send + 'static,
    {
        self.announcing = Some(Announcing::new(read));
        self
    }

    /// Lets nobody in any more, and closes the port. [`accept`](Self::accept) still hands over those who are shaking
    /// hands.
    pub fn shutdown(&mut self) {
        self.tcp = None;
    }

    /// The next connection, and where it comes from; `None` after [`shutdown`](Self::shutdown), once
    /// nobody is shaking hands any more.
    ///
    /// Nothing is lost if this is cancelled, by `select!` as an example. It has to be called within a runtime of tokio
    /// that has I/O and time enabled, and panics without one.
    pub async fn accept(&mut self) -> Option<(AsyncStream<TcpStream>, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The address of the port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The fates of all connections so far, in numbers; it goes on counting wherever the listener goes.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(AsyncStream<TcpStream>, SocketAddr)>> {
        loop {
            // Those who are done go first: what was begun is worth more than what may come.
            match self.handshakes.poll_join_next_with_id(cx) {
                Poll::Ready(Some(ended)) => match self.settle(ended) {
                    Some(connection) => return Poll::Ready(Some(connection)),
                    None => continue,
                },
                Poll::Ready(None) if self.tcp.is_none() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => {}
            }
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let Some(tcp) = &self.tcp else {
                return Poll::Pending;
            };
            match ready!(tcp.poll_accept(cx)) {
                Ok((tcp, address)) => self.arrive(tcp, address),
                Err(error) => self.complain(&error),
            }
        }
    }

    fn arrive(&mut self, tcp: TcpStream, address: SocketAddr) {
        let Some(announcing) = self.announcing.clone() else {
            return self.shake_hands(tcp, address);
        };
        let longest = self.timeout;
        self.begin(address, async move {
            match timeout(longest, announcing.read(tcp, address)).await {
                Ok(Some((tcp, address))) => Outcome {
                    address,
                    end: End::Announced(tcp),
                },
                Ok(None) => Outcome {
                    address,
                    end: End::Refused,
                },
                Err(_) => Outcome {
                    address,
                    end: End::TimedOut,
                },
            }
        });
    }

    fn shake_hands(&mut self, tcp: TcpStream, address: SocketAddr) {
        let (acceptor, longest) = (self.acceptor.clone(), self.timeout);
        self.begin(address, async move {
            // Messages are whole, and a peer waits for each. It fails only if the client is gone.
            let _ = tcp.set_nodelay(true);
            let end = match timeout(longest, acceptor.accept_async(tcp)).await {
                Ok(shaken) => End::Shaken(Box::new(shaken)),
                Err(_) => End::TimedOut,
            };
            Outcome { address, end }
        });
    }

    /// Begins with what is to be done for a connection, once there is room for it.
    fn begin(&mut self, from: SocketAddr, work: impl Future<Output = Outcome> + Send + 'static) {
        while self.crowd.len() >= self.max_handshakes {
            self.crowd.displace();
        }
        let work = self.handshakes.spawn(work);
        self.crowd.enter(from.ip(), work);
    }

    /// Counts how a handshake went, and gives what came of it.
    fn settle(
        &mut self,
        ended: Result<(task::Id, Outcome), JoinError>,
    ) -> Option<(AsyncStream<TcpStream>, SocketAddr)> {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(error) => {
                match error.is_cancelled() {
                    true => self.counters.displaced(),
                    // A hook of the application's panicked, which has been said already.
                    false => self.counters.failed(),
                }
                (error.id(), None)
            }
        };
        self.crowd.leave(id);
        // There is room again, for what the system may just have had none.
        self.pause = None;
        let Outcome { address, end } = outcome?;
        match end {
            End::Shaken(shaken) => match *shaken {
                Ok(stream) => {
                    self.counters.accepted();
                    return Some((stream, address));
                }
                // The acceptor has told the log.
                Err(_) => self.counters.failed(),
            },
            End::Announced(tcp) => self.shake_hands(tcp, address),
            End::Refused => self.counters.failed(),
            End::TimedOut => {
                self.counters.timed_out();
                events::handshake_timed_out(address, self.timeout);
            }
        }
        None
    }

    /// That one connection was lost is nothing; all else, such as too many open files, is waited for.
    fn complain(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        let is_its_own = matches!(
            error.kind(),
            ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
        );
        if !is_its_own {
            self.counters.not_accepted();
            events::not_accepted(error);
            self.crowd.displace_after(PATIENCE);
            self.pause = Some(Box::pin(sleep(PAUSE)));
        }
    }
}

const MAX_HANDSHAKES: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
/// How long one may shake hands when the system has no room for others.
const PATIENCE: Duration = Duration::from_secs(1);
