//! Requests about operators themselves.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{Path, State};

use super::App;
use super::access::{Admin, Viewer};
use super::body::{Json, OptionalJson};
use super::problem::ApiError;
use crate::authority::json::{Because, NewToken, Operator, RenewToken};
use dc_store::registry::OperatorName;

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

/// Get another token, or give one to another operator, which takes an admin and a reason; the one of now is good for a while
/// longer (`operators.overlap`).
#[utoipa::path(post, path = "/v1/admin/operators/{name}/renew", tag = "operators", security(("token" = [])),
    params(("name" = String, Path, description = "Whose token it is")), request_body = Option<RenewToken>,
    responses(
        (status = 200, body = NewToken),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn renew(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(name): Path<String>,
    OptionalJson(wanted): OptionalJson<RenewToken>,
) -> Result<Answer<NewToken>, ApiError> {
    let name: OperatorName = name.parse()?;
    let who = viewer.operator();
    let act = match &wanted.reason {
        Some(reason) => super::act_because(who.actor(), reason)?,
        None => super::act(who.actor())?,
    };
    let valid = wanted.valid.map(Duration::from_secs);
    let renewed = app.authority.renew_token(&name, valid, who, &act).await?;
    let (token, operator) = renewed;
    Ok(Answer(NewToken {
        token: token.to_string(),
        operator: Operator::from(&operator),
    }))
}

/// Keep an operator out from now on.
#[utoipa::path(post, path = "/v1/admin/operators/{name}/disable", tag = "operators", security(("token" = [])),
    params(("name" = String, Path, description = "The operator")), request_body = Because,
    responses(
        (status = 200, body = Operator),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn disable(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(name): Path<String>,
    Json(because): Json<Because>,
) -> Result<Answer<Operator>, ApiError> {
    switch(&app, &admin, &name, &because, true).await
}

/// Let an operator in again who was kept out.
#[utoipa::path(post, path = "/v1/admin/operators/{name}/enable", tag = "operators", security(("token" = [])),
    params(("name" = String, Path, description = "The operator")), request_body = Because,
    responses(
        (status = 200, body = Operator),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn enable(
    State(app): State<Arc<App>>,
    admin: Admin,
    Path(name): Path<String>,
    Json(because): Json<Because>,
) -> Result<Answer<Operator>, ApiError> {
    switch(&app, &admin, &name, &because, false).await
}

async fn switch(
    app: &App,
    admin: &Admin,
    name: &str,
    because: &Because,
    disabled: bool,
) -> Result<Answer<Operator>, ApiError> {
    let act = super::act_because(admin.actor(), &because.reason)?;
    let operator = app
        .authority
        .keep_out(&name.parse()?, disabled, &act)
        .await?;
    Ok(Answer(Operator::from(&operator)))
}
