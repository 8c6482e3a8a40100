//! The issuing status of this process: what it can issue now, and if not why. Refusals, readiness, metrics, the log at the
//! start and the output of `dc-signer check` all come from it.

use std::time::Duration;

use pki_types::UnixTime;

use super::both_forms::BothFormsWarning;
use super::ends::EndedByNobody;
use super::guard::ClockError;
use super::loaded::Loaded;
use super::rollover::{self, Step};
use super::servers_alone::ServersAloneWarning;
use super::view::{View, ZoneView};
use super::{Authority, Error};
use crate::authority::policy;
use dc_pki::Roles;
use dc_pki::keyd::Pause;
use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_store::registry::{DelegationState, ZoneDelegation};

/// The issuing status of this process at a time.
#[derive(Debug)]
pub struct IssuingStatus {
    /// The clock's fault, if it cannot be right: then nothing is issued.
    pub clock: Option<ClockError>,
    /// The reason that the secrets of the database cannot be used here, if they cannot: then nobody enrols by a code, no device is
    /// added and no list signed.
    pub secrets: Option<String>,
    /// The slots that have ended by their rows in the database alone: nothing is as it should be then, and what cannot be
    /// taken back is not done.
    pub ended_by_nobody: Vec<EndedByNobody>,
    /// The zones that are in service: those that have a delegation certificate that is or was active and has not ended, and those whose
    /// devices are left without one.
    pub zones: Vec<ZoneStatus>,
    /// The delegation certificates that are or will be issued from.
    pub keys: Vec<KeyStatus>,
    /// The zones whose devices have credentials of both forms: no reason not to be ready.
    pub both_forms: Vec<BothFormsWarning>,
    /// The certificates for servers alone in zones that issue for clients: no reason not to be ready.
    pub servers_alone: Vec<ServersAloneWarning>,
}

/// The issuing status of a zone.
#[derive(Debug)]
pub struct ZoneStatus {
    /// The zone.
    pub zone: ZoneName,
    /// The reason that nothing can be issued, with what to do, if nothing can; the clock's fault is not repeated here.
    pub fault: Option<Error>,
    /// The signing process that has the key issues nothing for a while. A long while is a fault as well.
    pub pause: Option<Pause>,
    /// The slot that this process issues from as soon as it has moved on, if nothing can be issued before that.
    pub moves_on: Option<u32>,
    /// Until when this process can go on with the certificates whose keys it has.
    pub until: UnixTime,
    /// From this long before that on it is said every day: three weeks, or less for short certificates.
    pub warn_before: Duration,
}

/// The usability of a delegation certificate's key on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyStatus {
    /// The zone.
    pub zone: ZoneName,
    /// The certificate's slot.
    pub slot: u32,
    /// `next` or `active`.
    pub state: DelegationState,
    /// Its key is here and signs, and no signing process lets it rest for long.
    pub usable: bool,
}

impl IssuingStatus {
    pub(super) fn of(view: &View, clock: Result<(), ClockError>, now: UnixTime) -> Self {
        let zones = view.zones().iter();
        let in_service = zones.filter(|zone| zone.is_in_service());
        Self {
            clock: clock.err(),
            secrets: None,
            ended_by_nobody: Vec::new(),
            zones: in_service.map(|zone| zone_status(zone, now)).collect(),
            keys: view
                .zones()
                .iter()
                .flat_map(|zone| keys(zone, now))
                .collect(),
            both_forms: both_forms(view, now),
            servers_alone: view.zones().iter().flat_map(servers_alone).collect(),
        }
    }

    /// The reasons that something cannot be issued, each with its zone; none if everything can.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let clock = self.clock.iter().map(ToString::to_string);
        let zones = self.zones.iter().filter_map(|zone| {
            let fault = zone.fault.as_ref()?;
            Some(format!("zone {}: {fault}", zone.zone))
        });
        let ends = self.ended_by_nobody.iter().map(ToString::to_string);
        clock
            .chain(self.secrets.clone())
            .chain(zones)
            .chain(ends)
            .collect()
    }

    /// Zones in which nothing can be issued some weeks from now, if nobody does anything.
    #[must_use]
    pub fn ending(&self, now: UnixTime) -> Vec<String> {
        let left = |zone: &&ZoneStatus| zone.until.as_secs().saturating_sub(now.as_secs());
        let soon =
            |zone: &&ZoneStatus| zone.fault.is_none() && left(zone) < zone.warn_before.as_secs();
        let zones = self.zones.iter().filter(soon);
        let text = |zone: &ZoneStatus| {
            let ZoneStatus { zone, until, .. } = zone;
            format!(
                "nothing can be issued in zone {zone} from {} on: import its next delegation certificate with 'dc-signer zones rollover {zone} --import DIR --reason WHY --config FILE'; if a CA is configured for it, 'dc-signer certificate status --config FILE' says when that is asked",
                Moment(*until)
            )
        };
        zones.map(text).collect()
    }

    /// Zones in which a signing process issues nothing for some seconds, which is no fault of anybody's.
    #[must_use]
    pub fn pausing(&self) -> Vec<String> {
        let zones = self.zones.iter().filter_map(|zone| {
            let pause = zone.pause.filter(|pause| !pause.is_long())?;
            Some(format!("zone {}: {pause}", zone.zone))
        });
        zones.collect()
    }

    /// Zones whose certificate is over, and that a service moves on by itself.
    #[must_use]
    pub fn moving(&self) -> Vec<String> {
        let moving = self.zones.iter().filter_map(|zone| {
            let (zone, slot) = (&zone.zone, zone.moves_on?);
            Some(format!(
                "the certificate that zone {zone} is issued from is over: it moves on to slot {slot} when the service runs"
            ))
        });
        moving.collect()
    }

    /// True if a zone's devices can be issued to.
    #[must_use]
    pub fn can_issue(&self, zone: &ZoneStatus) -> bool {
        self.clock.is_none() && zone.fault.is_none() && zone.moves_on.is_none()
    }
}

impl Authority {
    /// The issuing status now. Looks at the database if that was not done a moment ago.
    ///
    /// Fails with [`Error::Store`] if the database has not answered for a minute.
    pub async fn issuing_status(&self, now: UnixTime) -> Result<IssuingStatus, Error> {
        let clock = self.guard.check(now);
        let view = self.view(now).await?;
        Ok(IssuingStatus {
            secrets: self.secrets.fault(),
            ended_by_nobody: self.delegations.ends.by_nobody(),
            ..IssuingStatus::of(&view, clock, now)
        })
    }

    /// The same by what is known already.
    #[must_use]
    pub fn cached_issuing_status(&self, now: UnixTime) -> IssuingStatus {
        IssuingStatus {
            secrets: self.secrets.fault(),
            ended_by_nobody: self.delegations.ends.by_nobody(),
            ..IssuingStatus::of(&self.delegations.seen(), self.guard.check(now), now)
        }
    }
}

/// The key to sign with for a zone now.
///
/// Fails with [`Error::Policy`] if no certificate may be issued from, and with [`Error::KeyNotHere`].
pub(super) fn signer(zone: &ZoneView, now: UnixTime) -> Result<&Loaded, Error> {
    let slot = policy::usable(&zone.managed, now)?;
    key(zone, slot)
}

/// The key of a slot.
///
/// Fails with [`Error::KeyNotHere`].
pub(super) fn key<'v>(zone: &'v ZoneView, slot: &ZoneDelegation) -> Result<&'v Loaded, Error> {
    let loaded = zone.loaded(&slot.certificate_sha256);
    loaded
        .map(|loaded| &**loaded)
        .ok_or_else(|| Error::KeyNotHere {
            zone: zone.managed.zone.clone(),
            why: zone.why_missing(slot.number).to_owned(),
        })
}

fn both_forms(view: &View, now: UnixTime) -> Vec<BothFormsWarning> {
    let zones = view.zones().iter();
    zones
        .filter_map(|zone| BothFormsWarning::of(&zone.managed, now))
        .collect()
}

/// The warnings about the slots of a zone that are or will be issued from and whose keys are here.
fn servers_alone(zone: &ZoneView) -> impl Iterator<Item = ServersAloneWarning> {
    let is_for_clients = zone.managed.roles == Roles::Both;
    let slots = in_use(zone).filter(move |slot| {
        let loaded = zone.loaded(&slot.certificate_sha256);
        is_for_clients && loaded.is_some_and(|loaded| loaded.for_clients.is_none())
    });
    slots.map(|slot| ServersAloneWarning {
        zone: zone.managed.zone.clone(),
        slot: slot.number,
    })
}

fn zone_status(zone: &ZoneView, now: UnixTime) -> ZoneStatus {
    let signer = signer(zone, now);
    let pause = signer.as_ref().ok().and_then(|key| pause(key, now));
    let fault = signer.err();
    let moves_on = fault.as_ref().and_then(|_| moves_on(zone, now));
    let paused = pause.filter(Pause::is_long).map(|pause| Error::Paused {
        zone: zone.managed.zone.clone(),
        pause,
    });
    ZoneStatus {
        zone: zone.managed.zone.clone(),
        fault: fault.filter(|_| moves_on.is_none()).or(paused),
        pause,
        moves_on,
        until: until(zone),
        warn_before: warn_before(zone),
    }
}

/// The time in which a key's signing process issues nothing, if it is not over.
fn pause(key: &Loaded, now: UnixTime) -> Option<Pause> {
    let pause = key.delegation.key().pause();
    pause.filter(|pause| now < pause.until)
}

/// Later than the next certificate is ordered, which is after two thirds of a certificate's life at the latest.
fn warn_before(zone: &ZoneView) -> Duration {
    let lives = in_use(zone).map(|slot| slot.life() * 3 / 10);
    lives.max().map_or(SOON, |part| SOON.min(part))
}

/// The slot that is used next, if that waits for nobody.
fn moves_on(zone: &ZoneView, now: UnixTime) -> Option<u32> {
    let steps = rollover::due(zone, now).into_iter();
    let mut free = steps.filter(|step| !rollover::waits(&zone.managed, *step, now));
    free.find_map(|step| match step {
        Step::Activate(slot) => Some(slot),
        Step::End(_) => None,
    })
}

fn until(zone: &ZoneView) -> UnixTime {
    let here = in_use(zone).filter(|slot| zone.loaded(&slot.certificate_sha256).is_some());
    let ends = here.map(ZoneDelegation::issues_until);
    ends.max()
        .unwrap_or(UnixTime::since_unix_epoch(Duration::ZERO))
}

fn keys(zone: &ZoneView, now: UnixTime) -> impl Iterator<Item = KeyStatus> {
    in_use(zone).map(move |slot| KeyStatus {
        zone: zone.managed.zone.clone(),
        slot: slot.number,
        state: slot.state,
        usable: zone
            .loaded(&slot.certificate_sha256)
            .is_some_and(|key| !pause(key, now).is_some_and(|pause| pause.is_long())),
    })
}

/// The slots that are issued from, now or next.
pub(super) fn in_use(zone: &ZoneView) -> impl Iterator<Item = &ZoneDelegation> {
    let slots = zone.managed.delegations.iter();
    slots.filter(|slot| matches!(slot.state, DelegationState::Next | DelegationState::Active))
}

/// From this long before nothing can be issued it is said every day, if certificates are long.
const SOON: Duration = Duration::from_secs(21 * 86_400);
