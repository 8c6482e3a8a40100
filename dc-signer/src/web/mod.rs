//! The operator's pages: the fleet at a glance, a search, a device with its history, and what can be done to it.
//!
//! Everything is made here, nothing in the browser: there are no scripts, and the pages forbid them. What is
//! shown is a pure function of data, in `page/`; handlers ask the store and call one. Who is asking, and
//! that a form was sent from a page of ours, are proven by the arguments that a handler takes.

mod access;
mod acts;
mod devices;
mod fault;
mod fleet;
mod forgery;
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

use crate::error::Error;
use crate::store::Store;
use forgery::Forgery;
use session::Sessions;

/// What the pages share.
pub struct Web {
    store: Arc<Store>,
    sessions: Sessions,
    forgery: Forgery,
    fleet: fleet::Counted,
    gate: Gate,
}

/// Lets an operator through, by name, or says after how many seconds to come again.
pub type Gate = Box<dyn Fn(&str) -> Result<(), u64> + Send + Sync>;

impl Web {
    /// Pages over a store. Nobody is signed in yet.
    ///
    /// Fails with [`Error::Randomness`].
    pub fn new(store: Arc<Store>, gate: Gate) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            store,
            sessions: Sessions::default(),
            forgery: Forgery::new()?,
            fleet: fleet::Counted::default(),
            gate,
        }))
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            store,
            sessions: _,
            forgery: _,
            fleet: _,
            gate: _,
        } = self;
        f.debug_struct("Web")
            .field("store", store)
            .finish_non_exhaustive()
    }
}

/// All pages, to be merged with the other routes of the service.
pub fn router<S: Clone + Send + Sync + 'static>(web: Arc<Web>) -> Router<S> {
    Router::new()
        .route("/", get(fleet::show))
        .route("/devices", get(devices::list))
        .route("/devices/{id}", get(devices::show))
        .route("/devices/{id}/{act}", get(acts::ask).post(acts::act))
        .route("/sign-in", get(sign_in::ask).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route(headers::STYLE, get(headers::style))
        .route(headers::ICON, get(headers::icon))
        .method_not_allowed_fallback(fault::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn(headers::finish))
        .with_state(web)
}

/// The page for a browser that asked for what is not there; none for a program, which is told so by the API.
#[must_use]
pub fn stray(request: &Request) -> Option<Response> {
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
