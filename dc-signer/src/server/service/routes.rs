//! The routes of each listener: the API, and pages for people beside it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;

use crate::api::{self, App};
use crate::config::Listen;
use crate::web::{self, Web};

/// The routes of `listen.address`: all of them, but for those that have an address of their own.
pub(super) fn routes(listen: &Listen, app: Arc<App>, web: Arc<Web>) -> Router {
    let mut routes = api::routes();
    if listen.operators.is_none() {
        routes = routes.merge(operators(web));
    }
    if listen.health.is_none() {
        routes = routes.merge(api::routes_about_health());
    }
    let routes = match (&listen.operators, &listen.health) {
        (None, None) => routes.fallback(not_found),
        (None, Some(_)) => routes.fallback(no_such_page),
        (Some(_), _) => routes.fallback(async || api::not_here()),
    };
    api::observed(routes, app)
}

/// The routes of `listen.operators`.
pub(super) fn routes_for_operators(app: Arc<App>, web: Arc<Web>) -> Router {
    let routes = operators(web).merge(api::document());
    api::observed(routes.fallback(no_such_page), app)
}

/// The routes of `listen.health`.
pub(super) fn routes_about_health(app: Arc<App>) -> Router {
    let routes = api::routes_about_health().fallback(async || api::not_here());
    api::observed(routes, app)
}

/// The routes where devices are known by their credentials.
pub(super) fn routes_by_credential(app: Arc<App>) -> Router {
    api::observed(api::routes_by_credential(), app)
}

fn operators(web: Arc<Web>) -> Router<Arc<App>> {
    api::routes_for_operators().merge(web::router(web))
}

async fn not_found(request: Request) -> Response {
    web::not_found(&request).unwrap_or_else(api::not_found)
}

async fn no_such_page(request: Request) -> Response {
    web::not_found(&request).unwrap_or_else(api::not_here)
}
