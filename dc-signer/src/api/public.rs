//! Public endpoints: both answers are small and may be cached.

use std::sync::Arc;

use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::ApiError;
use crate::authority::SignedList;
use dc_pki::clock;
use dc_protocol::RenewalInfo;

/// Renewal information of a zone: asks its devices to renew before their time, if they should.
#[utoipa::path(get, path = "/v1/renewal-info/{zone}", tag = "public", security(()),
    params(("zone" = String, Path, description = "The zone")),
    responses(
        (status = 200, body = ref("#/components/schemas/RenewalInfo")),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn renewal_info(
    State(app): State<Arc<App>>,
    Path(zone): Path<String>,
) -> Result<Response, ApiError> {
    let zone = super::zones::parse(&zone)?;
    let info: RenewalInfo = app.authority.renewal_info(&zone).await?;
    Ok(([(CACHE_CONTROL, CACHED)], Answer(info)).into_response())
}

/// The names of a zone that clients should no longer accept, signed.
#[utoipa::path(get, path = "/v1/withdrawn/{zone}", tag = "public", security(()),
    params(("zone" = String, Path, description = "The zone")),
    responses(
        (status = 200, body = SignedList),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn withdrawn(
    State(app): State<Arc<App>>,
    Path(zone): Path<String>,
) -> Result<Response, ApiError> {
    let zone = super::zones::parse(&zone)?;
    let list = app.authority.withdrawn(&zone, clock::now()?).await?;
    let headers = [(CACHE_CONTROL, CACHED), (CONTENT_TYPE, "application/json")];
    // Shared by all answers, however many wait for somebody to read them.
    Ok((headers, Bytes::from_owner(list)).into_response())
}

/// The same list for clients that load it.
///
/// Six bytes for each name, as docs/withdrawn-names.md has it.
#[utoipa::path(get, path = "/v1/withdrawn/{zone}/compact", tag = "public", security(()),
    params(
        ("zone" = String, Path, description = "The zone"),
        ("If-None-Match" = Option<String>, Header, description = "The entity tag of the list that is there already"),
    ),
    responses(
        (status = 200, body = Binary, content_type = "application/octet-stream",
            headers(("ETag" = String, description = "The same for the same list, whichever signer answers"))),
        (status = 304, description = "The list has not changed"),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn withdrawn_compact(
    State(app): State<Arc<App>>,
    Path(zone): Path<String>,
    asked: HeaderMap,
) -> Result<Response, ApiError> {
    let zone = super::zones::parse(&zone)?;
    let now = clock::now()?;
    let list = app.authority.withdrawn_compact(&zone, now).await?;
    // Where the signer is not reached, a cache may answer with a list for as long as that counts.
    let left = list.expires.as_secs().saturating_sub(now.as_secs());
    let cached = format!(
        "public, max-age={}, stale-if-error={left}",
        left.min(MAX_AGE)
    );
    let headers = [(CACHE_CONTROL, cached), (ETAG, list.etag.clone())];
    if has(&asked, &list.etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let body = [(CONTENT_TYPE, "application/octet-stream")];
    Ok((headers, body, Bytes::from_owner(list.bytes)).into_response())
}

/// Bytes, as the description of the API calls them.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "nothing but its description is needed")]
pub(super) struct Binary(Vec<u8>);

/// True if a client has what has this entity tag (RFC 9110 §13.1.2).
fn has(asked: &HeaderMap, etag: &str) -> bool {
    let values = asked.get_all(IF_NONE_MATCH).into_iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    })
}

/// Short enough that a stolen device's name is withdrawn soon, long enough that a crowd costs nothing.
const CACHED: &str = "public, max-age=300";
const MAX_AGE: u64 = 300;
