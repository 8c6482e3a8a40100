//! All routes of the service: the API, and pages for people beside it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;

use crate::api::{self, App};
use crate::web::{self, Web};

pub(super) fn routes(app: Arc<App>, web: Arc<Web>) -> Router {
    let routes = api::routes().merge(web::router(web)).fallback(not_found);
    api::observed(routes, app)
}

/// The routes where devices are known by their credentials.
pub(super) fn routes_by_credential(app: Arc<App>) -> Router {
    api::observed(api::routes_by_credential(), app)
}

async fn not_found(request: Request) -> Response {
    web::not_found(&request).unwrap_or_else(api::not_found)
}
