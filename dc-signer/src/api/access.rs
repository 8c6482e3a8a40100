//! Who is calling, and whether they may: devices by their key, operators by a token or their key.
//!
//! Each handler takes the proof that it needs as an argument, and only this file can make one.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use subtle::ConstantTimeEq;

use super::App;
use super::limits::Counted;
use super::problem::Refused;

use crate::registry::{Access, Operator, Role, Sha256};
use crate::server::listener::{ClientCertificate, Origin, Peer};
use crate::server::telemetry::Shed;
use dc_pki::clock;
use dc_protocol::Kind;

/// The holder of a client certificate's key; which device that is, if any, is not known yet.
#[derive(Debug)]
pub(super) struct KeyHolder {
    pub(super) certificate: ClientCertificate,
    counted: Counted,
    peer: Option<Peer>,
}

impl KeyHolder {
    /// The SHA-256 of the key's SubjectPublicKeyInfo.
    pub(super) fn key(&self) -> Sha256 {
        key_of(&self.certificate)
    }

    /// It is a device that is known here: neither its limit nor its connection is a stranger's from now on.
    pub(super) fn is_device(&self, app: &App) {
        if self.counted == Counted::AsStranger {
            app.settings
                .load()
                .limits
                .is_device(&self.key(), Instant::now());
        }
        if let Some(peer) = &self.peer {
            peer.is_known_here();
        }
    }
}

fn key_of(certificate: &ClientCertificate) -> Sha256 {
    Sha256::from_bytes(*certificate.spki_sha256())
}

impl FromRequestParts<Arc<App>> for KeyHolder {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let certificate = parts.extensions.get::<ClientCertificate>();
        let certificate = certificate.cloned().ok_or_else(|| {
            Refused::new(
                Kind::CertificateRequired,
                "connect with a client certificate: the manufacturer's, or one that the device has signed itself with its enrolment key",
            )
        })?;
        // A browser may have such a certificate too.
        if Origin::of(parts) == Origin::Foreign {
            return Err(of_another_site());
        }
        let key = key_of(&certificate);
        tracing::Span::current().record("caller", tracing::field::display(key));
        let limits = app.settings.load().limits.clone();
        let counted = limits.device(&key, Instant::now()).inspect_err(|_| {
            app.metrics.shed(Shed::DeviceRate);
        })?;
        Ok(Self {
            certificate,
            counted,
            peer: parts.extensions.get().cloned(),
        })
    }
}

/// An operator who may look.
#[derive(Debug)]
pub(super) struct Viewer {
    _operator: Operator,
}

/// An operator who may manage devices.
#[derive(Debug)]
pub(super) struct Manager {
    operator: Operator,
}

/// An operator who may manage zones.
#[derive(Debug)]
pub(super) struct Admin {
    operator: Operator,
}

impl Manager {
    /// What the audit log calls them.
    pub(super) fn actor(&self) -> String {
        actor(&self.operator)
    }
}

impl Admin {
    /// What the audit log calls them.
    pub(super) fn actor(&self) -> String {
        actor(&self.operator)
    }
}

fn actor(operator: &Operator) -> String {
    format!("operator:{}", operator.name)
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let _operator = operator(parts, app, Role::Viewer).await?;
        Ok(Self { _operator })
    }
}

impl FromRequestParts<Arc<App>> for Manager {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let operator = operator(parts, app, Role::Operator).await?;
        Ok(Self { operator })
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let operator = operator(parts, app, Role::Admin).await?;
        Ok(Self { operator })
    }
}

async fn operator(parts: &Parts, app: &App, needed: Role) -> Result<Operator, Refused> {
    let given = given(parts)?.ok_or_else(who_are_you)?;
    let found = app.authority.store().find_operator(&given).await?;
    let operator = found
        .filter(|operator| !operator.disabled && same(&operator.access, &given))
        .ok_or_else(who_are_you)?;
    tracing::Span::current().record("caller", operator.name.as_str());
    let limits = app.settings.load().limits.clone();
    let limited = limits.operator(operator.name.as_str(), Instant::now());
    limited.inspect_err(|_| app.metrics.shed(Shed::OperatorRate))?;
    if let Some(peer) = parts.extensions.get::<Peer>() {
        peer.is_known_here();
    }
    if matches!(given, Access::Certificate(_)) {
        deliberate(parts)?;
    }
    match operator.role >= needed {
        true => Ok(operator),
        false => Err(Refused::new(
            Kind::Forbidden,
            format!(
                "your role is {}, and this takes {needed}: ask an admin",
                operator.role
            ),
        )),
    }
}

/// What the caller shows: a token before a certificate, because a token is shown on purpose.
///
/// Fails if the certificate is not valid now: it was added with its end in it.
fn given(parts: &Parts) -> Result<Option<Access>, Refused> {
    if let Some(token) = token(&parts.headers) {
        return Ok(Some(Access::Token(Sha256::of(token.as_bytes()))));
    }
    let Some(certificate) = parts.extensions.get::<ClientCertificate>() else {
        return Ok(None);
    };
    match certificate.is_valid_at(clock::now()?) {
        true => {
            let sha256 = Sha256::from_bytes(certificate.sha256());
            Ok(Some(Access::Certificate(sha256)))
        }
        false => Err(Refused::new(
            Kind::TokenRequired,
            "the client certificate has ended or has not begun: add the next one with 'dc-signer operators add --certificate'",
        )),
    }
}

/// Whoever changes something with a certificate has to mean it: a browser shows the certificate for any page that makes it
/// send something here, but lets no page of another site send this header.
fn deliberate(parts: &Parts) -> Result<(), Refused> {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return Ok(());
    }
    if Origin::of(parts) == Origin::Foreign {
        return Err(of_another_site());
    }
    match parts.headers.contains_key(REQUESTED_WITH) {
        true => Ok(()),
        false => Err(Refused::new(
            Kind::Forbidden,
            "whoever changes something with a client certificate sends the header 'x-requested-with', with any value, which no page of another site can send: with curl, -H 'X-Requested-With: curl'",
        )),
    }
}

fn of_another_site() -> Refused {
    Refused::new(
        Kind::Forbidden,
        "a page of another site has made the browser send this: nothing was done",
    )
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The database has found it by its hash; this does not say by its time how much of it was right.
fn same(kept: &Access, given: &Access) -> bool {
    let [kept_hash, given_hash] = [kept, given].map(|access| access.sha256().as_bytes());
    let same_kind = matches!(
        (kept, given),
        (Access::Token(_), Access::Token(_)) | (Access::Certificate(_), Access::Certificate(_))
    );
    same_kind && bool::from(kept_hash.ct_eq(given_hash))
}

fn who_are_you() -> Refused {
    Refused::new(
        Kind::TokenRequired,
        "send an operator's token in the header 'authorization: Bearer dcs_…', or connect with an operator's certificate: 'dc-signer operators add NAME --config FILE' makes either known, and a renewed certificate has to be added too",
    )
}

/// Not one of the headers that any page may send (Fetch, CORS-safelisted request-header).
pub(super) const REQUESTED_WITH: &str = "x-requested-with";
