//! Security headers of every page, the style, and the icon.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::assets::STYLE_TEXT;
use super::error::PageError;
use crate::server::telemetry::RequestId;

/// Makes pages of faults, and forbids the browser whatever these pages do not need.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().copied();
    let mut response = next.run(request).await;
    if let Some(fault) = response.extensions_mut().remove::<PageError>() {
        response = fault.respond(id.unwrap_or_else(RequestId::next));
    }
    protect(response.headers_mut());
    response
}

/// The page that says so.
pub(super) fn not_found(request: &Request) -> Response {
    let id = request.extensions().get::<RequestId>().copied();
    let mut response = PageError::NotFound.respond(id.unwrap_or_else(RequestId::next));
    protect(response.headers_mut());
    response
}

fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What is not an asset has data in it.
    let caching = headers.entry(CACHE_CONTROL);
    caching.or_insert(HeaderValue::from_static("no-store"));
}

/// The style of all pages.
pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE_TEXT)
}

/// The icon in the browser's tab.
pub(super) async fn icon() -> Response {
    asset("image/svg+xml", include_str!("icon.svg"))
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, FOREVER)];
    (headers, text).into_response()
}

const FOREVER: &str = "public, max-age=31536000, immutable";
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
