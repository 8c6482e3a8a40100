//! The layer around all routes: request ids, the log, metrics, and a limit on time.
//!
//! tower-http's time-out is the same for all routes and answers with an empty body; here it depends on the route, and the answer
//! is a problem with the request's id in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument, field};

use super::App;
use super::cut_off::Unanswered;
use super::problem::{Answered, ApiError};
use crate::server::listener::ClientAddress;
use crate::server::telemetry::RequestId;
use dc_protocol::{Kind, Severity};

/// Answers a request within its time, and says in answer, log and metrics how.
pub(super) async fn observe(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::next();
    let began = Instant::now();
    let method = method(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or(NO_ROUTE, MatchedPath::as_str)
        .to_owned();
    let client = request.extensions().get::<ClientAddress>();
    let client = client.map(|ClientAddress(address)| field::display(*address));
    let span = tracing::info_span!("request", %id, client, method, route, caller = field::Empty);
    let unanswered = Unanswered::new(span.clone(), began);
    let limit = app.request_time(&route);
    request.extensions_mut().insert(id);
    let answering = tokio::time::timeout(limit, next.run(request)).instrument(span.clone());
    let response = answering
        .await
        .unwrap_or_else(|_| too_late().into_response());
    let response = identify(response, id);
    let took = began.elapsed();
    let status = response.status().as_u16();
    app.metrics.answered(&route, method, status, took);
    let problem = response.extensions().get::<Answered>();
    if let Some(Answered(problem)) = problem {
        app.metrics
            .problem(problem.kind().map_or("other", Kind::name));
    }
    unanswered.answered();
    span.in_scope(|| log(status, took, problem));
    response
}

fn log(status: u16, took: Duration, problem: Option<&Answered>) {
    let milliseconds = took.as_secs_f64() * 1000.0;
    match problem {
        None => tracing::info!(status, milliseconds, "answered"),
        Some(Answered(problem)) => {
            let kind = problem.kind().map_or("other", Kind::name);
            let why = problem.detail.as_str();
            match problem.kind().map_or(Severity::Refusal, Kind::severity) {
                Severity::Bug => tracing::error!(status, milliseconds, kind, why, "failed"),
                Severity::Outage => {
                    tracing::warn!(status, milliseconds, kind, why, "unavailable");
                }
                Severity::Refusal => tracing::info!(status, milliseconds, kind, why, "refused"),
            }
        }
    }
}

/// Puts the request's id into the head, and into a problem's body.
fn identify(mut response: Response, id: RequestId) -> Response {
    let text = id.to_string();
    if let Some(Answered(problem)) = response.extensions_mut().get_mut::<Answered>() {
        problem.request_id = Some(text.clone());
        // A struct of strings and a number is always JSON.
        let body = serde_json::to_vec(problem).unwrap_or_default();
        *response.body_mut() = Body::from(body);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn too_late() -> ApiError {
    ApiError::new(
        Kind::StorageUnavailable,
        "the answer took too long: send the same request again later",
    )
}

/// One of the few that there are, so that nobody invents labels of metrics.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

const NO_ROUTE: &str = "none";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
