//! Enrolment and renewal. The answer leaves only after the authority has it on record.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use pki_types::UnixTime;

use super::App;
use super::access::KeyHolder;
use super::body::Json;
use super::problem::ApiError;
use crate::authority::{self, Reply};
use crate::server::telemetry::Path;
use dc_pki::clock;
use dc_protocol::{EnrollRequest, RenewRequest};

/// Enrol: get a name and the first credentials.
///
/// The client certificate is the manufacturer's, or one that the device has signed itself; with the
/// latter the request has an activation code. The certificate's key renews from then on. A box that replaces another one whose
/// credentials are valid is refused with `name-held` until they are over; nothing is used up by that. When more come than can be served
/// it is refused with `busy` as a renewal is: the place is kept for the activation code, or for whatever else lets the device enrol.
#[utoipa::path(post, path = "/v1/enroll", tag = "devices", security(("device" = [])),
    request_body = ref("#/components/schemas/EnrollRequest"),
    responses(
        (status = 200, body = ref("#/components/schemas/Credentials")),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn enroll(
    State(app): State<Arc<App>>,
    holder: KeyHolder,
    Json(request): Json<EnrollRequest>,
) -> Result<Response, ApiError> {
    let now = clock::now()?;
    let _place = holder.wait_to_enrol(&app, &request, now).await?;
    let began = Instant::now();
    let chain = holder.certificate.chain();
    let visit = holder.visit(&app, now);
    let done = app.authority.enrol(&request, chain, visit).await;
    answer(&app, &holder, Path::Enroll, began, now, done)
}

/// Renew: get new credentials for the same name.
///
/// The same request with the same idempotency key gets the same answer for an hour. When more come than can be served it is refused with
/// `busy`, and Retry-After and `available_from` say when a place is kept for this device: come at that time, neither before nor long after.
#[utoipa::path(post, path = "/v1/renew", tag = "devices", security(("device" = [])),
    request_body = ref("#/components/schemas/RenewRequest"),
    responses(
        (status = 200, body = ref("#/components/schemas/Credentials")),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn renew(
    State(app): State<Arc<App>>,
    holder: KeyHolder,
    Json(request): Json<RenewRequest>,
) -> Result<Response, ApiError> {
    let now = clock::now()?;
    let _place = holder.wait_to_renew(&app, now).await?;
    let began = Instant::now();
    let visit = holder.visit(&app, now);
    let done = app.authority.renew(&request, holder.key(), visit).await;
    answer(&app, &holder, Path::Renew, began, now, done)
}

fn answer(
    app: &App,
    holder: &KeyHolder,
    path: Path,
    began: Instant,
    now: UnixTime,
    done: Result<Reply, authority::Error>,
) -> Result<Response, ApiError> {
    let took = began.elapsed();
    match done {
        Ok(reply) => {
            let Reply {
                zone,
                json,
                as_client,
            } = reply;
            holder.remember_as_device(app);
            app.metrics.issued(&zone, path, "ok", took);
            if let Some(result) = as_client.result() {
                app.metrics.issued_as_client(&zone, result);
            }
            // The bytes as they are on record: a second attempt gets them unchanged.
            let headers = [
                (CONTENT_TYPE, "application/json"),
                (CACHE_CONTROL, "no-store"),
            ];
            Ok((headers, json).into_response())
        }
        Err(error) => {
            let from = error.available_from();
            let mut refused = ApiError::from(error).for_device();
            if let Some(from) = from {
                refused = refused.available_from(from.as_secs(), now.as_secs());
            }
            let reason = refused.kind().name();
            app.heed(&refused);
            holder.give_back(app, &refused);
            app.metrics.issued("", path, reason, took);
            app.refused.add(reason);
            Err(refused)
        }
    }
}
