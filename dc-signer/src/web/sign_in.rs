//! Signing in with a token, and out again.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Web;
use super::access::{HasToken, MaybeVisitor, Posted, SESSION_COOKIE, SameOrigin};
use super::error::{PageError, see_other};
use super::page;
use super::parts::Asked;
use super::session::Sessions;
use crate::authority;
use dc_store::registry::{Access, Sha256};

/// The path to go to afterwards.
#[derive(Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

/// The form, unless it is known already who is asking.
pub(super) async fn ask(
    MaybeVisitor(visitor): MaybeVisitor,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    let next = ours(wanted.next.as_deref());
    match visitor {
        Some(_) => see_other(next),
        None => page::respond(StatusCode::OK, page::sign_in(next, None)),
    }
}

/// The form. The token lets its holder in, so it is not shown.
#[derive(Deserialize)]
pub(super) struct SignIn {
    token: String,
    next: Option<String>,
}

/// Begins a session for whoever has a token.
pub(super) async fn sign_in(
    State(web): State<Arc<Web>>,
    SameOrigin(form): SameOrigin<SignIn>,
) -> Result<Response, PageError> {
    let token = Zeroizing::new(form.token);
    let next = ours(form.next.as_deref());
    let shown = Access::Token(Sha256::of(token.trim().as_bytes()));
    let refused = |why: &str| page::respond(StatusCode::FORBIDDEN, page::sign_in(next, Some(why)));
    let operator = match web.authority.authenticate(&shown, web.now()?).await {
        Ok(Some(operator)) => operator,
        Ok(None) => {
            tracing::info!("sign-in refused: the token is unknown");
            return Ok(refused(UNKNOWN));
        }
        Err(ended @ authority::Error::CredentialEnded { .. }) => {
            tracing::info!("sign-in refused: {ended}");
            return Ok(refused(&super::error::sentence(&ended.to_string())));
        }
        Err(error) => return Err(error.into()),
    };
    web.gate.count(&operator)?;
    let secret = web.sessions.begin(shown, Instant::now())?;
    tracing::info!(operator = operator.name(), "signed in");
    Ok(with_cookie(
        see_other(next),
        &secret,
        Sessions::LIFE.as_secs(),
    ))
}

/// The form of the button.
#[derive(Deserialize)]
pub(super) struct SignOut {
    form_token: String,
}

impl HasToken for SignOut {
    fn token(&self) -> &str {
        &self.form_token
    }
}

/// Ends the session.
pub(super) async fn sign_out(
    State(web): State<Arc<Web>>,
    Posted { visitor, .. }: Posted<SignOut>,
) -> Response {
    if let Some(session) = visitor.session() {
        web.sessions.end(session);
    }
    with_cookie(see_other("/sign-in"), "", 0)
}

fn with_cookie(mut response: Response, secret: &str, max_age: u64) -> Response {
    let cookie = Zeroizing::new(format!(
        "{SESSION_COOKIE}={secret}; Path=/; Max-Age={max_age}; HttpOnly; Secure; SameSite=Strict"
    ));
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// A path on this host; nobody is sent elsewhere by a link that begins here.
fn ours(next: Option<&str>) -> &str {
    let path = |next: &&str| {
        let plain = next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        // It stands in the answer, and many answers may wait for somebody who does not read.
        plain
            && next.len() <= MAX_NEXT
            && next.starts_with('/')
            && !next.starts_with("//")
            && !next.starts_with("/sign-")
    };
    next.filter(path).unwrap_or("/")
}

const UNKNOWN: &str = "No operator has this token, or they are kept out for now.";
/// The longest path that is come back to.
const MAX_NEXT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_pages_of_this_host_alone() {
        for good in ["/", "/devices?q=a%20b&state=active", "/devices/abc"] {
            assert_eq!(ours(Some(good)), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nset-cookie: x",
            "/\t/evil.example",
            "/sign-in",
            "/sign-out",
            "/\u{e9}",
        ] {
            assert_eq!(ours(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(ours(None), "/");
    }
}
