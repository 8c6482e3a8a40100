//! A connector for the client of hyper-util.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time;
use tower_service::Service;

use super::{AsyncStream, Config, url};
use crate::Error;

/// Connects to the host of an `https` URI: a `tower_service::Service` for the legacy client of hyper-util.
///
/// Speaks HTTP/2 or HTTP/1.1, as ALPN says: have `h2` and `http/1.1` among the [`alpn_protocols`](super::Builder::alpn_protocols)
/// of the configuration. Each response has the [`Peer`](super::Peer) of its connection among its extensions.
///
/// That client keeps connections apart by scheme, host and port, and so never sends a request for one device to another, whatever
/// names their certificate has. It may keep one open for longer than a credential lives, though: set a
/// `pool_idle_timeout`, and give those up that are in use for days.
///
/// ```no_run
/// use dc_rustls::client::{Config, Connector, Peer};
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
///
/// # async fn get(config: Config) -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder(TokioExecutor::new())
///     .build::<_, String>(Connector::new(config));
/// let response = client.get("https://k3v.cpe.example.com/".parse()?).await?;
/// println!("{:?}", response.extensions().get::<Peer>());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector<H = HttpConnector> {
    config: Config,
    tcp: H,
    timeout: Duration,
}

impl Connector {
    /// Connects to the addresses that the system's resolver has for a name, IPv6 and IPv4 side by side (RFC 6555), without
    /// Nagle's algorithm.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self::over(config, tcp)
    }
}

impl<H> Connector<H> {
    /// Connects over the TCP connections of another connector: with a resolver of your own, or to an address
    /// that is known from elsewhere.
    ///
    /// It is asked for `https` URIs, so an `HttpConnector` needs `enforce_http(false)`. It should set `TCP_NODELAY`.
    #[must_use]
    pub fn over(config: Config, tcp: H) -> Self {
        Self {
            config,
            tcp,
            timeout: TIMEOUT,
        }
    }

    /// How long it may take until a connection can be used, its handshake included: 10 seconds unless this is called.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// Fails with [`Error::NotHttps`] or [`Error::NotAHost`] before anything is sent, and else as
/// [`Config::connect`] does, with [`Error::Io`] if there is no TCP connection or it takes too long.
impl<H> Service<Uri> for Connector<H>
where
    H: Service<Uri, Response = TokioIo<TcpStream>>,
    H::Error: Into<Box<dyn StdError + Send + Sync>>,
    H::Future: Send + 'static,
{
    type Response = TokioIo<AsyncStream<TcpStream>>;
    type Error = Error;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.tcp.poll_ready(cx).map_err(no_tcp)
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let name = match url::server_name(&uri) {
            Ok(name) => name,
            Err(error) => return Box::pin(async { Err(error) }),
        };
        let (config, tcp, longest) = (self.config.clone(), self.tcp.call(uri), self.timeout);
        Box::pin(async move {
            let connecting = async {
                let tcp = tcp.await.map_err(no_tcp)?.into_inner();
                config.connect_async(name, tcp).await
            };
            match time::timeout(longest, connecting).await {
                Ok(connected) => connected.map(TokioIo::new),
                Err(elapsed) => Err(Error::Io(io::Error::new(io::ErrorKind::TimedOut, elapsed))),
            }
        })
    }
}

/// A connection that is being made.
type Connecting =
    Pin<Box<dyn Future<Output = Result<TokioIo<AsyncStream<TcpStream>>, Error>> + Send>>;

/// Says what was agreed on with ALPN, and who the server is.
impl Connection for AsyncStream<TcpStream> {
    fn connected(&self) -> Connected {
        let connected = self.get_ref().connected().extra(self.peer().clone());
        match self.connection().alpn_protocol() {
            Some(b"h2") => connected.negotiated_h2(),
            _ => connected,
        }
    }
}

fn no_tcp(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let error = error.into();
    let cause = error.source().and_then(|it| it.downcast_ref::<io::Error>());
    let kind = cause.map_or(io::ErrorKind::Other, io::Error::kind);
    Error::Io(io::Error::new(kind, error))
}

const TIMEOUT: Duration = Duration::from_secs(10);
