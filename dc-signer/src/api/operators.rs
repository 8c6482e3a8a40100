//! Requests about operators themselves.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::App;
use super::access::{Admin, Viewer};
use super::body::Json;
use super::problem::ApiError;
use crate::authority::approvals::Outcome;
use crate::authority::grants::Grant;
use crate::authority::json::{Approval, Because, NewToken, Operator, RenewToken, WaitingToken};
use crate::authority::{Act, Authenticated};
use dc_store::registry::{self, Access, OperatorName};
use pki_types::UnixTime;

/// List the operators, and when their tokens and certificates end.
#[utoipa::path(get, path = "/v1/admin/operators", tag = "operators", security(("token" = [])),
    responses(
        (status = 200, body = [Operator]),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _viewer: Viewer,
) -> Result<Answer<Vec<Operator>>, ApiError> {
    let all = app.authority.operators().await?;
    Ok(Answer(all.iter().map(Operator::from).collect()))
}

/// Get another token, or give one to another operator, which takes an admin; the one of now is good for a while longer
/// (`operators.overlap`). Another's takes two operators if anything does (`[approval]`): 202.
#[utoipa::path(post, path = "/v1/admin/operators/{name}/renew", tag = "operators", security(("token" = [])),
    params(("name" = String, Path, description = "Whose token it is")), request_body = RenewToken,
    responses(
        (status = 200, body = NewToken),
        (status = 202, description = "The token lets nobody in before a second operator agrees", body = WaitingToken),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn renew(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(name): Path<String>,
    Json(wanted): Json<RenewToken>,
) -> Result<Response, ApiError> {
    let who = viewer.operator();
    let act = super::act_because(who, &wanted.reason)?;
    give(&app, &name, wanted.valid, who, &act, Grant::Renew).await
}

/// Keep an operator out from now on. It takes two operators if anything does (`[approval]`), and fewer than two admins would be left:
/// 202.
#[utoipa::path(post, path = "/v1/admin/operators/{name}/disable", tag = "operators", security(("token" = [])),
    params(("name" = String, Path, description = "The operator")), request_body = Because,
    responses(
        (status = 200, body = Operator),
        (status = 202, description = "It waits for a second operator", body = Approval),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn disable(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(name): Path<String>,
    Json(because): Json<Because>,
) -> Result<Response, ApiError> {
    let act = super::act_because(admin.operator(), &because.reason)?;
    let who = Some(admin.operator().operator_name());
    let name = name.parse()?;
    let done = app.authority.keep_out_or_ask(&name, who, &act);
    match done.await? {
        Outcome::Waits(approval) => super::approvals::waits(&approval, &act),
        Outcome::Done(operator) => Ok(Answer(Operator::from(&operator)).into_response()),
    }
}

/// Let an operator in again who was kept out, with a new token: the one before lets nobody in any more. It takes two operators
/// if anything does (`[approval]`): 202.
#[utoipa::path(post, path = "/v1/admin/operators/{name}/enable", tag = "operators", security(("token" = [])),
    params(("name" = String, Path, description = "The operator")), request_body = RenewToken,
    responses(
        (status = 200, body = NewToken),
        (status = 202, description = "The token lets nobody in before a second operator agrees", body = WaitingToken),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn enable(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(name): Path<String>,
    Json(wanted): Json<RenewToken>,
) -> Result<Response, ApiError> {
    let act = super::act_because(admin.operator(), &wanted.reason)?;
    let who = admin.operator();
    give(&app, &name, wanted.valid, who, &act, Grant::Enable).await
}

/// Makes a token, and gives it to an operator or asks for it.
async fn give(
    app: &App,
    name: &str,
    valid: Option<u64>,
    who: &Authenticated,
    act: &Act,
    grant: fn(OperatorName, (Access, UnixTime)) -> Grant,
) -> Result<Response, ApiError> {
    let name: OperatorName = name.parse()?;
    let valid = valid.map(Duration::from_secs);
    let (token, next) = app.authority.make_token(valid, act.at)?;
    let (token, grant) = (token.to_string(), grant(name, next));
    match app.authority.grant_or_ask(&grant, Some(who), act).await? {
        Outcome::Done(operator) => {
            let operator = Operator::from(&operator);
            Ok(Answer(NewToken { token, operator }).into_response())
        }
        Outcome::Waits(approval) => {
            let approval = Approval::at(act.at, &approval);
            let approval = approval.ok_or(registry::Error::UnknownApproval)?;
            let waiting = WaitingToken { token, approval };
            Ok((StatusCode::ACCEPTED, Answer(waiting)).into_response())
        }
    }
}
