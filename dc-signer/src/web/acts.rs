//! Acts on a device: first a page that says what it means, then the act itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::Web;
use super::access::{HasToken, Posted, Visitor};
use super::act::Act;
use super::devices::find;
use super::error::{PageError, see_other, sentence};
use super::page::{self, ConfirmPage, Field};
use super::parts::At;
use crate::authority::approvals::Outcome;
use dc_store::registry::{self, Reason};

/// The page that asks whether it is meant.
pub(super) async fn ask(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    At((id, act)): At<(String, String)>,
) -> Result<Response, PageError> {
    let act = Act::of(&act).ok_or(PageError::NotFound)?;
    let visitor = visitor.manager()?;
    let device = find(&web, &id).await?;
    if !act.is_possible(&device) {
        // Somebody was faster: the device's page shows what is so now.
        return Ok(see_other(&format!("/devices/{}", device.id)));
    }
    let page = ConfirmPage {
        device: &device,
        act,
        missing: None,
        reason: "",
        now: web.now()?,
    };
    Ok(page::respond(StatusCode::OK, page.render(&visitor.who())))
}

/// The form of that page.
#[derive(Deserialize)]
pub(super) struct Confirmed {
    form_token: String,
    /// The box to tick before what cannot be undone.
    #[serde(default)]
    sure: String,
    #[serde(default)]
    reason: String,
}

impl HasToken for Confirmed {
    fn token(&self) -> &str {
        &self.form_token
    }
}

/// Does it.
pub(super) async fn act(
    State(web): State<Arc<Web>>,
    At((id, act)): At<(String, String)>,
    Posted { visitor, form }: Posted<Confirmed>,
) -> Result<Response, PageError> {
    let act = Act::of(&act).ok_or(PageError::NotFound)?;
    let visitor = visitor.manager()?;
    let device = find(&web, &id).await?;
    let now = web.now()?;
    let reason = reason(act, &form.reason);
    let missing = match &reason {
        Err(error) => Some((Field::Reason, sentence(&error.to_string()))),
        Ok(_) if act == Act::Retire && form.sure != "yes" => {
            let tick = "Nothing was changed: tick the box first.";
            Some((Field::Sure, tick.to_owned()))
        }
        Ok(_) => None,
    };
    if let Some(missing) = missing {
        let page = ConfirmPage {
            device: &device,
            act,
            missing: Some(missing),
            reason: &form.reason,
            now,
        };
        let page = page.render(&visitor.who());
        return Ok(page::respond(StatusCode::UNPROCESSABLE_ENTITY, page));
    }
    let by = visitor.operator().act(now).because(reason.ok().flatten());
    if act == Act::Retire {
        let who = visitor.operator().operator_name();
        match web
            .authority
            .retire_or_ask(&[device.id], Some(who), &by)
            .await?
        {
            Outcome::Waits(_) => return Ok(see_other("/approvals")),
            Outcome::Done(done) => done.into_iter().try_for_each(|one| one.map(|_| ()))?,
        }
    } else {
        let change = act.change();
        web.authority.change_device(device.id, &change, &by).await?;
    }
    tracing::info!(act = act.path(), device = %device.id, "an operator changed a device on the pages");
    let to = format!("/devices/{}?done={}", device.id, act.path());
    Ok(see_other(&to))
}

/// The reason of a form, which only an act may lack that changes nobody's rights.
fn reason(act: Act, given: &str) -> Result<Option<Reason>, registry::Error> {
    match given.trim().is_empty() && !act.action().wants_reason() {
        true => Ok(None),
        false => given.parse().map(Some),
    }
}
