//! Public endpoints: both answers are small and may be cached.

use std::sync::Arc;

use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
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

/// Short enough that a stolen device's name is withdrawn soon, long enough that a crowd costs nothing.
const CACHED: &str = "public, max-age=300";
