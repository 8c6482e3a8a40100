//! The record of the device that asks, which is known by its credential. It is read, and nothing is written.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{FromRequestParts, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use dc_core::UniqueName;
use pki_types::UnixTime;

use super::App;
use super::problem::ApiError;
use crate::server::credential_listener::CredentialHolder;
use dc_pki::clock;
use dc_protocol::{DeviceRecord, Kind};
use dc_store::registry::Sha256;

/// A device whose credential is valid at the time of its request; whether it is still known here is not known yet.
#[derive(Debug)]
pub(super) struct Holder {
    name: UniqueName<'static>,
    counted_as: Sha256,
}

impl FromRequestParts<Arc<App>> for Holder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let holder = parts.extensions.get::<CredentialHolder>();
        let name = name_at(holder, clock::now()?)?;
        tracing::Span::current().record("caller", tracing::field::display(&name));
        let counted_as = counted_as(&name);
        app.gate.device(&counted_as)?;
        Ok(Self { name, counted_as })
    }
}

/// Fails if a credential is over by now: it was valid in the handshake, and a connection may live longer.
fn name_at(
    holder: Option<&CredentialHolder>,
    now: UnixTime,
) -> Result<UniqueName<'static>, ApiError> {
    let refused = |detail| ApiError::new(Kind::CertificateRequired, detail);
    let holder = holder.ok_or_else(|| refused("connect with a client's credential"))?;
    match now <= holder.expires {
        true => Ok(holder.name.clone()),
        false => Err(refused(
            "the credential of this connection has ended: renew, and connect again with the next one",
        )),
    }
}

/// Counted apart from the enrolment key: a thief of a credential, who comes all the time, must keep nobody from renewing.
fn counted_as(name: &UniqueName<'_>) -> Sha256 {
    Sha256::of(format!("credential of {name}").as_bytes())
}

/// The record of the device that asks: what it is called, and when it is to renew.
///
/// Answered at the address of `[credential_listener]` alone, where a device shows the credential that it has as a client.
/// One that is suspended or retired is refused at once, and so is one whose credential has ended.
#[utoipa::path(get, path = "/v1/device", tag = "devices", security(("credential" = [])),
    responses(
        (status = 200, body = ref("#/components/schemas/DeviceRecord")),
        (status = "default", description = "A problem", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    holder: Holder,
) -> Result<Response, ApiError> {
    match app.authority.record_of(&holder.name).await {
        Ok(record) => {
            let record: DeviceRecord = record;
            app.gate.remember_device(&holder.counted_as);
            Ok(([(CACHE_CONTROL, "no-store")], Answer(record)).into_response())
        }
        Err(error) => {
            let refused = ApiError::from(error).for_device();
            app.heed(&refused);
            Err(refused)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_credential_that_has_ended_since_the_handshake_names_nobody() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let name = dc_pki::names::parse("one.cpe.example.com").unwrap();
        let holder = CredentialHolder {
            name: name.clone(),
            expires: at(1000),
        };
        assert_eq!(name_at(Some(&holder), at(1000)).unwrap(), name);
        for (holder, now) in [(Some(&holder), at(1001)), (None, at(1000))] {
            let refused = name_at(holder, now).unwrap_err();
            assert_eq!(refused.kind(), Kind::CertificateRequired);
        }
    }
}
