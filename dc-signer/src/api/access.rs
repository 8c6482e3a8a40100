//! Who is calling, and whether they may: devices by their key, operators by a token or their key.
//!
//! Each handler takes the proof that it needs as an argument, and only this file can make one.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use subtle::ConstantTimeEq;

use super::App;
use super::problem::Refused;
use crate::listener::ClientCertificate;
use crate::protocol::Kind;
use crate::registry::{Access, Operator, Role, Sha256};
use crate::telemetry::Shed;

/// The holder of a client certificate's key; which device that is, if any, is not known yet.
#[derive(Debug)]
pub(super) struct KeyHolder {
    pub(super) certificate: ClientCertificate,
}

impl KeyHolder {
    /// The SHA-256 of the key's SubjectPublicKeyInfo.
    pub(super) fn key(&self) -> Sha256 {
        Sha256::from_bytes(*self.certificate.spki_sha256())
    }
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
        let holder = Self { certificate };
        let key = holder.key();
        tracing::Span::current().record("caller", tracing::field::display(key));
        app.limits.load().device(&key).inspect_err(|_| {
            app.metrics.shed(Shed::DeviceRate);
        })?;
        Ok(holder)
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
    let given = given(parts).ok_or_else(who_are_you)?;
    let found = app.desk.store().find_operator(&given).await?;
    let operator = found
        .filter(|operator| !operator.disabled && same(&operator.access, &given))
        .ok_or_else(who_are_you)?;
    tracing::Span::current().record("caller", operator.name.as_str());
    let limited = app.limits.load().operator(operator.name.as_str());
    limited.inspect_err(|_| app.metrics.shed(Shed::OperatorRate))?;
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
fn given(parts: &Parts) -> Option<Access> {
    match token(&parts.headers) {
        Some(token) => Some(Access::Token(Sha256::of(token.as_bytes()))),
        None => parts
            .extensions
            .get::<ClientCertificate>()
            .map(|certificate| Access::Key(Sha256::from_bytes(*certificate.spki_sha256()))),
    }
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
        (Access::Token(_), Access::Token(_)) | (Access::Key(_), Access::Key(_))
    );
    same_kind && bool::from(kept_hash.ct_eq(given_hash))
}

fn who_are_you() -> Refused {
    Refused::new(
        Kind::TokenRequired,
        "send an operator's token in the header 'authorization: Bearer dcs_…', or connect with an operator's certificate: 'dc-signer operators add NAME --config FILE' makes either known",
    )
}
