//! Zones: moving on to the next certificate, and telling devices about it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pki_types::UnixTime;

use super::loaded::Loaded;
use super::promise::Promise;
use super::view::ZoneView;
use super::{Authority, Error, Step, ends, issuing_status, replicas, rollover};
use crate::config::Renewals;
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};
use dc_protocol::RenewalInfo;
use dc_store::registry::{self, Sha256, Zone, ZoneDelegation};
use dc_store::{Act, NewZone};

impl Authority {
    /// All zones with their delegation certificates, by name.
    ///
    /// Fails with [`Error::Store`].
    pub async fn zones(&self) -> Result<Vec<Zone>, Error> {
        Ok(self.store.zones().await?)
    }

    /// Adds a zone without delegation certificates.
    ///
    /// Fails with [`ZoneExists`](dc_store::registry::Error::ZoneExists).
    pub async fn add_zone(&self, new: &NewZone, by: &Act) -> Result<Zone, Error> {
        self.store.add_zone(new, by).await?;
        self.managed(&new.zone).await
    }

    /// Removes a zone that never had a delegation certificate, nor a device.
    ///
    /// Fails with [`UnknownZone`](dc_store::registry::Error::UnknownZone) and
    /// [`ZoneWasUsed`](dc_store::registry::Error::ZoneWasUsed).
    pub async fn remove_zone(&self, zone: &ZoneName, by: &Act) -> Result<(), Error> {
        self.store.remove_zone(zone, by).await?;
        self.delegations.refresh(&self.store).await?;
        Ok(())
    }

    /// Changes which forms a zone's devices get.
    ///
    /// Fails with [`Error::ProcessRefuses`] if a signing process has a key of the zone and does not issue them, and with
    /// [`UnknownZone`](dc_store::registry::Error::UnknownZone).
    pub async fn set_forms(&self, zone: &ZoneName, forms: Forms, by: &Act) -> Result<Zone, Error> {
        let view = self.delegations.refresh(&self.store).await?;
        let found = view.zone(zone)?;
        let promise = Promise {
            forms,
            ..Promise::of(&found.managed)
        };
        let keys = found.opened().cloned().collect();
        self.try_promise(keys, promise).await?;
        self.store.set_forms(zone, forms, by).await?;
        self.managed(zone).await
    }

    /// Changes which ends of connections a zone's devices get credentials for.
    ///
    /// Fails with [`Error::NotForClients`] if they are to be clients too and a certificate of the zone is for servers alone,
    /// with [`Error::KeyNotHere`] if one is not on this machine, with [`Error::ProcessRefuses`] if a signing process has one's key and
    /// does not issue for them, and with
    /// [`UnknownZone`](dc_store::registry::Error::UnknownZone).
    pub async fn set_roles(&self, zone: &ZoneName, roles: Roles, by: &Act) -> Result<Zone, Error> {
        if roles == Roles::Both {
            let view = self.delegations.refresh(&self.store).await?;
            let found = view.zone(zone)?;
            let mut slots = issuing_status::in_use(found);
            slots.try_for_each(|slot| issuing_status::key(found, slot).map(drop))?;
            let promise = Promise {
                roles,
                ..Promise::of(&found.managed)
            };
            let keys = found.all_loaded().to_vec();
            self.try_promise(keys, promise).await?;
        }
        self.store.set_roles(zone, roles, by).await?;
        self.delegations.refresh(&self.store).await?;
        self.managed(zone).await
    }

    /// Shows that what a zone is to promise from now on would be issued with its keys. A process that says nothing is no reason to leave
    /// the zone as it is.
    ///
    /// Fails as [`Promise::try_anew`] does.
    async fn try_promise(&self, keys: Vec<Arc<Loaded>>, promise: Promise) -> Result<(), Error> {
        let trying = move || {
            let mut tried = keys.iter().map(|key| promise.try_anew(key));
            tried.find_map(Result::err).map_or(Ok(()), Err)
        };
        self.signing.run(trying).await?
    }

    /// Asks the devices of a zone whose credential was issued before a time to renew now; none takes that back.
    ///
    /// Fails with [`UnknownZone`](dc_store::registry::Error::UnknownZone).
    pub async fn pull_renewals(
        &self,
        zone: &ZoneName,
        issued_before: Option<UnixTime>,
        by: &Act,
    ) -> Result<Zone, Error> {
        self.store.pull_renewals(zone, issued_before, by).await?;
        self.managed(zone).await
    }

    pub(super) async fn managed(&self, zone: &ZoneName) -> Result<Zone, Error> {
        let zones = self.store.zones().await?.into_iter();
        let mut found = zones.filter(|managed| managed.zone == *zone);
        Ok(found.next().ok_or(registry::Error::UnknownZone)?)
    }

    /// Issues from the zone's next delegation certificate from now on, whether or not it has soaked; the one before drains.
    ///
    /// Of several it takes the one that lasts longest. Waits some seconds for signers that have just got its key, unless those that
    /// have not are left behind (`leave_out`): they issue nothing in the zone until they have. Fails with
    /// [`Error::NoNextDelegation`] if none has begun, has enough left and has its key on this machine, with
    /// [`Error::KeyNotEverywhere`], and as [`Store::move_delegation`](dc_store::Store::move_delegation) does.
    pub async fn rollover(
        &self,
        zone: &ZoneName,
        leave_out: bool,
        by: &Act,
    ) -> Result<Zone, Error> {
        let view = self.delegations.refresh(&self.store).await?;
        let found = view.zone(zone)?;
        let next = next(found, by.at)?;
        let left_out = self.left_out(&found.managed, next, leave_out, by.at);
        self.activate(zone, next.number, &left_out.await?, by).await
    }

    /// The signers that are left out when a zone moves on to a slot, by node; none if they are waited for.
    ///
    /// Fails with [`Error::KeyNotEverywhere`].
    pub(super) async fn left_out(
        &self,
        managed: &Zone,
        slot: &ZoneDelegation,
        leave_out: bool,
        now: UnixTime,
    ) -> Result<Vec<String>, Error> {
        if leave_out {
            return self.lacking(slot, now).await;
        }
        self.wait_if_others_can_issue(managed, slot, now).await?;
        Ok(Vec::new())
    }

    /// The other signers that do not have the key of a slot, by node.
    async fn lacking(&self, slot: &ZoneDelegation, now: UnixTime) -> Result<Vec<String>, Error> {
        let others = replicas::others(&self.store, self.me, now).await?;
        Ok(replicas::without(&others, slot))
    }

    /// The certificate that a rollover would take now, by its SHA-256.
    pub(super) async fn next_certificate(
        &self,
        zone: &ZoneName,
        now: UnixTime,
    ) -> Result<Sha256, Error> {
        let view = self.delegations.refresh(&self.store).await?;
        Ok(next(view.zone(zone)?, now)?.certificate_sha256)
    }

    pub(super) async fn activate(
        &self,
        zone: &ZoneName,
        number: u32,
        left_out: &[String],
        by: &Act,
    ) -> Result<Zone, Error> {
        let moved = self.store.activate_without(zone, number, left_out, by);
        let moved = moved.await?;
        self.delegations.refresh(&self.store).await?;
        Ok(moved)
    }

    /// Fails with [`Error::KeyNotEverywhere`] if other signers still lack the key of a slot after some seconds, and could issue
    /// from another meanwhile.
    async fn wait_if_others_can_issue(
        &self,
        managed: &Zone,
        slot: &ZoneDelegation,
        now: UnixTime,
    ) -> Result<(), Error> {
        if !rollover::waits(managed, Step::Activate(slot.number), now) {
            return Ok(());
        }
        let began = Instant::now();
        loop {
            let nodes = self.lacking(slot, now).await?;
            if nodes.is_empty() {
                return Ok(());
            }
            if began.elapsed() >= PATIENCE {
                return Err(Error::KeyNotEverywhere {
                    zone: managed.zone.clone(),
                    slot: slot.number,
                    nodes,
                });
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Moves on the slots whose time has come: to be called once a minute, for zones that nobody asks about.
    ///
    /// Fails with [`Error::Clock`] and [`Error::Store`].
    pub async fn keep_zones(&self, now: UnixTime) -> Result<(), Error> {
        self.guard.check(now)?;
        let view = self.delegations.keep(&self.store, now).await?;
        ends::note_draining(&view, &self.delegations.data, now);
        self.forget_ended(&view, now).await
    }

    /// The renewal information of a zone: asks its devices to renew before their time, if they should.
    ///
    /// Fails with [`UnknownZone`](dc_store::registry::Error::UnknownZone).
    pub async fn renewal_info(&self, zone: &ZoneName) -> Result<RenewalInfo, Error> {
        let now = dc_pki::clock::now()?;
        let view = self.view(now).await?;
        let managed = &view.zone(zone)?.managed;
        let active = managed.active().filter(|slot| slot.may_issue(now));
        let pulled = managed.renew_issued_before;
        Ok(RenewalInfo {
            zone: zone.to_string(),
            certificate_sha256: active.map(|slot| slot.certificate_sha256.to_string()),
            renew_issued_before: pulled.map_or(0, |before| before.as_secs()),
            spread: self.settings.load().renewals.spread.as_secs(),
            poll_after: self.settings.load().renewals.poll.as_secs(),
        })
    }

    /// The time in which all devices of a zone that are on have renewed that are asked to: each asks after the poll, give or take a
    /// sixth, and spreads what it is asked.
    #[must_use]
    pub fn pulled_within(&self) -> Duration {
        let Renewals { poll, spread } = self.settings.load().renewals;
        poll + poll / 6 + spread
    }

    /// The number of delegation certificates that can be signed with here: each has signed a credential that verifies when it was loaded.
    #[must_use]
    pub fn tested(&self) -> usize {
        self.keys().len()
    }
}

/// The time that a rollover waits for the others: they say what keys they have every few seconds.
const PATIENCE: Duration = Duration::from_secs(12);
const PACE: Duration = Duration::from_millis(500);

/// The slot that a rollover would take now.
fn next(zone: &ZoneView, now: UnixTime) -> Result<&ZoneDelegation, Error> {
    let here = |slot: &ZoneDelegation| zone.loaded(&slot.certificate_sha256).is_some();
    let next = rollover::next(&zone.managed, here, now);
    next.ok_or_else(|| Error::NoNextDelegation {
        zone: zone.managed.zone.clone(),
    })
}
