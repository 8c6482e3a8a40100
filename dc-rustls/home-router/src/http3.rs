//! HTTP/3 (RFC 9114): the page and DNS over HTTPS once more, over QUIC.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response, StatusCode};
use axum::{Extension, Router};
use bytes::Buf;
use h3::error::StreamError;
use h3::server::{Connection, RequestResolver, RequestStream};
use h3_quinn::BidiStream;
use quinn::VarInt;
use tokio::time::timeout;
use tower_service::Service as _;

use crate::doh;
use crate::quic::Greeted;
use crate::web::Here;

type Quic = h3_quinn::Connection;
type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

/// Serves a connection until the client closes it or is silent for too long, which QUIC sees to.
pub(crate) async fn serve(app: Router, greeted: Greeted) {
    let Greeted {
        quic,
        client,
        local,
    } = greeted;
    let here = Here {
        connection: Arc::clone(client.connection()),
        local,
    };
    let app = app.layer(Extension(here));
    let mut http = h3::server::builder();
    http.max_field_section_size(MAX_FIELDS);
    let Ok(mut http) = http.build::<_, Bytes>(Quic::new(quic.clone())).await else {
        return;
    };
    accept(&mut http, &app).await;
    quic.close(NO_ERROR, b"");
}

async fn accept(http: &mut Connection<Quic, Bytes>, app: &Router) {
    while let Ok(Some(request)) = http.accept().await {
        let app = app.clone();
        // Whoever leaves in the middle of a request is told nothing.
        tokio::spawn(async move { timeout(PATIENCE, answer(request, app)).await });
    }
}

async fn answer(request: RequestResolver<Quic, Bytes>, mut app: Router) -> Result<(), StreamError> {
    let (request, mut stream) = request.resolve_request().await?;
    let Some(body) = read(&mut stream).await? else {
        let mut refusal = Response::new(());
        *refusal.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        stream.send_response(refusal).await?;
        return stream.finish().await;
    };
    let (parts, ()) = request.into_parts();
    let request = Request::from_parts(parts, Body::from(body));
    let response = app
        .call(request)
        .await
        .unwrap_or_else(|never| match never {});
    let (parts, body) = response.into_parts();
    stream
        .send_response(Response::from_parts(parts, ()))
        .await?;
    // All of them are made in memory, so none is cut.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    stream.send_data(body).await?;
    stream.finish().await
}

/// The body of a request; `None` if it is longer than any DNS message.
async fn read(stream: &mut Stream) -> Result<Option<Vec<u8>>, StreamError> {
    let mut body = Vec::new();
    while let Some(mut data) = stream.recv_data().await? {
        while data.has_remaining() {
            let piece = data.chunk();
            body.extend_from_slice(piece);
            let length = piece.len();
            data.advance(length);
        }
        if body.len() > doh::MAX_LENGTH {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

const MAX_FIELDS: u64 = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);
/// H3_NO_ERROR (RFC 9114 §8.1).
const NO_ERROR: VarInt = VarInt::from_u32(0x100);
