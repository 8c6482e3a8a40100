//! The HTTP API: parse, ask the authority, answer.

mod access;
mod approvals;
mod audit;
mod body;
mod bulk;
mod convert;
mod counts;
mod cut_off;
mod device;
mod devices;
mod filter;
mod health;
mod observe;
mod openapi;
mod operators;
mod problem;
mod public;
mod record;
mod zones;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use pki_types::UnixTime;

pub use health::Readiness;
pub use openapi::openapi_json;

use crate::access::{Gate, export};
use crate::authority::json::MAX_TIME;
use crate::authority::{self, Act, Authenticated, Authority};
use crate::checkpoints::Told;
use crate::config::{Config, Live, MetricsAccess};
use crate::server::listener::Validity;
use crate::server::telemetry::Metrics;
use counts::RefusedCounts;
use dc_pki::clock;
use dc_protocol::Kind;
use dc_store::Location;
use dc_store::registry::Reason;
use problem::ApiError;

/// The state that handlers share.
#[derive(Debug)]
pub struct App {
    authority: Arc<Authority>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    refused: RefusedCounts,
    checkpoints: Told,
    settings: Live<Settings>,
}

/// The part of the settings that is the API's.
#[derive(Debug)]
pub struct Settings {
    /// When the certificate that the service shows can be used.
    certificate: Validity,
    request_timeout: Duration,
    bulk_timeout: Duration,
    metrics: MetricsAccess,
    /// The database, if it is a file.
    database: Option<PathBuf>,
}

impl Settings {
    /// From a configuration, and the certificate of the service.
    #[must_use]
    pub fn new(config: &Config, certificate: Validity) -> Self {
        Self {
            certificate,
            request_timeout: config.listen.request_timeout,
            bulk_timeout: config.listen.bulk_timeout,
            metrics: config.metrics.access,
            database: match &config.database {
                Location::File(path) => Some(path.clone()),
                Location::Postgres(_) => None,
            },
        }
    }
}

impl App {
    /// Answers for the authority behind a gate; not ready until `readiness` says so.
    #[must_use]
    pub fn new(settings: Live<Settings>, gate: Arc<Gate>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            readiness: Readiness::new(),
            refused: RefusedCounts::default(),
            checkpoints: Told::default(),
            settings,
            authority: gate.authority().clone(),
            gate,
            metrics,
        })
    }

    /// The service's readiness.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// The checkpoints of the audit log that are signed here.
    #[must_use]
    pub fn checkpoints(&self) -> &Told {
        &self.checkpoints
    }

    /// Forgets limits that do not bind anybody any more, and stores how many devices were refused.
    ///
    /// Fails with what the database fails with; then the numbers are kept for the next time.
    pub async fn tidy(&self, now: UnixTime) -> Result<(), authority::Error> {
        self.gate.tidy();
        self.gate.record_reads(now, false).await?;
        let refused = self.refused.take();
        if refused.is_empty() {
            return Ok(());
        }
        let stored = self.authority.count_refused(&refused, now).await;
        stored.inspect_err(|_| {
            for (reason, count) in refused {
                self.refused.add_many(reason, count);
            }
        })
    }

    /// Tells the other signers how often devices came here, and hears the same of them.
    ///
    /// Fails with what the database fails with.
    pub async fn share_limits(&self, now: UnixTime) -> Result<(), authority::Error> {
        self.gate.share_limits(now).await
    }

    /// Records what operators have read since that was recorded last: before the end.
    ///
    /// Fails with what the database fails with.
    pub async fn record_reads(&self, now: UnixTime) -> Result<(), authority::Error> {
        self.gate.record_reads(now, true).await
    }

    fn request_time(&self, route: &str) -> Duration {
        let settings = self.settings.load();
        match route {
            BULK | EXPORT | AUDIT_EXPORT | export::PAGE => settings.bulk_timeout,
            _ => settings.request_timeout,
        }
    }

    /// Takes the service out of readiness at once if a device was refused because nothing can be stored.
    fn heed(&self, refused: &ApiError) {
        if refused.kind() == Kind::StorageUnavailable {
            self.readiness.storage(false);
        }
    }
}

/// The routes for devices and everybody.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(dc_protocol::ENROLL, post(device::enroll))
        .route(dc_protocol::RENEW, post(device::renew))
        .route("/v1/renewal-info/{zone}", get(public::renewal_info))
        .route("/v1/withdrawn/{zone}", get(public::withdrawn))
        .route(
            "/v1/withdrawn/{zone}/compact",
            get(public::withdrawn_compact),
        )
        .merge(document())
        .method_not_allowed_fallback(problem::no_such_method)
}

/// The description of all routes.
pub fn document() -> Router<Arc<App>> {
    Router::new().route("/openapi.json", get(openapi::document))
}

/// The routes for operators.
pub fn routes_for_operators() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/admin/devices", get(devices::list).post(devices::add))
        .route(BULK, post(bulk::add))
        .route(EXPORT, get(bulk::export))
        .route("/v1/admin/devices/retire", post(approvals::retire))
        .route("/v1/admin/devices/{id}", get(devices::show))
        .route("/v1/admin/devices/{id}/history", get(devices::history))
        .route("/v1/admin/devices/{id}/suspend", post(devices::suspend))
        .route("/v1/admin/devices/{id}/resume", post(devices::resume))
        .route("/v1/admin/devices/{id}/retire", post(devices::retire))
        .route("/v1/admin/devices/{id}/replace", post(devices::replace))
        .route("/v1/admin/devices/{id}/code", post(devices::code))
        .route(
            "/v1/admin/devices/{id}/clear-clone",
            post(devices::clear_clone),
        )
        .route("/v1/admin/audit", get(audit::list))
        .route(AUDIT_EXPORT, get(audit::export))
        .route("/v1/admin/audit/checkpoint", get(audit::checkpoint))
        .route("/v1/admin/zones", get(zones::list).post(zones::add))
        .route("/v1/admin/zones/{zone}/forms", post(zones::forms))
        .route("/v1/admin/zones/{zone}/roles", post(zones::roles))
        .route("/v1/admin/zones/{zone}/rollover", post(zones::rollover))
        .route("/v1/admin/zones/{zone}/pull-renewals", post(zones::pull))
        .route("/v1/admin/zones/{zone}/remove", post(zones::remove))
        .route("/v1/admin/approvals", get(approvals::list))
        .route(
            "/v1/admin/approvals/{number}/approve",
            post(approvals::approve),
        )
        .route(
            "/v1/admin/approvals/{number}/refuse",
            post(approvals::refuse),
        )
        .route("/v1/admin/operators", get(operators::list))
        .route("/v1/admin/operators/{name}/renew", post(operators::renew))
        .route(
            "/v1/admin/operators/{name}/disable",
            post(operators::disable),
        )
        .route("/v1/admin/operators/{name}/enable", post(operators::enable))
        .method_not_allowed_fallback(problem::no_such_method)
}

/// The routes about the service itself.
pub fn routes_about_health() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(problem::no_such_method)
}

/// The one route where devices are known by their credentials: nothing that changes anything may come here, because a
/// credential's key is worth 7 days, and an enrolment key a device.
pub fn routes_by_credential() -> Router<Arc<App>> {
    Router::new()
        .route(dc_protocol::DEVICE, get(record::show))
        .method_not_allowed_fallback(problem::no_such_method)
        .fallback(async || not_found())
}

/// True of what may take minutes.
fn takes_long(path: &str) -> bool {
    matches!(path, BULK | EXPORT | AUDIT_EXPORT)
}

/// The answer for a path that there is not.
pub fn not_found() -> Response {
    problem::not_found().into_response()
}

/// The answer for a path that another listener may have.
pub fn not_here() -> Response {
    problem::not_here().into_response()
}

/// Puts request ids, the log, metrics and limits on time around routes.
pub fn observed(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    routes
        .layer(from_fn_with_state(app.clone(), observe::observe))
        .with_state(app)
}

/// An act of an operator, now.
fn act(operator: &Authenticated) -> Result<Act, ApiError> {
    Ok(operator.act(clock::now()?))
}

/// The same for a reason.
///
/// Fails with a problem if it is none.
fn act_because(operator: &Authenticated, reason: &str) -> Result<Act, ApiError> {
    let reason: Reason = reason.parse()?;
    Ok(act(operator)?.because(reason))
}

/// A time on the wire.
///
/// Fails with a problem if it is beyond what dates can be written.
fn at(seconds: u64) -> Result<UnixTime, ApiError> {
    match seconds <= MAX_TIME {
        true => Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds))),
        false => Err(ApiError::new(
            Kind::BadRequest,
            format!("{seconds} is no time: times are in seconds since 1970, up to {MAX_TIME}"),
        )),
    }
}

const BULK: &str = "/v1/admin/devices/bulk";
const EXPORT: &str = "/v1/admin/devices/export";
const AUDIT_EXPORT: &str = "/v1/admin/audit/export";
