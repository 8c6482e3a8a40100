//! The last steps to credentials: sign, verify, record, and only then return them.

use std::time::Duration;

use dc_core::Issued;
use pki_types::UnixTime;

use super::acts::Visit;
use super::algorithms::algorithms;
use super::error::PkiError;
use super::loaded::Loaded;
use super::policy::{self, Admitted, Approved, PolicyError, Spkis};
use super::view::View;
use super::{Authority, Error, answer, clones, issuing_status};
use dc_pki::device_csr::{self as csr, CsrError};
use dc_pki::{self, Delegation, Unissued, Wanted};
use dc_store::registry::{Sha256, ZoneDelegation};
use dc_store::{ClientIssuance, Issuance, Recorded};

/// The answer to a device: on record, and the same bytes for whoever asks again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The zone of the device's name.
    pub zone: String,
    /// The JSON of [`Credentials`](dc_protocol::Credentials).
    pub json: Vec<u8>,
    /// The part of it for the device as a client.
    pub as_client: AsClient,
}

/// The credential of a device as a client, next to that as a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AsClient {
    /// The device asked for none, or got an answer that is on record.
    NotAsked,
    /// It got one.
    Given,
    /// Its zone issues for servers alone.
    LeftOut,
}

impl AsClient {
    pub(super) fn of(client_csr: Option<&String>, issuance: &Issuance) -> Self {
        match (client_csr, &issuance.client) {
            (None, _) => Self::NotAsked,
            (Some(_), Some(_)) => Self::Given,
            (Some(_), None) => Self::LeftOut,
        }
    }

    /// As metrics say it; none if the device did not ask.
    #[must_use]
    pub fn result(self) -> Option<&'static str> {
        match self {
            Self::NotAsked => None,
            Self::Given => Some("ok"),
            Self::LeftOut => Some("left-out"),
        }
    }
}

impl Authority {
    /// Signs and verifies, off the threads that answer, for keys that are found there too, with what else was found.
    ///
    /// Nothing of it may leave before [`Self::record`].
    pub(super) async fn sign<T: Send + 'static>(
        &self,
        admitted: Admitted,
        keys: impl FnOnce() -> Result<(Spkis, T), Error> + Send + 'static,
    ) -> Result<(Issuance, T), Error> {
        let view = self.view(admitted.now()).await?;
        let lifetime = self.settings.load().lifetime;
        let signing = move || {
            let (spkis, found) = keys()?;
            let zone = view.zone(&admitted.device().zone)?;
            let approved = policy::approve(&admitted, &zone.managed, &spkis)?;
            Ok::<_, Error>((sign(&view, &approved, lifetime)?, found))
        };
        let signed = self.signing.run(signing).await?;
        if matches!(signed, Err(Error::Pki(PkiError::Sign { .. }))) {
            self.delegations.doubt();
        }
        let signed = signed?;
        self.guard.issued();
        Ok(signed)
    }

    /// Records an issuance, and only then returns the answer; a request that was sent again gets the one on record.
    pub(super) async fn record(&self, issuance: Issuance) -> Result<Vec<u8>, Error> {
        let request = issuance.idempotency.map(|idempotency| idempotency.request);
        let answer = issuance.answer.clone();
        let (device, name) = (issuance.device, issuance.name.clone());
        match self.store.record(issuance).await? {
            Recorded::Now { flagged, .. } => {
                if flagged {
                    clones::tell(device, name.as_str());
                }
                Ok(answer)
            }
            Recorded::Before(before) if Some(before.request) == request => Ok(before.bytes),
            Recorded::Before(_) => Err(Error::KeyOfOtherRequest),
        }
    }
}

fn sign(view: &View, approved: &Approved<'_>, lifetime: Duration) -> Result<Issuance, Error> {
    let loaded = key_of(view, approved)?;
    let now = approved.now();
    let lifetime = fitting(lifetime, approved.slot(), now);
    let issue = |delegation: &Delegation, spki: &[u8], wanted: &Wanted| {
        dc_pki::sign(delegation, spki, wanted, Some(lifetime), algorithms(), now)
            .map_err(not_signed)
    };
    let issued = issue(&loaded.delegation, approved.spki(), approved.wanted())?;
    let client = match (approved.client_spki(), &loaded.for_clients) {
        (Some(spki), Some(delegation)) => {
            // Nobody but us asks clients for credentials, and without the name one is any device's.
            let named = Wanted::Named(approved.name().clone());
            Some((spki, issue(delegation, spki, &named)?))
        }
        _ => None,
    };
    let for_client = client.iter().flat_map(|(_, issued)| issued);
    let ends = issued.iter().chain(for_client).map(Issued::expiry).min();
    let for_client = client.as_ref().map_or(&[][..], |(_, issued)| issued);
    let answer = answer::write(approved, loaded, &issued, for_client);
    let hashes = |issued: &[Issued]| issued.iter().map(|one| Sha256::of(one.bytes())).collect();
    Ok(Issuance {
        device: approved.device(),
        name: approved.name().clone(),
        key: approved.enrolment_key(),
        spki_sha256: Sha256::of(approved.spki()),
        credentials: hashes(&issued),
        client: client.map(|(spki, issued)| ClientIssuance {
            spki_sha256: Sha256::of(spki),
            credentials: hashes(&issued),
        }),
        delegation_sha256: loaded.certificate_sha256,
        issued: now,
        expires: ends.unwrap_or(now),
        shown: None,
        idempotency: None,
        answer,
        by: Visit::from(now).act(),
    })
}

/// The lifetime that is wanted, or less: a credential ends before its certificate.
fn fitting(lifetime: Duration, slot: &ZoneDelegation, now: UnixTime) -> Duration {
    let last = slot.not_after.as_secs().saturating_sub(1);
    lifetime.min(Duration::from_secs(last.saturating_sub(now.as_secs())))
}

/// The keys of requests, of which the device has shown that it holds them.
pub(super) fn spkis(csr: &str, client_csr: Option<&str>) -> Result<Spkis, CsrError> {
    let key = |csr: &str| csr::public_key(csr.as_bytes(), algorithms());
    Ok(Spkis {
        server: key(csr)?,
        client: client_csr.map(key).transpose()?,
    })
}

/// Checks that a device would get credentials, without making any: before something is changed for it.
pub(super) fn check(view: &View, admitted: &Admitted, spkis: &Spkis) -> Result<(), Error> {
    let zone = view.zone(&admitted.device().zone)?;
    let approved = policy::approve(admitted, &zone.managed, spkis)?;
    let loaded = key_of(view, &approved)?;
    check_key(&loaded.delegation, approved.spki(), &approved)?;
    match (&loaded.for_clients, approved.client_spki()) {
        (Some(delegation), Some(spki)) => check_key(delegation, spki, &approved),
        _ => Ok(()),
    }
}

fn check_key(delegation: &Delegation, spki: &[u8], approved: &Approved<'_>) -> Result<(), Error> {
    let request = dc_core::Request::new(spki);
    match delegation.policy().approve(&request, approved.now()) {
        Err(error @ (dc_core::Error::BadPublicKey | dc_core::Error::UnusableKey)) => {
            Err(PolicyError::KeyType(error).into())
        }
        _ if spki == delegation.certificate().spki() => Err(PolicyError::DelegationKey.into()),
        _ => Ok(()),
    }
}

/// The key to sign with.
fn key_of<'v>(view: &'v View, approved: &Approved<'_>) -> Result<&'v Loaded, Error> {
    issuing_status::key(view.zone(approved.zone())?, approved.slot())
}

fn not_signed(unissued: Unissued) -> Error {
    match unissued {
        Unissued::DelegationKey => PolicyError::DelegationKey.into(),
        Unissued::Refused(
            source @ (dc_core::Error::BadPublicKey | dc_core::Error::UnusableKey),
        ) => PolicyError::KeyType(source).into(),
        Unissued::Refused(source) => Error::Pki(PkiError::Refused { source }),
        Unissued::Signer(source) => Error::Pki(PkiError::Sign { source }),
    }
}
