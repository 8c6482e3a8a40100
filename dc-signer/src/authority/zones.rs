//! Zones: moving on to the next certificate, telling devices about it, and showing that each key can sign.

use std::time::{Duration, Instant};

use pki_types::UnixTime;

use super::delegations::{Loaded, ZoneView};
use super::issue::algorithms;
use super::{Authority, Fault, Refusal, Step, replicas, rollover};
use crate::error::Error;
use crate::registry::{Slot, SlotState, Zone};
use crate::store::Act;
use dc_pki::names::ZoneName;
use dc_pki::{self, Unissued, Wanted};
use dc_protocol::RenewalInfo;

impl Authority {
    /// Issues from the zone's next delegation certificate from now on, whether or not it has soaked; the one before drains.
    ///
    /// Of several it takes the one that lasts longest. Waits some seconds for signers that have just got its key. Fails with
    /// [`Refusal::NoNextSlot`] if none has begun, has eight days left and has its key on this machine, with
    /// [`Refusal::KeyNotEverywhere`], and as [`Store::move_slot`](crate::store::Store::move_slot) does.
    pub async fn rollover(&self, zone: &ZoneName, by: &Act) -> Result<Zone, Refusal> {
        let view = self.delegations.refresh(&*self.store).await?;
        let found = view.zone(zone)?;
        let here = |slot: &Slot| found.loaded(&slot.certificate_sha256).is_some();
        let next = rollover::next(&found.managed, here, by.at);
        let next = next.ok_or_else(|| Refusal::NoNextSlot { zone: zone.clone() })?;
        if rollover::waits(&found.managed, Step::Activate(next.number), by.at) {
            self.wait_for_others(zone, next, by.at).await?;
        }
        let active = SlotState::Active;
        let moved = self.store.move_slot(zone, next.number, active, by).await?;
        self.delegations.refresh(&*self.store).await?;
        Ok(moved)
    }

    /// Fails with [`Refusal::KeyNotEverywhere`] if other signers still lack the key of a slot after some seconds.
    async fn wait_for_others(
        &self,
        zone: &ZoneName,
        slot: &Slot,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let began = Instant::now();
        loop {
            let others = replicas::others(&*self.store, self.me, now).await?;
            let nodes = replicas::without(&others, slot);
            if nodes.is_empty() {
                return Ok(());
            }
            if began.elapsed() >= PATIENCE {
                return Err(Refusal::KeyNotEverywhere {
                    zone: zone.clone(),
                    slot: slot.number,
                    nodes,
                });
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Moves on the slots whose time has come: to be called once a minute, for zones that nobody asks about.
    ///
    /// Fails with [`Refusal::Clock`] and [`Refusal::Store`].
    pub async fn keep_zones(&self, now: UnixTime) -> Result<(), Refusal> {
        self.guard.check(now)?;
        let view = self.delegations.keep(&*self.store, now).await?;
        for zone in view.zones() {
            self.forget_ended(zone)?;
        }
        Ok(())
    }

    /// Removes the keys of slots that are gone: what is not there cannot be stolen.
    fn forget_ended(&self, zone: &ZoneView) -> Result<(), Error> {
        let gone = |slot: &&Slot| slot.state == SlotState::Gone;
        for slot in zone.managed.slots.iter().filter(gone) {
            let folder = self.delegations.folder(&slot.certificate_sha256);
            dc_pki::files::remove(&folder.join(dc_pki::delegation::KEY))?;
        }
        Ok(())
    }

    /// Whether a zone's devices should renew before their time.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn renewal_info(&self, zone: &ZoneName) -> Result<RenewalInfo, Refusal> {
        let now = dc_pki::clock::now()?;
        let view = self.view(now).await?;
        let managed = &view.zone(zone)?.managed;
        let active = managed.active().filter(|slot| slot.may_issue(now));
        let pulled = managed.renew_issued_before;
        Ok(RenewalInfo {
            zone: zone.to_string(),
            certificate_sha256: active.map(|slot| slot.certificate_sha256.to_string()),
            renew_issued_before: pulled.map_or(0, |before| before.as_secs()),
            spread: SPREAD,
            poll_after: POLL_AFTER,
        })
    }

    /// How many delegation certificates can be signed with here: each has signed a credential that verifies when it was loaded.
    #[must_use]
    pub fn tested(&self) -> usize {
        self.keys().len()
    }
}

/// Issues a credential for a key that is forgotten at once.
pub(super) fn try_key(zone: &ZoneName, loaded: &Loaded, now: UnixTime) -> Result<(), Error> {
    let wanted = Wanted::Both(zone.fresh_name()?);
    let spki = throwaway_key()?;
    dc_pki::sign(&loaded.delegation, &spki, &wanted, None, algorithms(), now)
        .map(|_| ())
        .map_err(|unissued| {
            Fault::SelfTest {
                zone: zone.clone(),
                certificate: loaded.certificate_sha256,
                source: match unissued {
                    Unissued::DelegationKey => dc_core::Error::UnusableKey.into(),
                    Unissued::Refused(source) => source.into(),
                    Unissued::Signer(source) => source.into(),
                },
            }
            .into()
        })
}

fn throwaway_key() -> Result<Vec<u8>, Error> {
    let key =
        rcgen::KeyPair::generate().map_err(|source| dc_pki::Error::TestCertificate { source })?;
    Ok(rcgen::PublicKeyData::subject_public_key_info(&key))
}

/// Devices that are asked to renew spread that over so many seconds: a fleet that comes at once is an outage.
const SPREAD: u64 = 6 * 3600;
/// How long a rollover waits for the others: they say what keys they have every few seconds.
const PATIENCE: Duration = Duration::from_secs(12);
const PACE: Duration = Duration::from_millis(500);
/// How often devices ask, in seconds.
const POLL_AFTER: u64 = 12 * 3600;
