//! The last steps to credentials: sign, verify, record, and only then return them.

use pki_types::UnixTime;

use super::delegations::{Loaded, View};
use super::{Authority, Refusal, able, answer, clones};
use crate::authority::policy::{self, Approved, Ask, Denied};
use crate::registry::{Device, Sha256};
use crate::store::{Act, Idempotency, Issuance, Recorded};
use dc_pki::{self, Unissued};

impl Authority {
    /// Issues to a device, if the policy approves.
    pub(super) async fn issue(
        &self,
        device: &Device,
        enrolment_key: Sha256,
        spki: &[u8],
        shown: Option<Sha256>,
        idempotency: Option<Idempotency>,
        now: UnixTime,
    ) -> Result<Vec<u8>, Refusal> {
        let view = self.view(now).await?;
        let approved = approve(&view, device, enrolment_key, spki, now)?;
        let issuance = self.sign(&view, approved, idempotency)?;
        self.record(Issuance { shown, ..issuance }).await
    }

    /// Signs and verifies, using up the approval.
    fn sign(
        &self,
        view: &View,
        approved: Approved<'_>,
        idempotency: Option<Idempotency>,
    ) -> Result<Issuance, Refusal> {
        let loaded = key_of(view, &approved)?;
        let now = approved.now();
        self.guard.issued();
        let issued = dc_pki::sign(
            &loaded.delegation,
            approved.spki(),
            approved.wanted(),
            Some(self.settings.load().lifetime),
            algorithms(),
            now,
        )
        .map_err(not_signed)?;
        let ends = issued.iter().map(dc_core::Issued::expiry).min();
        let answer = answer::write(&approved, loaded, &issued);
        let hashes = issued.iter().map(|one| Sha256::of(one.bytes()));
        Ok(Issuance {
            device: approved.device(),
            name: approved.name().clone(),
            key: approved.enrolment_key(),
            spki_sha256: Sha256::of(approved.spki()),
            credentials: hashes.collect(),
            delegation_sha256: loaded.certificate_sha256,
            issued: now,
            expires: ends.unwrap_or(now),
            shown: None,
            idempotency,
            answer,
            by: by_device(now),
        })
    }

    /// What is returned is on record, or was returned before.
    async fn record(&self, issuance: Issuance) -> Result<Vec<u8>, Refusal> {
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
            Recorded::Before(_) => Err(Refusal::KeyOfOtherRequest),
        }
    }
}

/// Asks the policy.
fn approve<'a>(
    view: &'a View,
    device: &'a Device,
    enrolment_key: Sha256,
    spki: &'a [u8],
    now: UnixTime,
) -> Result<Approved<'a>, Refusal> {
    let zone = &view.zone(&device.zone)?.managed;
    let ask = Ask {
        device,
        zone,
        enrolment_key,
        spki,
    };
    Ok(policy::approve(&ask, now)?)
}

/// Checks that a device would get credentials, without making any: before something is changed for it.
pub(super) fn check(
    view: &View,
    device: &Device,
    enrolment_key: Sha256,
    spki: &[u8],
    now: UnixTime,
) -> Result<(), Refusal> {
    let approved = approve(view, device, enrolment_key, spki, now)?;
    let delegation = &key_of(view, &approved)?.delegation;
    let request = dc_core::Request::new(spki);
    match delegation.policy().approve(&request, now) {
        Err(error @ (dc_core::Error::BadPublicKey | dc_core::Error::UnusableKey)) => {
            Err(Denied::KeyType(error).into())
        }
        _ if spki == delegation.certificate().spki() => Err(Denied::DelegationKey.into()),
        _ => Ok(()),
    }
}

/// The key to sign with.
fn key_of<'v>(view: &'v View, approved: &Approved<'_>) -> Result<&'v Loaded, Refusal> {
    able::key(view.zone(approved.zone())?, approved.slot())
}

fn not_signed(unissued: Unissued) -> Refusal {
    match unissued {
        Unissued::DelegationKey => Denied::DelegationKey.into(),
        Unissued::Refused(
            source @ (dc_core::Error::BadPublicKey | dc_core::Error::UnusableKey),
        ) => Denied::KeyType(source).into(),
        Unissued::Refused(source) => dc_pki::Error::Refused { source }.into(),
        Unissued::Signer(source) => dc_pki::Error::Sign { source }.into(),
    }
}

/// What a device does, for the audit log, which has its name beside it.
pub(super) fn by_device(now: UnixTime) -> Act {
    Act {
        actor: "device".to_owned(),
        at: now,
    }
}

/// All that can be verified here.
pub(super) fn algorithms() -> &'static [&'static dyn pki_types::SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}
