//! The HTTPS port: the page for people, DNS for programs.

use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    ALT_SVC, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::agent::{self, Silence};
use crate::clients::{Clients, Connection};
use crate::doh;
use crate::identity::seconds;
use crate::listen::Greeted;
use crate::page::{Dns, View, page};
use crate::resolver::Resolver;
use crate::withdrawn::{self, ListFile};

/// The state of the handlers.
#[derive(Debug)]
pub(crate) struct Web {
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) clients: Clients,
    /// The agent's status file.
    pub(crate) status: PathBuf,
    pub(crate) list: ListFile,
}

/// The connection that a request came over.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    pub(crate) connection: Arc<Connection>,
    pub(crate) local: IpAddr,
}

/// All that there is at this port.
pub(crate) fn app(web: Arc<Web>) -> Router {
    let dns = get(doh::get)
        .post(doh::post)
        .layer(DefaultBodyLimit::max(doh::MAX_LENGTH));
    Router::new()
        .route("/", get(status))
        .route("/dns-query", dns)
        .route("/v1/withdrawn/{zone}/compact", get(withdrawn::get))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .layer(from_fn(protect))
        .layer(from_fn_with_state(Arc::clone(&web), announce))
        .with_state(web)
}

/// Says over TCP that HTTP/3 is there too, if it is (RFC 7838): at the same name, which has to be proved there as well.
async fn announce(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let http3 = web.resolver.ports.http3;
    let port = http3.filter(|_| request.version() != Version::HTTP_3);
    let mut response = next.run(request).await;
    let service = port.map(|port| format!("h3=\":{port}\"; ma={BELIEVED}"));
    if let Some(Ok(service)) = service.map(HeaderValue::try_from) {
        response.headers_mut().insert(ALT_SVC, service);
    }
    response
}

/// Serves a connection until the client closes it or asks for nothing for too long.
pub(crate) async fn serve(app: Router, greeted: Greeted) {
    let Greeted { tls, client, local } = greeted;
    let here = Here {
        connection: Arc::clone(client.connection()),
        local,
    };
    talk(app, tls, here).await;
}

async fn talk<T>(app: Router, stream: T, here: Here)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::clone(&here.connection);
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        // Whoever has asked and says nothing more is still answered.
        .half_close(true)
        .header_read_timeout(IDLE);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS);
    let service = TowerToHyperService::new(app.layer(Extension(here)));
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    while timeout(IDLE, served.as_mut()).await.is_err() {
        if connection.idle() >= IDLE {
            served.as_mut().graceful_shutdown();
            // Who does not say goodbye in this time is cut off.
            let _ = timeout(GOODBYE, served).await;
            return;
        }
    }
}

async fn status(State(web): State<Arc<Web>>, Extension(here): Extension<Here>) -> Response {
    here.connection.touch();
    let path = web.status.clone();
    let report = tokio::task::spawn_blocking(move || agent::read(&path));
    let view = View {
        now: seconds(SystemTime::now()),
        standing: web.resolver.identity.standing(),
        report: report
            .await
            .unwrap_or_else(|error| Err(Silence::Unreadable(error.to_string()))),
        dns: Dns {
            ports: web.resolver.ports,
            upstream: web.resolver.upstream.address(),
            last: web.resolver.upstream.last(),
        },
        clients: web.clients.list(),
        visitor: here.connection.proof(),
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, page(&view).into_string()).into_response()
}

async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("style.css"))
}

async fn icon() -> Response {
    asset("image/svg+xml", include_str!("icon.svg"))
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "max-age=3600")];
    (headers, text).into_response()
}

/// Forbids the browser whatever the page does not need.
///
/// There is no Strict-Transport-Security: with it, nobody could get past a browser's warning to the page that
/// says what to do about a certificate that has ended.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    insert(response.headers_mut());
    response
}

fn insert(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; \
    base-uri 'none'; frame-ancestors 'none'";
/// An hour, in seconds: a router that does not serve HTTP/3 any more is not asked for it for long.
const BELIEVED: u32 = 3600;
const IDLE: Duration = Duration::from_secs(60);
const GOODBYE: Duration = Duration::from_secs(5);
/// RFC 9113 §6.5.2 wants no less: a client may have sent as many before it is told.
const MAX_STREAMS: u32 = 100;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::Path;

    use axum::body::Body;
    use hyper::client::conn::http2;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::clients::Service;
    use crate::designated::Ports;
    use crate::home::Home;
    use crate::identity::Follower;
    use crate::upstream::Upstream;

    /// A client, and the other end of its connection as it is served.
    fn client() -> (DuplexStream, JoinHandle<()>) {
        let resolver = Resolver {
            upstream: Upstream::new(([127, 0, 0, 1], 9).into(), IDLE),
            identity: Follower::new(Path::new("nowhere")),
            home: Home::default(),
            ports: Ports {
                dot: 1,
                https: 2,
                doq: None,
                http3: Some(3),
            },
        };
        let clients = Clients::default();
        let app = app(Arc::new(Web {
            resolver: Arc::new(resolver),
            clients: clients.clone(),
            status: PathBuf::from("nowhere"),
            list: ListFile::new(Path::new("nowhere")),
        }));
        let (ours, theirs) = duplex(1 << 16);
        let served = tokio::spawn(async move {
            let local = Ipv4Addr::LOCALHOST.into();
            let admitted = clients.admit(local, Service::Https).unwrap();
            let connection = Arc::clone(admitted.connection());
            talk(app, theirs, Here { connection, local }).await;
        });
        (ours, served)
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_half_of_something_is_let_go() {
        for beginning in ["", "GET / HTTP/1.1\r\nHost: ", "PRI * HTTP/2.0\r\n"] {
            let (mut ours, served) = client();
            let begun = Instant::now();
            ours.write_all(beginning.as_bytes()).await.unwrap();
            served.await.unwrap();
            assert!(begun.elapsed() <= IDLE + GOODBYE, "{beginning}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let (mut ours, served) = client();
        let begun = Instant::now();
        let head = "POST /dns-query HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n";
        ours.write_all(head.as_bytes()).await.unwrap();
        served.await.unwrap();
        assert!(begun.elapsed() <= IDLE + GOODBYE);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_ends_its_side_behind_the_question_is_answered() {
        for times in 0..20 {
            let (mut ours, served) = client();
            ours.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
            ours.shutdown().await.unwrap();
            let mut answer = Vec::new();
            ours.read_to_end(&mut answer).await.unwrap();
            assert!(answer.starts_with(b"HTTP/1.0 200"), "{times}: {answer:?}");
            served.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_used_stays_until_it_is_not() {
        let (ours, served) = client();
        let io = TokioIo::new(ours);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let begun = Instant::now();
        for _ in 0..3 {
            let request = Request::get("https://a/").body(Body::empty()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()[ALT_SVC], "h3=\":3\"; ma=3600");
            sleep(IDLE / 2).await;
        }
        assert!(!served.is_finished());
        served.await.unwrap();
        assert!(
            begun.elapsed() <= 3 * IDLE + GOODBYE,
            "{:?}",
            begun.elapsed()
        );
    }

    #[tokio::test]
    async fn what_is_not_http_ends_the_connection() {
        let (mut ours, served) = client();
        ours.write_all(b"\x00\x1d\x12\x34 no http\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        ours.read_to_end(&mut answer).await.unwrap();
        served.await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    }
}
