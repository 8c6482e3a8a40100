//! A connection of HTTP/1.1 whose other side is known before its first request.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::http::Extensions;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::http;
use crate::config::Listen;

/// How long a connection is kept.
pub(in crate::server) struct Kept {
    /// From its beginning, whatever it asks.
    pub(in crate::server) age: Duration,
    /// For a request in progress, after that or when the service stops.
    pub(in crate::server) rest: Duration,
}

/// Answers requests until either side has had enough; `mark` puts into each whose it is.
pub(in crate::server) async fn serve_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    (router, mark): (Router, impl Fn(&mut Extensions) + 'static),
    (listen, kept): (&Listen, Kept),
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        mark(request.extensions_mut());
        router.clone().oneshot(request.map(Body::new))
    });
    let builder = http(listen, false);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = sleep(kept.age) => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(kept.rest, connection).await;
}
