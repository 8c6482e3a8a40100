//! Acts that take two operators: what waits, and another operator's yes or no.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::Web;
use super::access::{HasToken, Posted, Visitor};
use super::error::{PageError, see_other};
use super::page::{self, ApprovalRow, ApprovalsPage};
use super::parts::At;
use crate::authority;
use crate::authority::approvals::{Approved, Asked};
use dc_store::registry::Reason;

/// The acts that wait, and those that did.
pub(super) async fn list(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let now = web.now()?;
    let approvals = web.authority.approvals().await?;
    let mut rows = Vec::with_capacity(approvals.len());
    for approval in &approvals {
        let what = Asked::of(approval)?;
        let waits = authority::approvals::waits(approval, now);
        let devices = match waits {
            true => web.authority.some_devices(&what).await?,
            false => Vec::new(),
        };
        // Devices have their names on the page.
        let effect = match waits && devices.is_empty() {
            true => web.authority.effect(&what).await?,
            false => Vec::new(),
        };
        web.gate.note_read(visitor.operator(), devices.len(), now);
        rows.push(ApprovalRow {
            approval,
            what,
            devices,
            effect,
        });
    }
    let page = ApprovalsPage { rows: &rows, now };
    Ok(page::respond(StatusCode::OK, page.render(&visitor.who())))
}

/// The form of a row.
#[derive(Deserialize)]
pub(super) struct Decided {
    form_token: String,
    #[serde(default)]
    reason: String,
}

impl HasToken for Decided {
    fn token(&self) -> &str {
        &self.form_token
    }
}

/// Agrees or refuses.
pub(super) async fn decide(
    State(web): State<Arc<Web>>,
    At((number, verdict)): At<(String, String)>,
    Posted { visitor, form }: Posted<Decided>,
) -> Result<Response, PageError> {
    let number = number.parse().map_err(|_| PageError::NotFound)?;
    let visitor = visitor.manager()?;
    let by = visitor.operator().act(web.now()?);
    let who = visitor.operator();
    match verdict.as_str() {
        "approve" => {
            let done = web.authority.approve(number, who, &by).await?;
            if let Approved::Retired(devices) = done {
                // The first that was not done says why; the same again tries the rest.
                for (_, retired) in devices {
                    retired?;
                }
            }
        }
        "refuse" => {
            let reason: Reason = form.reason.parse().map_err(authority::Error::from)?;
            let by = by.because(reason);
            web.authority.refuse(number, who, &by).await?;
        }
        _ => return Err(PageError::NotFound),
    }
    Ok(see_other("/approvals"))
}
