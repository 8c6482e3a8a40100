//! Operators' requests about zones. Delegation certificates and their keys are imported on the
//! machine itself: keys do not travel.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::App;
use super::access::{Admin, Viewer};
use super::body::Json;
use super::problem::ApiError;
use crate::authority;
use crate::authority::approvals::{Move, Outcome};
use crate::authority::json::{
    Approval, Because, MoveOn, NewZone, PullRenewals, Zone, ZoneForms, ZoneRoles,
};
use dc_pki::{Forms, Roles, clock, names};
use dc_protocol::Kind;

/// List the zones with their delegation certificates.
#[utoipa::path(get, path = "/v1/admin/zones", tag = "operators", security(("token" = [])),
    responses(
        (status = 200, body = [Zone]),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _viewer: Viewer,
) -> Result<Answer<Vec<Zone>>, ApiError> {
    let now = clock::now()?;
    let zones = app.authority.zones().await?;
    let renewals = app.authority.renewals();
    let zones = zones.iter();
    let zones = zones.map(|zone| {
        let mut zone = Zone::at(now, zone);
        zone.renewal = renewals.get(&zone.zone).cloned();
        zone
    });
    Ok(Answer(zones.collect()))
}

/// Add a zone. It issues nothing until it has a delegation certificate.
#[utoipa::path(post, path = "/v1/admin/zones", tag = "operators", security(("token" = [])), request_body = NewZone,
    responses(
        (status = 201, body = Zone),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    admin: Admin,
    Json(new): Json<NewZone>,
) -> Result<(StatusCode, Answer<Zone>), ApiError> {
    let zone = parse(&new.zone)?;
    let forms: Forms = new.forms.parse().map_err(dc_store::registry::Error::from)?;
    let act = super::act(admin.operator())?;
    let roles: Roles = new.roles.parse().map_err(dc_store::registry::Error::from)?;
    let new = authority::NewZone { zone, forms, roles };
    let added = app.authority.add_zone(&new, &act).await?;
    Ok((StatusCode::CREATED, Answer(Zone::at(act.at, &added))))
}

/// Remove a zone that never had a delegation certificate or a device.
#[utoipa::path(post, path = "/v1/admin/zones/{zone}/remove", tag = "operators", security(("token" = [])),
    params(("zone" = String, Path, description = "The zone")), request_body = Because,
    responses(
        (status = 204, description = "It is removed"),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(zone): Path<String>,
    Json(because): Json<Because>,
) -> Result<StatusCode, ApiError> {
    let zone = parse(&zone)?;
    let act = super::act_because(admin.operator(), &because.reason)?;
    app.authority.remove_zone(&zone, &act).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change which forms a zone issues.
#[utoipa::path(post, path = "/v1/admin/zones/{zone}/forms", tag = "operators", security(("token" = [])),
    params(("zone" = String, Path, description = "The zone")), request_body = ZoneForms,
    responses(
        (status = 200, body = Zone),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn forms(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(zone): Path<String>,
    Json(wanted): Json<ZoneForms>,
) -> Result<Answer<Zone>, ApiError> {
    let zone = parse(&zone)?;
    let act = super::act_because(admin.operator(), &wanted.reason)?;
    let forms: Forms = wanted
        .forms
        .parse()
        .map_err(dc_store::registry::Error::from)?;
    let changed = app.authority.set_forms(&zone, forms, &act).await?;
    Ok(Answer(Zone::at(act.at, &changed)))
}

/// Change which ends of connections a zone issues for.
#[utoipa::path(post, path = "/v1/admin/zones/{zone}/roles", tag = "operators", security(("token" = [])),
    params(("zone" = String, Path, description = "The zone")), request_body = ZoneRoles,
    responses(
        (status = 200, body = Zone),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn roles(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(zone): Path<String>,
    Json(wanted): Json<ZoneRoles>,
) -> Result<Answer<Zone>, ApiError> {
    let zone = parse(&zone)?;
    let act = super::act_because(admin.operator(), &wanted.reason)?;
    let roles: Roles = wanted
        .roles
        .parse()
        .map_err(dc_store::registry::Error::from)?;
    let changed = app.authority.set_roles(&zone, roles, &act).await?;
    Ok(Answer(Zone::at(act.at, &changed)))
}

/// Issue from the zone's next delegation certificate from now on; the one before drains.
#[utoipa::path(post, path = "/v1/admin/zones/{zone}/rollover", tag = "operators", security(("token" = [])),
    params(("zone" = String, Path, description = "The zone")), request_body = MoveOn,
    responses(
        (status = 200, body = Zone),
        (status = 202, description = "It waits for a second operator", body = Approval),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn rollover(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(zone): Path<String>,
    Json(wanted): Json<MoveOn>,
) -> Result<Response, ApiError> {
    let zone = parse(&zone)?;
    let act = super::act_because(admin.operator(), &wanted.reason)?;
    let who = admin.operator().operator_name();
    let wanted = Move {
        to: wanted.to,
        leave_signers_out: wanted.leave_signers_out,
    };
    match app
        .authority
        .rollover_or_ask(&zone, wanted, Some(who), &act)
        .await?
    {
        Outcome::Done(zone) => Ok(Answer(Zone::at(act.at, &zone)).into_response()),
        Outcome::Waits(approval) => super::approvals::waits(&approval, &act),
    }
}

/// Ask a zone's devices to renew before their time, or take that back.
#[utoipa::path(post, path = "/v1/admin/zones/{zone}/pull-renewals", tag = "operators", security(("token" = [])),
    params(("zone" = String, Path, description = "The zone")), request_body = PullRenewals,
    responses(
        (status = 200, body = Zone),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn pull(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(zone): Path<String>,
    Json(wanted): Json<PullRenewals>,
) -> Result<Answer<Zone>, ApiError> {
    let zone = parse(&zone)?;
    let act = super::act_because(admin.operator(), &wanted.reason)?;
    let before = wanted.issued_before.map(super::at).transpose()?;
    let pulled = app.authority.pull_renewals(&zone, before, &act).await?;
    Ok(Answer(Zone::at(act.at, &pulled)))
}

/// A zone that somebody wrote.
pub(super) fn parse(zone: &str) -> Result<names::ZoneName, ApiError> {
    names::ZoneName::parse(zone).map_err(|error| ApiError::new(Kind::BadRequest, error.to_string()))
}
