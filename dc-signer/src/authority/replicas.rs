//! The signers that share a database: each says which keys it has, so that a zone moves on to a certificate only when all of
//! them can sign with it.

use std::collections::BTreeSet;
use std::time::Duration;

use pki_types::UnixTime;

use super::error::PkiError;
use super::same_node::called;
use super::view::ZoneView;
use super::{Authority, Error};
use dc_store::registry::{Sha256, ZoneDelegation};
use dc_store::{LimitsUsed, Promised, Replica, Report, Store};

/// The id of this process among all that work on a database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Me(pub(super) [u8; 16]);

impl Me {
    /// Fails with [`PkiError::Randomness`].
    pub(super) fn new() -> Result<Self, PkiError> {
        Ok(Self(dc_pki::random()?))
    }
}

impl Authority {
    /// Tells the other signers of the database that this one works, and with which keys; to be called once a minute, and when
    /// the keys have changed.
    ///
    /// Fails with [`Error::Store`].
    pub async fn report(&self, now: UnixTime) -> Result<(), Error> {
        let clock = self.guard.check(now).is_ok().then_some(now);
        self.say(clock, false, now).await
    }

    /// Tells them that this one stops.
    ///
    /// Fails with [`Error::Store`].
    pub async fn leave(&self, now: UnixTime) -> Result<(), Error> {
        let clock = self.guard.check(now).is_ok().then_some(now);
        self.say(clock, true, now).await
    }

    async fn say(
        &self,
        clock: Option<UnixTime>,
        stopped: bool,
        now: UnixTime,
    ) -> Result<(), Error> {
        let report = Report {
            id: self.me.0,
            stopped,
            clock,
            keys: self.keys().into_iter().collect(),
            sealing: self.secrets.marks().await?.to_vec(),
        };
        Ok(self.store.report(&report, now).await?)
    }

    /// Tells the other signers how often devices came here, each for a period, and hears what they have told since an exchange; with
    /// how many signers there are, and how many of them come before this one.
    ///
    /// Fails with [`Error::Store`].
    pub(crate) async fn exchange_limits(
        &self,
        used: &[(Sha256, u32)],
        period: Duration,
        since: i64,
        now: UnixTime,
    ) -> Result<(LimitsUsed, u32, u32), Error> {
        let heard = self.store.exchange_limits(used, period, since, now).await?;
        let all = self.store.replicas(now).await?;
        let others = all.iter().filter(|one| one.live && one.id != self.me.0);
        let (before, behind): (Vec<_>, Vec<_>) = others.partition(|other| other.id < self.me.0);
        let [before, behind] =
            [before, behind].map(|some| u32::try_from(some.len()).unwrap_or(u32::MAX));
        let signers = before.saturating_add(behind).saturating_add(1);
        Ok((heard, signers, before))
    }

    /// Tells the other signers the times that are kept here for devices, and hears what they have told since an exchange.
    ///
    /// Fails with [`Error::Store`].
    pub(crate) async fn exchange_promises(
        &self,
        given: &[(Sha256, Duration)],
        since: i64,
        now: UnixTime,
    ) -> Result<Promised, Error> {
        Ok(self.store.exchange_promises(given, since, now).await?)
    }

    /// SHA-256 of the delegation certificates that this process can sign with.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<Sha256> {
        let view = self.delegations.seen();
        let zones = view.zones().iter();
        let loaded = zones.flat_map(ZoneView::all_loaded);
        loaded.map(|loaded| loaded.certificate_sha256).collect()
    }

    /// A delegation certificate that this process can sign with, in DER.
    #[must_use]
    pub fn certificate_der(&self, certificate_sha256: &Sha256) -> Option<Vec<u8>> {
        let view = self.delegations.seen();
        let mut zones = view.zones().iter();
        let loaded = zones.find_map(|zone| zone.loaded(certificate_sha256))?;
        Some(loaded.delegation.certificate().der().to_vec())
    }
}

/// The other signers that work now, each by a name that no other has.
pub(super) async fn others(
    store: &Store,
    me: Me,
    now: UnixTime,
) -> Result<Vec<Replica>, dc_store::Error> {
    let all = store.replicas(now).await?;
    let others = all
        .iter()
        .filter(|replica| replica.live && replica.id != me.0);
    let named = others.map(|replica| Replica {
        node: called(replica, &all),
        ..replica.clone()
    });
    Ok(named.collect())
}

/// Those of them that cannot sign with a slot, by node.
pub(super) fn without(others: &[Replica], slot: &ZoneDelegation) -> Vec<String> {
    let lacks = |replica: &&Replica| !replica.keys.contains(&slot.certificate_sha256);
    let nodes = others.iter().filter(lacks);
    nodes.map(|replica| replica.node.clone()).collect()
}
