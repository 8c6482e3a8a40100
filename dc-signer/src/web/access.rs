//! Authentication of operators, by a session or the certificate of the connection.
//!
//! A handler takes the proof that it needs as an argument, and only this file can make one.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::{Method, request::Parts};
use pki_types::UnixTime;
use serde::de::DeserializeOwned;

use super::Web;
use super::error::PageError;
use super::page::Who;
use super::session::SessionId;
use crate::access::{self, Admitted, Shown, export};
use crate::authority::{self, Authenticated};
use crate::server::listener::Origin;
use dc_store::registry::{Access, Role, Sha256};

/// An operator, by a session or by the certificate of the connection.
pub(super) struct Visitor {
    operator: Admitted,
    session: Option<SessionId>,
    form_token: String,
    /// When what they come in with ends, if that is soon.
    ends: Option<UnixTime>,
}

impl Visitor {
    /// Their part of a page.
    pub(super) fn who(&self) -> Who {
        Who {
            name: self.operator.operator().name().to_owned(),
            role: self.operator.operator().role(),
            form_token: self.form_token.clone(),
            can_sign_out: self.session.is_some(),
            ends: self.ends,
        }
    }

    /// The session, if it is not the certificate that says who they are.
    pub(super) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Lets through whoever may manage devices.
    pub(super) fn manager(self) -> Result<Self, PageError> {
        self.with_role(Role::Operator)
    }

    /// Lets through whoever may do what a role may.
    pub(super) fn with_role(self, needed: Role) -> Result<Self, PageError> {
        let operator = self.operator.with_role(needed)?;
        Ok(Self { operator, ..self })
    }

    /// The operator.
    pub(super) fn operator(&self) -> &Authenticated {
        self.operator.operator()
    }
}

impl FromRequestParts<Arc<Web>> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, PageError> {
        match find(parts, web).await? {
            Some(visitor) => Ok(visitor),
            None => Err(PageError::SignedOut {
                wanted: wanted(parts),
            }),
        }
    }
}

/// The address to come back to. In HTTP/2 the address has the host too.
fn wanted(parts: &Parts) -> Option<String> {
    let path = parts.uri.path_and_query()?;
    (parts.method == Method::GET).then(|| path.to_string())
}

/// The operator, or nobody whom we know.
pub(super) struct MaybeVisitor(pub(super) Option<Visitor>);

impl FromRequestParts<Arc<Web>> for MaybeVisitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, PageError> {
        find(parts, web).await.map(Self)
    }
}

/// A form that a page of ours has sent for an operator.
pub(super) struct Posted<T> {
    pub(super) visitor: Visitor,
    pub(super) form: T,
}

/// A form with the token of [`Visitor`].
pub(super) trait HasToken {
    /// The token.
    fn token(&self) -> &str;
}

impl<T: DeserializeOwned + HasToken> FromRequest<Arc<Web>> for Posted<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, web).await?;
        let request = Request::from_parts(parts, body);
        let SameOrigin(form) = SameOrigin::<T>::from_request(request, web).await?;
        match web.csrf.is_token(&visitor.whose(), form.token()) {
            true => Ok(Self { visitor, form }),
            false => Err(PageError::Csrf),
        }
    }
}

/// A form that a page of this origin has sent, for whomever.
pub(super) struct SameOrigin<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Web>> for SameOrigin<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, PageError> {
        let (parts, body) = request.into_parts();
        if Origin::of(&parts) != Origin::Ours {
            return Err(PageError::Csrf);
        }
        let request = Request::from_parts(parts, body);
        let read = Form::from_request(request, web).await;
        read.map(|Form(form)| Self(form))
            .map_err(|_| PageError::BadForm)
    }
}

impl Visitor {
    /// The hash that their forms' token is made of: only theirs.
    fn whose(&self) -> Sha256 {
        whose(self.operator.operator(), self.session)
    }
}

fn whose(operator: &Authenticated, session: Option<SessionId>) -> Sha256 {
    match session {
        Some(session) => *session.sha256(),
        None => *operator.access().sha256(),
    }
}

/// The operator of the cookie before the one of the certificate: signing in is done on purpose.
async fn find(parts: &Parts, web: &Web) -> Result<Option<Visitor>, PageError> {
    let now = web.now()?;
    let session =
        cookie(&parts.headers).and_then(|cookie| web.sessions.find(cookie, Instant::now()));
    if let Some((id, access)) = session
        && let Some(operator) = lets_in(web, &access, now).await?
    {
        let visitor = visitor(web, parts, operator, Some(id), now).await?;
        return Ok(Some(visitor));
    }
    let Shown::Holder(access) = access::shown(parts, now) else {
        return Ok(None);
    };
    match lets_in(web, &access, now).await? {
        Some(operator) => visitor(web, parts, operator, None, now).await.map(Some),
        None => Ok(None),
    }
}

/// The operator who shows this; whoever's has ended is nobody, and told so when they sign in.
async fn lets_in(
    web: &Web,
    access: &Access,
    now: UnixTime,
) -> Result<Option<Authenticated>, PageError> {
    match web.authority.authenticate(access, now).await {
        Err(authority::Error::CredentialEnded { .. }) => Ok(None),
        found => Ok(found?),
    }
}

async fn visitor(
    web: &Web,
    parts: &Parts,
    operator: Authenticated,
    session: Option<SessionId>,
    now: UnixTime,
) -> Result<Visitor, PageError> {
    let ends = web.authority.ends_soon(&operator, now);
    let is_long = parts.uri.path() == export::PAGE;
    Ok(Visitor {
        ends,
        form_token: web.csrf.token(&whose(&operator, session)),
        operator: web.gate.admit(operator, parts, is_long).await?,
        session,
    })
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value)
}

/// With this prefix a browser takes it from this host alone, over HTTPS, and for all paths.
pub(super) const SESSION_COOKIE: &str = "__Host-dc-signer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        assert_eq!(cookie(&headers), None);
        headers.append(COOKIE, "a=1; __Host-dc-signer-x=2".parse().unwrap());
        assert_eq!(cookie(&headers), None);
        headers.append(COOKIE, "b; __Host-dc-signer=3;c=4".parse().unwrap());
        assert_eq!(cookie(&headers), Some("3"));
    }
}
