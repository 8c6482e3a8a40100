//! Acts on a device: first a page that says what it means, then the act itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::Web;
use super::access::{HasToken, Posted, Visitor};
use super::devices::find;
use super::error::{PageError, see_other};
use super::page::{self, ConfirmPage};
use super::parts::At;
use crate::authority;
use dc_pki::clock;
use dc_store::registry::{Action, Change, Device, Role};

/// An act of an operator on a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// It gets no credentials until it is resumed.
    Suspend,
    /// It gets credentials again.
    Resume,
    /// It never gets any again.
    Retire,
    /// The suspected clone is none.
    ClearClone,
}

impl Act {
    /// All of them, in the order of their buttons.
    pub(super) const ALL: [Self; 4] = [Self::ClearClone, Self::Resume, Self::Suspend, Self::Retire];

    /// The act that a path ends in.
    pub(super) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.path() == path)
    }

    /// The end of its path, which is what the audit log calls it.
    pub(super) fn path(self) -> &'static str {
        self.action().as_str()
    }

    /// The action in the audit log.
    pub(super) fn action(self) -> Action {
        match self {
            Self::ClearClone => Action::ClearClone,
            Self::Resume => Action::Resume,
            Self::Retire => Action::Retire,
            Self::Suspend => Action::Suspend,
        }
    }

    fn change(self) -> Change {
        match self {
            Self::ClearClone => Change::ClearClone,
            Self::Resume => Change::Resume,
            Self::Retire => Change::Retire,
            Self::Suspend => Change::Suspend,
        }
    }

    /// Whether it would change anything; only then there is a button for it.
    pub(super) fn is_possible(self, device: &Device) -> bool {
        let applied = device.apply(&self.change(), device.changed);
        matches!(applied, Ok(Some(_)))
    }
}

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
        unsure: false,
        now: clock::now()?,
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
    let now = clock::now()?;
    if act == Act::Retire && form.sure != "yes" {
        let page = ConfirmPage {
            device: &device,
            act,
            unsure: true,
            now,
        };
        let page = page.render(&visitor.who());
        return Ok(page::respond(StatusCode::UNPROCESSABLE_ENTITY, page));
    }
    let by = authority::Act {
        actor: visitor.actor(),
        at: now,
    };
    web.authority
        .change_device(device.id, &act.change(), &by)
        .await?;
    tracing::info!(act = act.path(), device = %device.id, "done from the operator's page");
    let to = format!("/devices/{}?done={}", device.id, act.path());
    Ok(see_other(&to))
}

/// Whether an operator of this role gets buttons.
pub(super) fn may_act(role: Role) -> bool {
    role >= Role::Operator
}
