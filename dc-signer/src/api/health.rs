//! Liveness, readiness and metrics.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use pki_types::UnixTime;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::access::Viewer;
use super::problem::ApiError;
use crate::authority::{self, IssuingStatus};
use crate::config::MetricsAccess;
use crate::server::Warning;
use crate::server::check::is_full;
use crate::server::listener::Validity;
use crate::server::telemetry::{CONTENT_TYPE as OPEN_METRICS, KeyUsable, ZoneAble};
use dc_pki::clock;
use dc_protocol::Kind;

/// Readiness: only the service's own faults count, never how much there is to do, because a
/// load balancer that takes a busy service away makes the others busier.
#[derive(Debug)]
pub struct Readiness {
    started: AtomicBool,
    stopping: AtomicBool,
    storage: AtomicBool,
    /// The database does not take this signer's report of itself, although it can write.
    unreported: AtomicBool,
    /// The reason that the database cannot be used, if it is not that it cannot write.
    unusable: Mutex<Option<String>>,
    /// When the database was last asked.
    asked: Mutex<Option<Instant>>,
    /// The last message, so that the log has each change.
    said: Mutex<Option<String>>,
}

/// The reasons that the service is not ready, and the kind of problem of the first.
#[derive(Clone, Debug, Eq, PartialEq)]
struct NotReady {
    kind: Kind,
    why: String,
}

impl Readiness {
    pub(super) fn new() -> Self {
        Self {
            started: false.into(),
            stopping: false.into(),
            storage: true.into(),
            unreported: false.into(),
            unusable: Mutex::default(),
            asked: Mutex::default(),
            said: Mutex::default(),
        }
    }

    /// Everything is loaded, and connections are taken.
    pub fn started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// It finishes what it has begun, and takes nothing new.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// The database could write when it last had to.
    pub fn storage(&self, works: bool) {
        if self.storage.swap(works, Ordering::Relaxed) != works {
            match works {
                true => tracing::info!("the database can be used again"),
                false => {
                    // Whoever found that out does not know all: it is asked again.
                    let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                    *asked = None;
                    let why = self
                        .unusable()
                        .unwrap_or_else(|| "it cannot write".to_owned());
                    tracing::error!(why, "nothing is issued until the database can be used");
                }
            }
        }
    }

    /// The database took this signer's last report of itself, or it is broken.
    pub fn reported(&self, taken: bool) {
        self.unreported.store(!taken, Ordering::Relaxed);
    }

    /// True until a report was taken.
    #[must_use]
    pub fn is_unreported(&self) -> bool {
        self.unreported.load(Ordering::Relaxed)
    }

    /// The reason that it is not ready, whatever can be issued.
    fn fault(&self) -> Option<(Kind, String)> {
        let faults = [
            (
                self.stopping.load(Ordering::Relaxed),
                Kind::NotReady,
                "the service is stopping",
            ),
            (
                !self.started.load(Ordering::Relaxed),
                Kind::NotReady,
                "the service is starting",
            ),
            (
                !self.can_write(),
                Kind::StorageUnavailable,
                "the database cannot write: check its disk or its server",
            ),
            (
                self.is_unreported(),
                Kind::NotReady,
                "the database does not take the report of this signer: the log says more",
            ),
        ];
        let first = faults.into_iter().find(|(is_so, ..)| *is_so);
        first.map(|(_, kind, text)| match kind {
            Kind::StorageUnavailable => (kind, self.unusable().unwrap_or_else(|| text.to_owned())),
            kind => (kind, text.to_owned()),
        })
    }

    fn can_write(&self) -> bool {
        self.storage.load(Ordering::Relaxed)
    }

    fn unusable(&self) -> Option<String> {
        let unusable = self.unusable.lock();
        unusable.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True if it is time to ask the database again: anybody may want to know whether the service is ready, and each
    /// time costs a commit.
    fn should_ask(&self) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_none_or(|asked| asked.elapsed() >= FRESH)
    }

    /// Tells the log when it is another answer than the last one.
    fn say(&self, now: Option<&NotReady>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now_said = now.map(|now| without_numbers(&now.why));
        if *said == now_said {
            return;
        }
        match now {
            Some(NotReady { why, .. }) => tracing::warn!(why, "not ready"),
            None => tracing::info!("ready again"),
        }
        *said = now_said;
    }
}

/// A clock that is wrong says another time whenever it is asked.
fn without_numbers(why: &str) -> String {
    why.chars().filter(|c| !c.is_ascii_digit()).collect()
}

impl App {
    /// Measures the certificate that the service shows now.
    pub fn measure_certificate(&self) {
        let Validity {
            not_before,
            not_after,
            ..
        } = self.settings.load().certificate;
        let (begins, ends) = (not_before.as_secs(), not_after.as_secs());
        self.metrics.set_own_certificate(begins, ends);
    }

    /// A warning about the certificate that the service shows.
    #[must_use]
    pub fn certificate_warning(&self, now: UnixTime) -> Option<Warning> {
        self.settings.load().certificate.warning(now)
    }

    /// True if the service can work; says so to log and metrics.
    pub async fn refresh_readiness(&self) -> bool {
        self.not_ready().await.is_none()
    }

    /// The reasons that it cannot, if it cannot.
    async fn not_ready(&self) -> Option<NotReady> {
        let found = self.faults().await;
        let kind = found.first().map(|(kind, _)| *kind);
        let not_ready = kind.map(|kind| {
            let why: Vec<&str> = found.iter().map(|(_, why)| why.as_str()).collect();
            let why = why.join("; ");
            NotReady { kind, why }
        });
        self.readiness.say(not_ready.as_ref());
        self.metrics.set_ready(not_ready.is_none());
        not_ready
    }

    async fn faults(&self) -> Vec<(Kind, String)> {
        self.heed_failed_writes();
        let own = self.readiness.fault();
        let mut found: Vec<_> = own.into_iter().collect();
        let Ok(now) = clock::now() else {
            found.push((Kind::ClockWrong, dc_pki::Error::ClockBefore1970.to_string()));
            return found;
        };
        // A database that does not work is not asked which zones there are.
        let issuing = match found.is_empty() {
            true => self.authority.issuing_status(now).await,
            false => Ok(self.authority.cached_issuing_status(now)),
        };
        match issuing {
            Ok(status) => {
                self.publish(&status, self.readiness.can_write());
                let kind = |why: &String| match status.clock {
                    Some(_) => Kind::ClockWrong,
                    // Renewals go on.
                    None if Some(why) == status.secrets.as_ref() => Kind::NotReady,
                    None => Kind::ZoneNotReady,
                };
                let faults = status.faults().into_iter();
                found.extend(faults.map(|why| (kind(&why), why)));
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "the zones cannot be read");
                self.publish(&self.authority.cached_issuing_status(now), false);
                let why =
                    "the database does not say which zones there are: check its disk or its server";
                found.push((Kind::StorageUnavailable, why.to_owned()));
            }
        }
        let ended = self.settings.load().certificate.fault(now);
        // Without the file: strangers read this.
        found.extend(ended.map(|ended| (Kind::NotReady, ended.without_path())));
        found
    }

    /// Nothing is issued that cannot be recorded, so a database that cannot write stops every zone.
    fn publish(&self, status: &IssuingStatus, can_write: bool) {
        let zones = status.zones.iter().map(|zone| ZoneAble {
            zone: zone.zone.to_string(),
            can_issue: can_write && status.can_issue(zone),
            until: zone.until.as_secs(),
            warn_before: zone.warn_before.as_secs(),
            pause_until: zone.pause.map_or(0, |pause| pause.until.as_secs()),
            both_forms: status.both_forms.iter().any(|both| both.zone == zone.zone),
        });
        let keys = status.keys.iter().map(|key| KeyUsable {
            zone: key.zone.to_string(),
            slot: key.slot,
            state: key.state.to_string(),
            usable: key.usable,
        });
        let (zones, keys): (Vec<_>, Vec<_>) = (zones.collect(), keys.collect());
        self.metrics.set_zones(&zones, &keys);
    }
}

impl App {
    /// Looks whether the database can write. Once it could not, it needs room for some devices' records to be
    /// called well again: a disk that is full has room for a little now and then. Says whether it can.
    ///
    /// A disk that is full is a fault also while what it has left takes a small write: `dc-signer check` says the same.
    pub async fn try_storage(&self) -> bool {
        self.heed_failed_writes();
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
        let pinged = self.authority.ping(room).await;
        let full = self
            .settings
            .load()
            .database
            .as_deref()
            .is_some_and(is_full);
        let works = pinged.is_ok() && !full;
        // Neither a disk nor a server is to blame for it, and it says what to do.
        let older = pinged
            .err()
            .filter(authority::Error::is_of_older_copy)
            .map(|error| error.to_string());
        let why = older.or_else(|| full.then(|| FULL.to_owned()));
        *readiness
            .unusable
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = why;
        readiness.storage(works);
        works
    }

    /// Whatever could not be written, and whoever wanted it: the service is not ready until a write works again.
    fn heed_failed_writes(&self) {
        if self.authority.could_not_write() {
            self.readiness.storage(false);
        }
    }
}

/// That the service lives, or is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    /// `ok`.
    status: &'static str,
}

const OK: Json<Status> = Json(Status { status: "ok" });

/// Liveness: the process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Status)))]
pub(super) async fn alive() -> Json<Status> {
    OK
}

/// Readiness: the service can issue in all its zones; 503 says why not, and only for its own faults, never for load.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, body = Status),
    (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
))]
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Status>, ApiError> {
    if app.readiness.should_ask() {
        app.try_storage().await;
    }
    match app.not_ready().await {
        None => Ok(OK),
        Some(NotReady { kind, why }) => Err(ApiError::new(kind, why)),
    }
}

/// The metrics, as OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "health", security((), ("token" = [])), responses(
    (status = 200, body = String, content_type = "application/openmetrics-text"),
    (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
))]
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    if app.settings.load().metrics == MetricsAccess::Operators {
        let (mut parts, _) = request.into_parts();
        Viewer::from_request_parts(&mut parts, &app).await?;
    }
    app.refresh_readiness().await;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], app.metrics.encode()).into_response())
}

/// Without the path: strangers read this.
const FULL: &str = "the disk of the database is full: make room";
/// The time for which an answer of the database counts.
const FRESH: Duration = Duration::from_secs(1);
/// Bytes that some dozens of devices' records take.
const ROOM: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_whose_report_is_not_taken_is_not_ready_until_it_is() {
        let readiness = Readiness::new();
        readiness.started();
        assert_eq!(readiness.fault(), None);
        readiness.reported(false);
        let (kind, why) = readiness.fault().unwrap();
        assert_eq!(kind, Kind::NotReady);
        assert!(why.contains("report of this signer"), "{why}");
        readiness.reported(true);
        assert_eq!(readiness.fault(), None);
    }
}
