//! Whether the service lives, whether it can work, and its metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::access::Viewer;
use super::problem::Refused;
use crate::config::MetricsAccess;
use crate::protocol::Kind;
use crate::telemetry::{CONTENT_TYPE as OPEN_METRICS, Metrics};

/// Whether the service can work: only its own faults count, never how much there is to do, because a
/// load balancer that takes a busy service away makes the others busier.
#[derive(Debug)]
pub struct Readiness {
    started: AtomicBool,
    stopping: AtomicBool,
    storage: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Readiness {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            started: false.into(),
            stopping: false.into(),
            storage: true.into(),
            metrics,
        }
    }

    /// The self-test has passed.
    pub fn started(&self) {
        self.started.store(true, Ordering::Relaxed);
        self.publish();
    }

    /// It finishes what it has begun, and takes nothing new.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.publish();
    }

    /// Whether the database could write when it was last asked.
    pub fn storage(&self, works: bool) {
        if self.storage.swap(works, Ordering::Relaxed) != works {
            match works {
                true => tracing::info!("the database can write again"),
                false => {
                    tracing::error!("the database cannot write: nothing is issued until it can");
                }
            }
        }
        self.publish();
    }

    /// Why it is not ready, if it is not.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let faults = [
            (
                self.stopping.load(Ordering::Relaxed),
                "the service is stopping",
            ),
            (
                !self.started.load(Ordering::Relaxed),
                "the service is starting",
            ),
            (
                !self.storage.load(Ordering::Relaxed),
                "the database cannot write: check its disk or its server",
            ),
        ];
        let first = faults.into_iter().find(|(is_so, _)| *is_so);
        first.map(|(_, text)| text)
    }

    fn publish(&self) {
        self.metrics.set_ready(self.fault().is_none());
    }
}

/// That the service lives, or is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    /// `ok`.
    status: &'static str,
}

const OK: Json<Status> = Json(Status { status: "ok" });

/// Whether the process answers at all.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Status)))]
pub(super) async fn alive() -> Json<Status> {
    OK
}

/// Whether the service can issue; 503 only for its own faults, never because there is much to do.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, body = Status),
    (status = "default", description = "A problem", body = crate::protocol::Problem, content_type = "application/problem+json"),
))]
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Status>, Refused> {
    let works = app.desk.store().ping().await.is_ok();
    app.readiness.storage(works);
    match app.readiness.fault() {
        None => Ok(OK),
        Some(fault) => Err(Refused::new(Kind::StorageUnavailable, fault)),
    }
}

/// The metrics, as OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "health", security((), ("token" = [])), responses(
    (status = 200, body = String, content_type = "application/openmetrics-text"),
    (status = "default", description = "A problem", body = crate::protocol::Problem, content_type = "application/problem+json"),
))]
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refused> {
    if app.settings.load().metrics == MetricsAccess::Operators {
        let (mut parts, _) = request.into_parts();
        Viewer::from_request_parts(&mut parts, &app).await?;
    }
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], app.metrics.encode()).into_response())
}
