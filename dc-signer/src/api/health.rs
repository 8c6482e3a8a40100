//! Whether the service lives, whether it can work, and its metrics.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    /// When the database was last asked.
    asked: Mutex<Option<Instant>>,
    metrics: Arc<Metrics>,
}

impl Readiness {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            started: false.into(),
            stopping: false.into(),
            storage: true.into(),
            asked: Mutex::default(),
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

    /// Whether the database could write when it last had to.
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

    /// Whether it is time to ask the database again: anybody may want to know whether the service is ready, and each
    /// time costs a commit.
    fn should_ask(&self) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_none_or(|asked| asked.elapsed() >= FRESH)
    }

    fn publish(&self) {
        self.metrics.set_ready(self.fault().is_none());
    }
}

impl App {
    /// Looks whether the database can write. Once it could not, it needs room for some devices' records to be
    /// called well again: a disk that is full has room for a little now and then.
    pub async fn try_storage(&self) {
        let now = Some(Instant::now());
        let readiness = &self.readiness;
        *readiness
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = now;
        let room = match readiness.storage.load(Ordering::Relaxed) {
            true => 0,
            false => ROOM,
        };
        let works = self.desk.store().ping(room).await.is_ok();
        readiness.storage(works);
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
    if app.readiness.should_ask() {
        app.try_storage().await;
    }
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

/// How long an answer of the database counts.
const FRESH: Duration = Duration::from_secs(1);
/// Bytes that some dozens of devices' records take.
const ROOM: usize = 256 * 1024;
