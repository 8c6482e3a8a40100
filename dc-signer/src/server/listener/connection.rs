//! One connection, from its first byte to its last.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::announced::refuse_header;
use super::answering::{Answering, Entrance};
use super::certificate::H2;
use super::client::ClientCertificate;
use super::expects::Expects;
use super::handshakes::Turn;
use super::idle::Idle;
use super::intake::Intake;
use super::memory::{MAX_HEAD, MAX_HEADER_LIST, MAX_STREAMS, SEND_BUFFER, WINDOW};
use super::open::{Open, State};
use super::proxied;
use super::requests::{Phase, Requests};
use super::unread::Unread;
use super::{Place, Settings};
use crate::config::Listen;
use crate::server::telemetry::{Handshake, Metrics};

/// A connection's share of its listener.
pub(super) struct Connection {
    pub(super) settings: Arc<Settings>,
    pub(super) router: Router,
    pub(super) stopped: watch::Receiver<bool>,
    /// A proxy has said whose it is.
    pub(super) is_named: bool,
    pub(super) intake: Arc<Intake>,
    pub(super) expects: Expects,
    pub(super) metrics: Arc<Metrics>,
}

impl Connection {
    /// Shakes hands and answers requests until either side has had enough.
    pub(super) async fn serve(self, tcp: TcpStream, place: Place) {
        let Place { client, open, turn } = place;
        let _open = self.metrics.connection();
        let open = Arc::new(open);
        let ended = self.shake_hands(tcp, client, &turn, &open).await;
        let how = *ended.as_ref().err().unwrap_or(&Handshake::Done);
        self.metrics.handshake_ended(how);
        drop(turn);
        if let Ok(tls) = ended {
            self.serve_http(tls, client, open.clone()).await;
        }
        // Answers that are still being made have limits of their own.
        open.leave();
    }

    /// Shakes hands when its turn has come, unless others need the room.
    async fn shake_hands(
        &self,
        tcp: TcpStream,
        client: IpAddr,
        turn: &Turn,
        open: &Open,
    ) -> Result<TlsStream<TcpStream>, Handshake> {
        // Answers are single writes, and nobody should wait for an acknowledgement between them.
        let _ = tcp.set_nodelay(true);
        let limit = self.settings.listen.handshake_timeout;
        let hearing = async {
            tcp.readable().await?;
            // Readiness may be a mistake: then this waits, as everybody does of whom nothing was heard.
            std::io::Result::Ok(!self.is_named && proxied::is_ahead(&tcp).await)
        };
        let is_ahead = tokio::select! {
            heard = timeout(limit, hearing) => {
                let heard = heard.map_err(|_| Handshake::TimedOut)?;
                heard.map_err(|error| failed(client, &error))?
            }
            () = turn.over() => return Err(evict(Some(&tcp))),
            () = open.over() => return Err(evict(Some(&tcp))),
        };
        if is_ahead {
            refuse_header(&tcp, client, "listen.proxy_protocol");
            return Err(Handshake::ProxyHeader);
        }
        open.does(State::Speaking);
        let came = Instant::now();
        turn.spoke();
        let begun = tokio::select! {
            begun = turn.begun() => begun,
            () = open.over() => false,
        };
        self.metrics.handshake_waited(came.elapsed());
        if !begun {
            return Err(evict(Some(&tcp)));
        }
        let _in_progress = self.metrics.handshake();
        let accepting = self.accept(tcp, client, turn, open);
        let ended = timeout(limit, accepting).await;
        ended.unwrap_or(Err(Handshake::TimedOut))
    }

    async fn accept(
        &self,
        tcp: TcpStream,
        client: IpAddr,
        turn: &Turn,
        open: &Open,
    ) -> Result<TlsStream<TcpStream>, Handshake> {
        let mut accepting = TlsAcceptor::from(self.settings.tls.clone()).accept(tcp);
        tokio::select! {
            ended = &mut accepting => ended.map_err(|error| failed(client, &error)),
            () = turn.over() => Err(evict(accepting.get_ref())),
            () = open.over() => Err(evict(accepting.get_ref())),
        }
    }

    async fn serve_http(mut self, mut tls: TlsStream<TcpStream>, address: IpAddr, open: Arc<Open>) {
        let (_, session) = tls.get_mut();
        // Else whoever does not read makes us keep four times as much.
        session.set_buffer_limit(Some(SEND_BUFFER));
        let h2 = session.alpn_protocol() == Some(H2);
        let idle_timeout = self.settings.listen.idle_timeout;
        let requests = Requests::of(open.clone());
        let unread = Arc::new(Unread::new(idle_timeout));
        let shown = ClientCertificate::of(session);
        let Some(entrance) = Entrance::of(&self.settings, shown) else {
            let client = address.to_canonical();
            tracing::info!(%client, "a proxy's connection is closed: it has not shown a certificate of listen.proxied.certificates");
            return;
        };
        let answering = self.answering(entrance, address, &open, unread.clone());
        let idle = Idle::new(tls, idle_timeout, requests.clone());
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let phase = match request.body().is_end_stream() {
                true => Phase::Answering,
                false => Phase::Awaiting,
            };
            answering.clone().answer(requests.begin(phase), request)
        });
        let builder = http(&self.settings.listen, h2);
        let connection = builder.serve_connection(TokioIo::new(idle), service);
        let mut connection = pin!(connection);
        let max_age = self.settings.listen.max_age;
        let why = tokio::select! {
            _ = connection.as_mut() => return,
            () = open.over() => End::PlaceIsNeeded,
            () = sleep(max_age) => End::Enough,
            () = requests.quiet_for(idle_timeout), if h2 => End::Enough,
            _ = self.stopped.wait_for(|stopped| *stopped) => End::Enough,
            () = unread.end() => End::Enough,
        };
        connection.as_mut().graceful_shutdown();
        if why == End::Enough {
            let limit = self.settings.listen.shutdown_timeout;
            tokio::select! {
                _ = timeout(limit, connection.as_mut()) => return,
                () = open.over() => {}
                () = unread.end() => {}
            }
        }
        requests.send_away();
        tokio::select! {
            _ = timeout(LEAVING_TIME, connection.as_mut()) => return,
            () = open.cut() => {}
        }
        // What is ready is written all the same.
        for _ in 0..2 {
            if timeout(Duration::ZERO, connection.as_mut()).await.is_ok() {
                return;
            }
            yield_now().await;
        }
    }

    fn answering(
        &self,
        entrance: Entrance,
        address: IpAddr,
        open: &Open,
        unread: Arc<Unread>,
    ) -> Arc<Answering> {
        Arc::new(Answering {
            router: self.router.clone(),
            entrance,
            peer: open.peer(),
            address,
            intake: self.intake.clone(),
            expects: self.expects.clone(),
            unread,
            most: self.settings.listen.most_requests(),
            metrics: self.metrics.clone(),
        })
    }
}

/// HTTP as strangers may speak it: what they can make us keep, and how long they may take for a head.
pub(in crate::server) fn http(listen: &Listen, h2: bool) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    // ALPN has decided already, so nobody can stall between the two.
    let mut builder = match h2 {
        true => builder.http2_only(),
        false => builder.http1_only(),
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(listen.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// The reason that a connection is ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// It is old or quiet, or the service stops.
    Enough,
    /// Others need its place.
    PlaceIsNeeded,
}

fn failed(client: IpAddr, error: &std::io::Error) -> Handshake {
    let client = client.to_canonical();
    tracing::debug!(%client, %error, "a handshake failed");
    Handshake::Failed
}

/// A reset costs nothing here, and tells the client at once to come back later.
fn evict(tcp: Option<&TcpStream>) -> Handshake {
    if let Some(tcp) = tcp {
        let _ = tcp.set_zero_linger();
    }
    Handshake::Evicted
}

/// The time for whoever has to make room to end what it has begun.
const LEAVING_TIME: Duration = Duration::from_secs(1);
/// Many more than any client of this API sends.
const MAX_HEADERS: usize = 64;
