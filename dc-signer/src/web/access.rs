//! Who is looking, and whether they may do what they ask for.
//!
//! A handler takes the proof that it needs as an argument, and only this file can make one.

use std::mem::discriminant;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::{Method, request::Parts};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use super::Web;
use super::fault::Fault;
use super::page::Who;
use super::session::SessionId;

use crate::registry::{Access, Operator, Role, Sha256};
use crate::server::listener::{ClientCertificate, Origin, Peer};
use dc_pki::clock;

/// An operator, by a session or by the certificate of the connection.
pub(super) struct Visitor {
    operator: Operator,
    session: Option<SessionId>,
    form_token: String,
}

impl Visitor {
    /// What pages show of them.
    pub(super) fn who(&self) -> Who {
        Who {
            name: self.operator.name.to_string(),
            role: self.operator.role,
            form_token: self.form_token.clone(),
            can_sign_out: self.session.is_some(),
        }
    }

    /// What the audit log calls them.
    pub(super) fn actor(&self) -> String {
        format!("operator:{}", self.operator.name)
    }

    /// The session, if it is not the certificate that says who they are.
    pub(super) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Lets through whoever may manage devices.
    pub(super) fn manager(self) -> Result<Self, Fault> {
        match self.operator.role >= Role::Operator {
            true => Ok(self),
            false => Err(Fault::Role {
                role: self.operator.role,
            }),
        }
    }
}

impl FromRequestParts<Arc<Web>> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Fault> {
        match find(parts, web).await? {
            Some(visitor) => Ok(visitor),
            None => Err(Fault::SignedOut {
                wanted: wanted(parts),
            }),
        }
    }
}

/// What to come back to. In HTTP/2 the address has the host too.
fn wanted(parts: &Parts) -> Option<String> {
    let path = parts.uri.path_and_query()?;
    (parts.method == Method::GET).then(|| path.to_string())
}

/// The operator, or nobody whom we know.
pub(super) struct MaybeVisitor(pub(super) Option<Visitor>);

impl FromRequestParts<Arc<Web>> for MaybeVisitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Fault> {
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
    type Rejection = Fault;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Fault> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, web).await?;
        let request = Request::from_parts(parts, body);
        let SameOrigin(form) = SameOrigin::<T>::from_request(request, web).await?;
        match web.forgery.is_token(&visitor.whose(), form.token()) {
            true => Ok(Self { visitor, form }),
            false => Err(Fault::Forged),
        }
    }
}

/// A form that a page of this origin has sent, for whomever.
pub(super) struct SameOrigin<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Web>> for SameOrigin<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        if Origin::of(&parts) != Origin::Ours {
            return Err(Fault::Forged);
        }
        let request = Request::from_parts(parts, body);
        let read = Form::from_request(request, web).await;
        read.map(|Form(form)| Self(form))
            .map_err(|_| Fault::BadForm)
    }
}

impl Visitor {
    /// Whose token a form must have: what is only theirs.
    fn whose(&self) -> Sha256 {
        whose(&self.operator, self.session)
    }
}

fn whose(operator: &Operator, session: Option<SessionId>) -> Sha256 {
    match session {
        Some(session) => *session.sha256(),
        None => *operator.access.sha256(),
    }
}

/// The operator of the cookie before the one of the certificate: signing in is done on purpose.
async fn find(parts: &Parts, web: &Web) -> Result<Option<Visitor>, Fault> {
    let session =
        cookie(&parts.headers).and_then(|cookie| web.sessions.find(cookie, Instant::now()));
    if let Some((id, access)) = session
        && let Some(operator) = operator(web, &access).await?
    {
        return visitor(web, parts, operator, Some(id)).map(Some);
    }
    let Some(certificate) = parts.extensions.get::<ClientCertificate>() else {
        return Ok(None);
    };
    // It was added with its end in it.
    if !certificate.is_valid_at(clock::now()?) {
        return Ok(None);
    }
    let access = Access::Certificate(Sha256::from_bytes(certificate.sha256()));
    let operator = operator(web, &access).await?;
    operator
        .map(|operator| visitor(web, parts, operator, None))
        .transpose()
}

/// Lets an operator through who does not come too often.
pub(super) fn admit(web: &Web, operator: &Operator) -> Result<(), Fault> {
    (web.gate)(operator.name.as_str()).map_err(|seconds| Fault::TooOften { seconds })
}

fn visitor(
    web: &Web,
    parts: &Parts,
    operator: Operator,
    session: Option<SessionId>,
) -> Result<Visitor, Fault> {
    tracing::Span::current().record("caller", operator.name.as_str());
    admit(web, &operator)?;
    if let Some(peer) = parts.extensions.get::<Peer>() {
        peer.is_known_here();
    }
    Ok(Visitor {
        form_token: web.forgery.token(&whose(&operator, session)),
        operator,
        session,
    })
}

/// Who proves themselves in this way, unless they are kept out.
pub(super) async fn operator(web: &Web, access: &Access) -> Result<Option<Operator>, Fault> {
    let found = web.store.find_operator(access).await?;
    Ok(found.filter(|operator| !operator.disabled && same(&operator.access, access)))
}

/// The database has found it by its hash; this does not say by its time how much of it was right.
fn same(kept: &Access, shown: &Access) -> bool {
    let [kept_hash, shown_hash] = [kept, shown].map(|access| access.sha256().as_bytes());
    discriminant(kept) == discriminant(shown) && bool::from(kept_hash.ct_eq(shown_hash))
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
