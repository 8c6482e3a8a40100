//! The operator's pages: the fleet at a glance, a search, a device with its history, and what can be done to it.
//!
//! Everything is made here, nothing in the browser: there are no scripts, and the pages forbid them. What is
//! shown is a pure function of data, in `page/`; handlers ask the authority and call one. The arguments that
//! a handler takes prove who has authenticated, and that a form was sent from a page of ours.

mod access;
mod act;
mod acts;
mod approvals;
mod assets;
mod csrf;
mod devices;
mod error;
mod fleet;
mod headers;
mod page;
mod parts;
mod session;
mod sign_in;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::ACCEPT;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{get, post};
use pki_types::UnixTime;

use crate::access::{Gate, export};
use crate::authority::Authority;
use csrf::Csrf;
use dc_pki::clock;
use session::Sessions;

/// The state that pages share.
pub struct Web {
    authority: Arc<Authority>,
    gate: Arc<Gate>,
    sessions: Sessions,
    csrf: Csrf,
    fleet: fleet::Counted,
    clock: Clock,
}

/// A clock, which says the time.
type Clock = fn() -> Result<UnixTime, dc_pki::Error>;

impl Web {
    /// Pages of the authority behind a gate. Nobody is signed in yet.
    ///
    /// Fails with [`dc_pki::Error::Randomness`].
    pub fn new(gate: Arc<Gate>) -> Result<Arc<Self>, dc_pki::Error> {
        Self::with_clock(gate, clock::now)
    }

    /// The same at the time that a clock says.
    fn with_clock(gate: Arc<Gate>, clock: Clock) -> Result<Arc<Self>, dc_pki::Error> {
        Ok(Arc::new(Self {
            authority: gate.authority().clone(),
            gate,
            sessions: Sessions::default(),
            csrf: Csrf::new()?,
            fleet: fleet::Counted::default(),
            clock,
        }))
    }

    /// The time.
    fn now(&self) -> Result<UnixTime, dc_pki::Error> {
        (self.clock)()
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            authority,
            gate: _,
            sessions: _,
            csrf: _,
            fleet: _,
            clock: _,
        } = self;
        f.debug_struct("Web")
            .field("authority", authority)
            .finish_non_exhaustive()
    }
}

/// All pages, to be merged with the other routes of the service.
pub fn router<S: Clone + Send + Sync + 'static>(web: Arc<Web>) -> Router<S> {
    Router::new()
        .route("/", get(fleet::show))
        .route("/devices", get(devices::list))
        .route(export::PAGE, get(devices::export))
        .route("/devices/{id}", get(devices::show))
        .route("/devices/{id}/{act}", get(acts::ask).post(acts::act))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{number}/{verdict}", post(approvals::decide))
        .route("/sign-in", get(sign_in::ask).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route(assets::STYLE, get(headers::style))
        .route(assets::ICON, get(headers::icon))
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn(headers::finish))
        .with_state(web)
}

/// The page for a browser that asked for what is not there; none for a program, which is told so by the API.
#[must_use]
pub fn not_found(request: &Request) -> Option<Response> {
    let accept = request.headers().get_all(ACCEPT).iter();
    let mut types = accept
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let html = |kind: &str| {
        let name = kind.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("text/html")
    };
    let is_api = request.uri().path().starts_with("/v1/");
    (!is_api && types.any(html)).then(|| headers::not_found(request))
}

/// Bytes of a form: many more than the longest.
const MAX_FORM: usize = 4096;
