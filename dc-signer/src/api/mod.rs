//! The HTTP API: parse, ask, answer. What is decided is decided behind it, in the authority and the store.

mod access;
mod body;
mod buckets;
mod bulk;
mod cut_off;
mod device;
mod devices;
mod health;
mod limits;
mod observe;
mod openapi;
mod problem;
mod public;
mod refusal;
mod refused;
mod zones;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use pki_types::UnixTime;

pub use health::Readiness;
pub use openapi::openapi_json;

use crate::authority::Authority;
use crate::authority::json::MAX_TIME;
use crate::config::{Config, Live, MetricsAccess};
use crate::server::listener::Validity;
use crate::server::telemetry::{Metrics, Shed};
use crate::store::{self, Act};
use dc_pki::clock;
use dc_protocol::Kind;
use limits::RateLimits;
use problem::Refused;
use refused::RefusedCounts;

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    authority: Arc<Authority>,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    refused: RefusedCounts,
    settings: Live<Settings>,
}

/// The part of the settings that is the API's.
#[derive(Debug)]
pub struct Settings {
    /// When the certificate that the service shows can be used.
    certificate: Validity,
    limits: Arc<RateLimits>,
    request_timeout: Duration,
    bulk_timeout: Duration,
    metrics: MetricsAccess,
}

impl Settings {
    /// From a configuration, and the certificate of the service. Those who have come too often are let in again only if the
    /// limits are others than before.
    #[must_use]
    pub fn new(config: &Config, certificate: Validity, before: Option<&Self>) -> Self {
        let limits = before.map(|before| &before.limits);
        let limits = limits.filter(|limits| *limits.configured() == config.limits);
        let limits = limits.cloned();
        Self {
            certificate,
            limits: limits.unwrap_or_else(|| RateLimits::new(&config.limits).into()),
            request_timeout: config.listen.request_timeout,
            bulk_timeout: config.listen.bulk_timeout,
            metrics: config.metrics.access,
        }
    }
}

impl App {
    /// Answers with the help of an authority; not ready until `readiness` says so.
    #[must_use]
    pub fn new(
        settings: Live<Settings>,
        authority: Arc<Authority>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            readiness: Readiness::new(),
            refused: RefusedCounts::default(),
            settings,
            authority,
            metrics,
        })
    }

    /// Lets an operator through, or says after how many seconds to come again: pages and API count together.
    pub fn operator_may_come(&self, name: &str) -> Result<(), u64> {
        let limited = self
            .settings
            .load()
            .limits
            .operator_wait(name, Instant::now());
        limited.inspect_err(|_| self.metrics.shed(Shed::OperatorRate))
    }

    /// Whether the service can do its work.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Forgets limits that do not bind anybody any more, and stores how many devices were refused.
    ///
    /// Fails with what the database fails with; then the numbers are kept for the next time.
    pub async fn tidy(&self, now: UnixTime) -> Result<(), store::Error> {
        self.settings.load().limits.tidy(Instant::now());
        let refused = self.refused.take();
        if refused.is_empty() {
            return Ok(());
        }
        let stored = self.authority.store().count_refused(&refused, now).await;
        stored.inspect_err(|_| {
            for (reason, count) in refused {
                self.refused.add_many(reason, count);
            }
        })
    }

    fn request_time(&self, route: &str) -> Duration {
        let settings = self.settings.load();
        match route {
            BULK | EXPORT => settings.bulk_timeout,
            _ => settings.request_timeout,
        }
    }
}

/// Makes a page of a request for what is not there, if a browser has sent it.
pub type Stray = fn(&Request) -> Option<Response>;

/// All routes, and pages for people beside them.
pub fn router(app: Arc<App>, pages: Router<Arc<App>>, stray: Stray) -> Router {
    Router::new()
        .route(dc_protocol::ENROLL, post(device::enroll))
        .route(dc_protocol::RENEW, post(device::renew))
        .route("/v1/renewal-info/{zone}", get(public::renewal_info))
        .route("/v1/withdrawn/{zone}", get(public::withdrawn))
        .route("/v1/admin/devices", get(devices::list).post(devices::add))
        .route(BULK, post(bulk::add))
        .route(EXPORT, get(bulk::export))
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
        .route("/v1/admin/zones", get(zones::list).post(zones::add))
        .route("/v1/admin/zones/{zone}/forms", post(zones::forms))
        .route("/v1/admin/zones/{zone}/rollover", post(zones::rollover))
        .route("/v1/admin/zones/{zone}/pull-renewals", post(zones::pull))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::document))
        .fallback(async move |request: Request| {
            stray(&request).unwrap_or_else(|| problem::not_found().into_response())
        })
        .method_not_allowed_fallback(problem::no_such_method)
        .merge(pages)
        .layer(from_fn_with_state(app.clone(), observe::observe))
        .with_state(app)
}

/// An act of somebody, now.
fn act(actor: String) -> Result<Act, Refused> {
    let at = clock::now()?;
    Ok(Act { actor, at })
}

/// A time on the wire.
///
/// Fails with a problem if it is beyond what dates can be written.
fn at(seconds: u64) -> Result<UnixTime, Refused> {
    match seconds <= MAX_TIME {
        true => Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds))),
        false => Err(Refused::new(
            Kind::BadRequest,
            format!("{seconds} is no time: times are in seconds since 1970, up to {MAX_TIME}"),
        )),
    }
}

const BULK: &str = "/v1/admin/devices/bulk";
const EXPORT: &str = "/v1/admin/devices/export";
