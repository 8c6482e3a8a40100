//! The API over HTTP/2: the same answers, many at once, and limits that hold.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{Method, Request, StatusCode};
use pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::client::Client;
use crate::rig::Rig;
use crate::router::{Router, csr};

/// A connection, and what became of it in the end.
struct Connection {
    send: SendRequest<Bytes>,
    ping: h2::PingPong,
    ended: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    async fn new(client: &Client) -> Self {
        let mut config = (*client.config).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect(("127.0.0.1", client.port)).await;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let tls = connector.connect(name, tcp.unwrap()).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (send, mut connection) = h2::client::handshake(tls).await.unwrap();
        Self {
            send,
            ping: connection.ping_pong().unwrap(),
            ended: tokio::spawn(connection),
        }
    }

    async fn ask(
        &self,
        request: Request<()>,
        body: &str,
    ) -> Result<(StatusCode, String), h2::Error> {
        let mut send = self.send.clone().ready().await?;
        let (answer, mut stream) = send.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(body.to_owned().into(), true)?;
        }
        let answer = answer.await?;
        Ok((answer.status(), text(answer.into_body()).await?))
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = request(Method::POST, path).header("content-type", "application/json");
        let request = request.body(()).unwrap();
        let (status, text) = self.ask(request, &body.to_string()).await.unwrap();
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn get(&self, path: &str) -> Result<StatusCode, h2::Error> {
        let request = request(Method::GET, path).body(()).unwrap();
        self.ask(request, "").await.map(|(status, _)| status)
    }
}

fn request(method: Method, path: &str) -> http::request::Builder {
    let uri = format!("https://localhost{path}");
    Request::builder().method(method).uri(uri)
}

async fn text(mut body: RecvStream) -> Result<String, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend(data);
    }
    Ok(String::from_utf8(bytes).unwrap())
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(limited).unwrap();
}

#[test]
fn a_device_enrols_and_renews_many_times_at_once_on_one_connection() {
    let rig = Rig::start();
    let code = rig.add("one")["code"]["code"].as_str().unwrap().to_owned();
    let router = Router::new(&rig);
    block_on(async {
        let connection = Arc::new(Connection::new(&router.client).await);
        let enrolment = json!({"csr": csr(), "code": code});
        let (status, enrolled) = connection.post("/v1/enroll", &enrolment).await;
        assert_eq!(status, StatusCode::OK, "{enrolled}");
        // More than are answered at once.
        let renewals: Vec<_> = (0..50)
            .map(|number| {
                let connection = connection.clone();
                let renewal = json!({"csr": csr(), "idempotency_key": format!("{number}")});
                tokio::spawn(async move { connection.post("/v1/renew", &renewal).await })
            })
            .collect();
        for renewal in renewals {
            let (status, renewed) = renewal.await.unwrap();
            assert_eq!(status, StatusCode::OK, "{renewed}");
            assert_eq!(renewed["name"], enrolled["name"]);
        }
        let (status, problem) = connection.post("/v1/renew", &json!({"csr": "no"})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert_eq!(problem["type"], "urn:dc-signer:problem:bad-request");
    });
}

#[test]
fn no_more_than_8_requests_are_answered_at_once() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    block_on(async {
        let connection = Connection::new(&router.client).await;
        assert_eq!(connection.get("/healthz").await.unwrap(), StatusCode::OK);
        assert_eq!(connection.send.current_max_send_streams(), 8);
        // Bodies that do not come keep their streams.
        let mut open = Vec::new();
        for _ in 0..8 {
            let mut send = connection.send.clone().ready().await.unwrap();
            let request =
                request(Method::POST, "/v1/renew").header("content-type", "application/json");
            let request = request.body(()).unwrap();
            open.push(send.send_request(request, false).unwrap());
        }
        let mut other = pin!(connection.get("/healthz"));
        let waited = tokio::time::timeout(Duration::from_millis(500), &mut other).await;
        assert!(waited.is_err(), "{waited:?}");
        drop(open);
        assert_eq!(other.await.unwrap(), StatusCode::OK);
    });
}

#[test]
fn a_refusal_leaves_when_a_small_body_is_here_so_that_no_client_takes_it_for_a_broken_stream() {
    let rig = Rig::start();
    block_on(async {
        let connection = Connection::new(&rig.client()).await;
        for (path, status) in [
            ("/v1/admin/devices", StatusCode::UNAUTHORIZED),
            ("/v1/admin/devices/bulk", StatusCode::UNAUTHORIZED),
            ("/v1/renew", StatusCode::UNAUTHORIZED),
            ("/v1/nothing", StatusCode::NOT_FOUND),
            ("/healthz", StatusCode::METHOD_NOT_ALLOWED),
            ("/sign-out", StatusCode::FORBIDDEN),
        ] {
            let mut send = connection.send.clone().ready().await.unwrap();
            let request = request(Method::POST, path).body(()).unwrap();
            let (answer, mut stream) = send.send_request(request, false).unwrap();
            // As from a client that is a little slower with its body than with its head.
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.send_data(vec![b' '; 10_000].into(), false).unwrap();
            }
            stream.send_data(Bytes::new(), true).unwrap();
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
            text(answer.into_body()).await.unwrap();
            let reset = poll_fn(|context| stream.poll_reset(context));
            let reset = tokio::time::timeout(Duration::from_millis(100), reset).await;
            assert!(!matches!(reset, Ok(Ok(_))), "{path} {reset:?}");
        }
    });
}

#[test]
fn a_refusal_does_not_wait_for_a_body_that_does_not_come_or_never_ends() {
    let rig = Rig::start();
    block_on(async {
        let connection = Connection::new(&rig.client()).await;
        let ask = async |length: Option<&str>| {
            let mut send = connection.send.clone().ready().await.unwrap();
            let mut request = request(Method::POST, "/v1/renew");
            if let Some(length) = length {
                request = request.header("content-length", length);
            }
            let (answer, _stream) = send.send_request(request.body(()).unwrap(), false).unwrap();
            let began = std::time::Instant::now();
            assert_eq!(answer.await.unwrap().status(), StatusCode::UNAUTHORIZED);
            began.elapsed()
        };
        let (none, large) = (ask(None).await, ask(Some("100000000")).await);
        assert!(none < Duration::from_secs(10), "{none:?}");
        assert!(large < Duration::from_secs(1), "{large:?}");
    });
}

#[test]
fn heads_that_are_too_large_end_their_stream_and_no_other() {
    let rig = Rig::start();
    block_on(async {
        let connection = Connection::new(&rig.client()).await;
        for size in [40_000, 1_000_000] {
            let request = request(Method::GET, "/healthz").header("x-long", "a".repeat(size));
            match connection.ask(request.body(()).unwrap(), "").await {
                Ok((status, _)) => {
                    assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
                    assert_eq!(connection.get("/healthz").await.unwrap(), StatusCode::OK);
                }
                // So many frames of one head are an attack, and end the connection.
                Err(error) => assert!(size > 40_000, "{error}"),
            }
        }
    });
    rig.client().get("/healthz").ok();
}

#[test]
fn requests_that_are_taken_back_again_and_again_end_the_connection() {
    let rig = Rig::start();
    block_on(async {
        let connection = Connection::new(&rig.client()).await;
        let mut send = connection.send.clone();
        let mut sent = 0;
        let error = loop {
            assert!(sent < 20_000, "nobody minds");
            if let Err(error) = poll_fn(|context| send.poll_ready(context)).await {
                break error;
            }
            let request = request(Method::GET, "/healthz").body(()).unwrap();
            match send.send_request(request, true) {
                Ok((_, mut stream)) => stream.send_reset(Reason::CANCEL),
                Err(error) => break error,
            }
            sent += 1;
            // So that what was sent goes out.
            tokio::task::yield_now().await;
        };
        let ended = connection.ended.await.unwrap();
        let reason = ended
            .err()
            .and_then(|error| error.reason())
            .or_else(|| error.reason());
        assert_eq!(
            reason,
            Some(Reason::ENHANCE_YOUR_CALM),
            "{error} after {sent}"
        );
    });
    rig.client().get("/healthz").ok();
}

#[test]
fn pings_alone_do_not_keep_a_connection_and_requests_do() {
    let rig = Rig::start_with("idle_timeout = \"3s\"");
    block_on(async {
        let mut connection = Connection::new(&rig.client()).await;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert_eq!(connection.get("/healthz").await.unwrap(), StatusCode::OK);
        }
        while connection.ping.ping(h2::Ping::opaque()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let _ = connection.ended.await.unwrap();
    });
}
