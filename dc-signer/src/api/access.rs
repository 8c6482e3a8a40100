//! Authentication of callers: devices by their key, operators by a token or their certificate.
//!
//! Each handler takes the proof that it needs as an argument, and only this file can make one.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use dc_admission::Whence;
use pki_types::UnixTime;

use super::App;
use super::problem::ApiError;
use crate::access::{self, AccessError, Admitted, Counted, Place, Shown};
use crate::authority::{Authenticated, Visit};
use crate::server::listener::{ClientAddress, ClientCertificate, Origin, Peer};
use dc_pki::clock;
use dc_protocol::{EnrollRequest, Kind, Severity};
use dc_store::registry::{Access, Role, Sha256};

/// The holder of a client certificate's key; which device that is, if any, is not known yet.
#[derive(Debug)]
pub(super) struct KeyHolder {
    pub(super) certificate: ClientCertificate,
    counted: Counted,
    peer: Option<Peer>,
    whence: Whence,
    from: Option<IpAddr>,
}

impl KeyHolder {
    /// The SHA-256 of the key's SubjectPublicKeyInfo.
    pub(super) fn key(&self) -> Sha256 {
        self.certificate.spki_sha256()
    }

    /// Its visit, with the address that records are to have.
    pub(super) fn visit(&self, app: &App, now: UnixTime) -> Visit {
        let from = self.from.and_then(|from| app.authority.of_device(from));
        Visit { now, from }
    }

    /// Waits for the turn of its renewal.
    ///
    /// Fails with a problem that says when to come again.
    pub(super) async fn wait_to_renew(
        &self,
        app: &App,
        now: UnixTime,
    ) -> Result<Option<Place>, ApiError> {
        let place = app.gate.renewal(&self.key(), self.peer.as_ref(), now).await;
        place.map_err(|error| of_device(error, now))
    }

    /// Waits for the turn of its enrolment.
    ///
    /// Fails with a problem that says when to come again.
    pub(super) async fn wait_to_enrol(
        &self,
        app: &App,
        request: &EnrollRequest,
        now: UnixTime,
    ) -> Result<Option<Place>, ApiError> {
        let chain = self.certificate.chain();
        let place = app.gate.enrolment(request, chain, self.whence, now);
        let place = place.await;
        place.map_err(|error| of_device(error, now))
    }

    /// Remembers that this is a device of ours: neither its limit nor its connection is a stranger's from now on.
    pub(super) fn remember_as_device(&self, app: &App) {
        if self.counted == Counted::AsStranger {
            app.gate.remember_device(&self.key());
        }
        if let Some(peer) = &self.peer {
            peer.is_known_here();
        }
    }

    /// Counts its request for nothing if the service could not serve it.
    pub(super) fn give_back(&self, app: &App, refused: &ApiError) {
        if matches!(refused.kind().severity(), Severity::Outage | Severity::Bug) {
            app.gate.give_back(&self.key(), self.counted);
        }
    }
}

impl FromRequestParts<Arc<App>> for KeyHolder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let certificate = parts.extensions.get::<ClientCertificate>();
        let certificate = certificate.cloned().ok_or_else(|| {
            ApiError::new(
                Kind::CertificateRequired,
                "connect with a client certificate: the manufacturer's, or one that the device has signed itself with its enrolment key",
            )
        })?;
        // A browser may have such a certificate too.
        if Origin::of(parts) == Origin::Foreign {
            return Err(of_another_site());
        }
        let from = parts.extensions.get::<ClientAddress>();
        let key = certificate.spki_sha256();
        tracing::Span::current().record("caller", tracing::field::display(key));
        Ok(Self {
            certificate,
            counted: app.gate.device(&key)?,
            peer: parts.extensions.get().cloned(),
            whence: parts.extensions.get().copied().unwrap_or_else(nowhere),
            from: from.map(|ClientAddress(from)| *from),
        })
    }
}

/// A request that came over no connection, as in tests.
fn nowhere() -> Whence {
    IpAddr::from(Ipv4Addr::UNSPECIFIED).into()
}

/// With the time from when on a place is kept, which tells devices that it is theirs.
fn of_device(error: AccessError, now: UnixTime) -> ApiError {
    match error {
        AccessError::Reserved { seconds } => {
            let now = now.as_secs();
            ApiError::from(error).available_from(now.saturating_add(seconds), now)
        }
        error => error.into(),
    }
}

/// An operator who may look.
#[derive(Debug)]
pub(super) struct Viewer {
    operator: Admitted,
}

/// An operator who may manage devices.
#[derive(Debug)]
pub(super) struct Manager {
    operator: Admitted,
}

/// An operator who may manage zones.
#[derive(Debug)]
pub(super) struct Admin {
    operator: Admitted,
}

impl Viewer {
    /// The operator.
    pub(super) fn operator(&self) -> &Authenticated {
        self.operator.operator()
    }
}

impl Manager {
    /// The operator.
    pub(super) fn operator(&self) -> &Authenticated {
        self.operator.operator()
    }
}

impl Admin {
    /// The operator.
    pub(super) fn operator(&self) -> &Authenticated {
        self.operator.operator()
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let operator = operator(parts, app, Role::Viewer).await?;
        Ok(Self { operator })
    }
}

impl FromRequestParts<Arc<App>> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let operator = operator(parts, app, Role::Operator).await?;
        Ok(Self { operator })
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let operator = operator(parts, app, Role::Admin).await?;
        Ok(Self { operator })
    }
}

async fn operator(parts: &Parts, app: &App, needed: Role) -> Result<Admitted, ApiError> {
    let shown = shown(parts)?;
    let found = app.authority.authenticate(&shown, clock::now()?).await?;
    let found = found.ok_or_else(not_authenticated)?;
    let is_long = super::takes_long(parts.uri.path());
    let operator = app.gate.admit(found, parts, is_long).await?;
    if matches!(shown, Access::Certificate(_)) {
        deliberate(parts)?;
    }
    Ok(operator.with_role(needed)?)
}

/// The token or certificate that the caller shows: a token before a certificate, because a token is shown on purpose.
///
/// Fails if that is nothing, or a certificate that is not valid now.
fn shown(parts: &Parts) -> Result<Access, ApiError> {
    if let Some(token) = token(&parts.headers) {
        return Ok(Access::Token(Sha256::of(token.as_bytes())));
    }
    match access::shown(parts, clock::now()?) {
        Shown::Holder(access) => Ok(access),
        Shown::Nothing => Err(not_authenticated()),
        Shown::Ended => Err(ApiError::new(
            Kind::TokenRequired,
            "the client certificate has ended or has not begun: add the next one with 'dc-signer operators add --certificate'",
        )),
    }
}

/// Whoever changes something with a certificate has to mean it: a browser shows the certificate for any page that makes it
/// send something here, but lets no page of another site send this header.
fn deliberate(parts: &Parts) -> Result<(), ApiError> {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return Ok(());
    }
    if Origin::of(parts) == Origin::Foreign {
        return Err(of_another_site());
    }
    match parts.headers.contains_key(REQUESTED_WITH) {
        true => Ok(()),
        false => Err(ApiError::new(
            Kind::Forbidden,
            "whoever changes something with a client certificate sends the header 'x-requested-with', with any value, which no page of another site can send: with curl, -H 'X-Requested-With: curl'",
        )),
    }
}

fn of_another_site() -> ApiError {
    ApiError::new(
        Kind::Forbidden,
        "a page of another site has made the browser send this: nothing was done",
    )
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn not_authenticated() -> ApiError {
    ApiError::new(
        Kind::TokenRequired,
        "send an operator's token in the header 'authorization: Bearer dcs_…', or connect with an operator's certificate: 'dc-signer operators add NAME --config FILE' makes either known, and a renewed certificate has to be added too",
    )
}

/// Not one of the headers that any page may send (Fetch, CORS-safelisted request-header).
pub(super) const REQUESTED_WITH: &str = "x-requested-with";
