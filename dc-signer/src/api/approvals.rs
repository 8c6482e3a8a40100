//! Requests about acts that take two operators.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::App;
use super::access::{Manager, Viewer};
use super::body::Json;
use super::problem::ApiError;
use crate::authority;
use crate::authority::approvals::{Approved as Done, Outcome};
use crate::authority::json::{
    Approval, Approved, Because, Device, Operator, RefusedDevice, RetireDevices, RetiredDevices,
    Zone,
};
use dc_pki::clock;
use dc_protocol::Kind;
use dc_store::registry::{self, DeviceId};

/// List the acts that took two operators, or wait for the second one: the last hundred, the newest first.
#[utoipa::path(get, path = "/v1/admin/approvals", tag = "operators", security(("token" = [])),
    responses(
        (status = 200, body = [Approval]),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _viewer: Viewer,
) -> Result<Answer<Vec<Approval>>, ApiError> {
    let now = clock::now()?;
    let all = app.authority.approvals().await?;
    let known = all.iter().filter_map(|one| Approval::at(now, one));
    Ok(Answer(known.collect()))
}

/// Agree to what another operator has asked for: it is done at once, in the names of both.
///
/// If it could not be done, the same again tries it again.
#[utoipa::path(post, path = "/v1/admin/approvals/{number}/approve", tag = "operators", security(("token" = [])),
    params(("number" = u64, Path, description = "Its number")),
    responses(
        (status = 200, body = Approved),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    manager: Manager,
    Path(number): Path<String>,
) -> Result<Answer<Approved>, ApiError> {
    let number = read_number(&number)?;
    let act = super::act(manager.operator())?;
    let done = app
        .authority
        .approve(number, manager.operator(), &act)
        .await?;
    let mut answer = Approved {
        devices: None,
        device: None,
        zone: None,
        operator: None,
        warnings: Vec::new(),
    };
    if let Done::Ended(_) = &done {
        let untold = app.authority.untold();
        answer.warnings = untold.iter().map(ToString::to_string).collect();
    }
    match done {
        Done::Granted(operator) | Done::KeptOut(operator) => {
            answer.operator = Some(Operator::from(&*operator));
        }
        Done::Lowered(_) => {}
        Done::Renamed(device) => answer.device = Some(Device::from(&*device)),
        Done::Retired(devices) => answer.devices = Some(retired(devices)),
        Done::Ended(zone) | Done::RolledOver(zone) => {
            answer.zone = Some(Zone::at(act.at, &zone));
        }
    }
    Ok(Answer(answer))
}

/// Refuse what an operator has asked for, or take back what one has asked for oneself.
#[utoipa::path(post, path = "/v1/admin/approvals/{number}/refuse", tag = "operators", security(("token" = [])),
    params(("number" = u64, Path, description = "Its number")), request_body = Because,
    responses(
        (status = 200, body = Approval),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn refuse(
    State(app): State<Arc<App>>,
    manager: Manager,
    Path(number): Path<String>,
    Json(because): Json<Because>,
) -> Result<Answer<Approval>, ApiError> {
    let number = read_number(&number)?;
    let act = super::act_because(manager.operator(), &because.reason)?;
    let refused = app
        .authority
        .refuse(number, manager.operator(), &act)
        .await?;
    let refused = Approval::at(act.at, &refused);
    Ok(Answer(refused.ok_or(registry::Error::UnknownApproval)?))
}

/// The number of an approval in a path.
fn read_number(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        let detail = "this is no number of an approval: GET /v1/admin/approvals has them";
        ApiError::new(Kind::BadRequest, detail)
    })
}

/// Retire many devices for good; 202 if that takes a second operator (`approval.retire_above`), who then does it.
#[utoipa::path(post, path = "/v1/admin/devices/retire", tag = "operators", security(("token" = [])), request_body = RetireDevices,
    responses(
        (status = 200, body = RetiredDevices),
        (status = 202, description = "It waits for a second operator", body = Approval),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn retire(
    State(app): State<Arc<App>>,
    manager: Manager,
    Json(wanted): Json<RetireDevices>,
) -> Result<Response, ApiError> {
    let act = super::act_because(manager.operator(), &wanted.reason)?;
    if wanted.devices.is_empty() {
        return Err(ApiError::new(Kind::BadRequest, "there is no device in it"));
    }
    let ids = wanted.devices.iter().map(|id| id.parse::<DeviceId>());
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let who = manager.operator().operator_name();
    match app.authority.retire_or_ask(&ids, Some(who), &act).await? {
        Outcome::Done(done) => {
            let done = wanted.devices.into_iter().zip(done);
            Ok(Answer(retired(done.collect())).into_response())
        }
        Outcome::Waits(approval) => waits(&approval, &act),
    }
}

/// The answer to an act that waits for a second operator.
pub(super) fn waits(
    approval: &registry::Approval,
    act: &authority::Act,
) -> Result<Response, ApiError> {
    let approval = Approval::at(act.at, approval).ok_or(registry::Error::UnknownApproval)?;
    Ok((StatusCode::ACCEPTED, Answer(approval)).into_response())
}

fn retired(devices: Vec<(String, Result<registry::Device, authority::Error>)>) -> RetiredDevices {
    let mut answer = RetiredDevices {
        retired: Vec::new(),
        refused: Vec::new(),
    };
    for (device, done) in devices {
        match done {
            Ok(device) => answer.retired.push(Device::from(&device)),
            Err(error) => answer.refused.push(RefusedDevice {
                device,
                problem: ApiError::from(error).into_problem(),
            }),
        }
    }
    answer
}
