//! Operators' requests about one device, or about a page of them.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::App;
use super::access::{Manager, Viewer};
use super::body::{Json, OptionalJson, Params};
use super::filter::Wanted;
use super::problem::ApiError;
use crate::authority::approvals::Outcome;
use crate::authority::json::{
    AddedDevice, Approval, Because, Code, Device, DeviceHistory, DevicePage, MaybeBecause,
    NewDevice, Replace, Replaced,
};
use crate::authority::{Act, Find};
use dc_pki::clock;
use dc_protocol::Kind;
use dc_store::registry::{Change, DeviceId};

/// List devices, a page at a time, in the order of their external ids.
#[utoipa::path(get, path = "/v1/admin/devices", tag = "operators", security(("token" = [])), params(Wanted),
    responses(
        (status = 200, body = DevicePage),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Params(wanted): Params<Wanted>,
) -> Result<Answer<DevicePage>, ApiError> {
    let (filter, page) = (wanted.filter()?, wanted.page()?);
    let listed = app.authority.list_devices(&filter, &page).await?;
    let rows = listed.devices.len();
    app.gate.note_read(viewer.operator(), rows, clock::now()?);
    Ok(Answer(DevicePage::from(&listed)))
}

/// Add one device. Adding the same one again changes nothing, and an activation code that was made before stays good.
#[utoipa::path(post, path = "/v1/admin/devices", tag = "operators", security(("token" = [])), request_body = NewDevice,
    responses(
        (status = 200, description = "It was known already", body = AddedDevice),
        (status = 201, description = "It is known now", body = AddedDevice),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    manager: Manager,
    Json(new): Json<NewDevice>,
) -> Result<(StatusCode, Answer<AddedDevice>), ApiError> {
    let act = super::act(manager.operator())?;
    let mut answers = super::bulk::add_lines(&app, vec![(1, Ok(new))], &act).await?;
    match answers.pop() {
        Some(Ok(added)) if added.created => Ok((StatusCode::CREATED, Answer(added))),
        Some(Ok(added)) => Ok((StatusCode::OK, Answer(added))),
        Some(Err((_, refused))) => Err(refused),
        None => Err(ApiError::new(Kind::BadRequest, "there is no device in it")),
    }
}

/// Show one device.
#[utoipa::path(get, path = "/v1/admin/devices/{id}", tag = "operators", security(("token" = [])),
    params(("id" = String, Path, description = "The device's id")),
    responses(
        (status = 200, body = Device),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Answer<Device>, ApiError> {
    let find = Find::Id(id.parse::<DeviceId>()?);
    let found = app.authority.find_device(&find).await?;
    let device = found.ok_or(dc_store::registry::Error::UnknownDevice)?;
    app.gate.note_read(viewer.operator(), 1, clock::now()?);
    Ok(Answer(Device::from(&device)))
}

/// Show what was issued to a device and what was done to it, newest first.
#[utoipa::path(get, path = "/v1/admin/devices/{id}/history", tag = "operators", security(("token" = [])),
    params(("id" = String, Path, description = "The device's id")),
    responses(
        (status = 200, body = DeviceHistory),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Answer<DeviceHistory>, ApiError> {
    let Answer(device) = show(State(app.clone()), viewer, Path(id)).await?;
    let id = device.id.parse()?;
    let history = app.authority.history(id, HISTORY).await?;
    Ok(Answer(DeviceHistory::from(&history)))
}

/// Suspend a device: it gets no credentials from now on, and its name is withdrawn.
#[utoipa::path(post, path = "/v1/admin/devices/{id}/suspend", tag = "operators", security(("token" = [])),
    params(("id" = String, Path, description = "The device's id")), request_body = Because,
    responses(
        (status = 200, body = Device),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn suspend(
    State(app): State<Arc<App>>,
    manager: Manager,
    Path(id): Path<String>,
    Json(because): Json<Because>,
) -> Result<Answer<Device>, ApiError> {
    let act = super::act_because(manager.operator(), &because.reason)?;
    change(&app, &id, Change::Suspend, &act).await
}

/// Resume a suspended device. Its name is off the list of withdrawn ones at once, unless it waits for another box's credentials.
#[utoipa::path(post, path = "/v1/admin/devices/{id}/resume", tag = "operators", security(("token" = [])),
    params(("id" = String, Path, description = "The device's id")), request_body = Because,
    responses(
        (status = 200, body = Device),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    manager: Manager,
    Path(id): Path<String>,
    Json(because): Json<Because>,
) -> Result<Answer<Device>, ApiError> {
    let act = super::act_because(manager.operator(), &because.reason)?;
    change(&app, &id, Change::Resume, &act).await
}

/// Retire a device for good. Nobody ever gets its name.
#[utoipa::path(post, path = "/v1/admin/devices/{id}/retire", tag = "operators", security(("token" = [])),
    params(("id" = String, Path, description = "The device's id")), request_body = Because,
    responses(
        (status = 200, body = Device),
        (status = 202, description = "It waits for a second operator", body = Approval),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn retire(
    State(app): State<Arc<App>>,
    manager: Manager,
    Path(id): Path<String>,
    Json(because): Json<Because>,
) -> Result<Response, ApiError> {
    let act = super::act_because(manager.operator(), &because.reason)?;
    let (id, who) = (id.parse()?, manager.operator().operator_name());
    match app.authority.retire_or_ask(&[id], Some(who), &act).await? {
        Outcome::Waits(approval) => super::approvals::waits(&approval, &act),
        Outcome::Done(mut done) => {
            // One was given, so one comes back.
            let device = done
                .pop()
                .ok_or(dc_store::registry::Error::UnknownDevice)??;
            Ok(Answer(Device::from(&device)).into_response())
        }
    }
}

/// Say that a suspected clone is none.
#[utoipa::path(post, path = "/v1/admin/devices/{id}/clear-clone", tag = "operators", security(("token" = [])),
    params(("id" = String, Path, description = "The device's id")), request_body = Option<MaybeBecause>,
    responses(
        (status = 200, body = Device),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn clear_clone(
    State(app): State<Arc<App>>,
    manager: Manager,
    Path(id): Path<String>,
    OptionalJson(because): OptionalJson<MaybeBecause>,
) -> Result<Answer<Device>, ApiError> {
    let act = match because.reason {
        Some(reason) => super::act_because(manager.operator(), &reason)?,
        None => super::act(manager.operator())?,
    };
    change(&app, &id, Change::ClearClone, &act).await
}

async fn change(
    app: &App,
    id: &str,
    change: Change,
    act: &Act,
) -> Result<Answer<Device>, ApiError> {
    let id = id.parse()?;
    let device = app.authority.change_device(id, &change, act).await?;
    Ok(Answer(Device::from(&device)))
}

/// Replace a device: another box takes its name over, or another customer the box.
///
/// The new box gets credentials when those of the old one are over, which `available_from` says; a device that was suspended stays
/// on the list of withdrawn names until then. A new name counts as a retirement for `approval.retire_above`: 202.
#[utoipa::path(post, path = "/v1/admin/devices/{id}/replace", tag = "operators", security(("token" = [])),
    params(("id" = String, Path, description = "The device's id")), request_body = Replace,
    responses(
        (status = 200, body = Replaced),
        (status = 202, description = "It waits for a second operator", body = Approval),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn replace(
    State(app): State<Arc<App>>,
    manager: Manager,
    Path(id): Path<String>,
    Json(how): Json<Replace>,
) -> Result<Response, ApiError> {
    let act = super::act_because(manager.operator(), &how.reason)?;
    let (id, who) = (id.parse()?, manager.operator().operator_name());
    let replaced = app.authority.replace_or_ask(id, &how, Some(who), &act);
    match replaced.await? {
        Outcome::Waits(approval) => super::approvals::waits(&approval, &act),
        Outcome::Done(replaced) => Ok(Answer(replaced).into_response()),
    }
}

/// Make an activation code for a device that has not enrolled; one made before stops being good.
#[utoipa::path(post, path = "/v1/admin/devices/{id}/code", tag = "operators", security(("token" = [])),
    params(("id" = String, Path, description = "The device's id")),
    responses(
        (status = 200, body = Code),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn code(
    State(app): State<Arc<App>>,
    manager: Manager,
    Path(id): Path<String>,
) -> Result<Answer<Code>, ApiError> {
    let act = super::act(manager.operator())?;
    Ok(Answer(app.authority.new_code(id.parse()?, &act).await?))
}

/// The most entries of each kind in a history.
const HISTORY: u32 = 100;
