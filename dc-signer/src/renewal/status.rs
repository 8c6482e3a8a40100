//! How far the renewal of a zone's delegation certificate is: pure. Log, metrics, API, page and `dc-signer check` say it from here.

use std::fmt;
use std::time::Duration;

use pki_types::UnixTime;

use super::ordering::ConfiguredCa;
use super::plan::Plan;
use super::schedule;
use super::settings::Settings;
use crate::authority::json::ZoneRenewal;
use crate::authority::{Waiting, active_by};
use crate::config::Config;
use dc_pki::names::ZoneName;
use dc_pki::time::{Moment, Span};
use dc_store::registry::{DelegationState, Zone, ZoneDelegation};
use dc_store::{Renewal, Store};

/// How far a zone's renewal is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// The zone.
    pub zone: ZoneName,
    /// When the next certificate is ordered; none if nobody has looked yet.
    pub order_at: Option<UnixTime>,
    /// Set if that time has come.
    pub is_due: bool,
    /// How often it was ordered.
    pub attempts: u32,
    /// Since when that fails.
    pub failing_since: Option<UnixTime>,
    /// When the next try is.
    pub try_at: Option<UnixTime>,
    /// The reason of the last failure.
    pub error: Option<String>,
    /// The signer that orders now.
    pub holder: Option<String>,
    /// The certificate that becomes active next.
    pub candidate: Option<Candidate>,
    /// The time that is left of the active one.
    pub left: Option<Duration>,
    /// The shortest life that credentials get, if it is less than they are to have.
    pub shortened: Option<Duration>,
}

/// A certificate that becomes active next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// Its slot.
    pub slot: u32,
    /// When it can become active: when it has soaked, or before that if nothing may be issued from the active one any more.
    pub soaked_at: UnixTime,
    /// Set if that is because nothing may be issued from the active one then: it waits for nobody.
    pub is_needed: bool,
    /// The signers that lack its key.
    pub lacking: Vec<String>,
}

impl Status {
    /// Of a zone that has a CA, with what is on record, the slots that wait for other signers, and the lifetime that credentials
    /// are to have.
    #[must_use]
    pub fn of(
        zone: &Zone,
        renewal: Option<&Renewal>,
        waiting: &[Waiting],
        percent: u32,
        lifetime: Duration,
        now: UnixTime,
    ) -> Self {
        let newest = schedule::newest(zone);
        // What is on record may be about the certificate before, for a minute.
        let of = newest.map(|slot| slot.certificate_sha256);
        let renewal = renewal.filter(|renewal| renewal.certificate_sha256 == of);
        let plan = newest.map(|slot| Plan::of(slot.life(), percent));
        let left = |slot: &ZoneDelegation| {
            let left = slot.not_after.as_secs().saturating_sub(now.as_secs());
            Duration::from_secs(left)
        };
        Self {
            zone: zone.zone.clone(),
            // One that is imported late is ordered for from then on, and not before it was there.
            order_at: renewal.map(|renewal| {
                newest.map_or(renewal.order_at, |slot| renewal.order_at.max(slot.since))
            }),
            is_due: renewal.is_some_and(|renewal| renewal.order_at <= now),
            attempts: renewal.map_or(0, |renewal| renewal.attempts),
            failing_since: renewal.and_then(|renewal| renewal.failing_since),
            try_at: renewal.and_then(|renewal| renewal.try_at),
            error: renewal.and_then(|renewal| renewal.error.clone()),
            holder: renewal
                .and_then(|renewal| renewal.holder.as_ref())
                .filter(|holder| holder.until > now)
                .map(|holder| holder.node.clone()),
            candidate: newest
                .filter(|slot| slot.state == DelegationState::Next)
                .map(|slot| candidate(zone, slot, waiting)),
            left: zone.active().map(left),
            shortened: plan.and_then(|plan| plan.shortens(lifetime)),
        }
    }

    /// Of all zones in which the service orders by itself, as a configuration says.
    ///
    /// Fails as the store does.
    pub async fn all(
        config: &Config,
        store: &Store,
        waiting: &[Waiting],
        now: UnixTime,
    ) -> Result<Vec<Self>, dc_store::Error> {
        let (zones, renewals) = (store.zones().await?, store.renewals().await?);
        let settings = Settings::new(config);
        let has_ca = |zone: &&Zone| {
            config.certificate_renewal.automatic && ConfiguredCa::of(config, &zone.zone).is_some()
        };
        let statuses = zones.iter().filter(has_ca).map(|zone| {
            let renewal = renewals.iter().find(|renewal| renewal.zone == zone.zone);
            let percent = settings.of(&zone.zone).order_after;
            let lifetime = config.credentials.lifetime;
            Self::of(zone, renewal, waiting, percent, lifetime, now)
        });
        Ok(statuses.collect())
    }

    /// As the API has it.
    #[must_use]
    pub fn to_json(&self, now: UnixTime) -> ZoneRenewal {
        let seconds = |time: Option<UnixTime>| time.map(|time| time.as_secs());
        let candidate = self.candidate.as_ref();
        ZoneRenewal {
            order_at: seconds(self.order_at),
            attempts: self.attempts,
            failing_since: seconds(self.failing_since),
            try_at: seconds(self.try_at),
            error: self.error.clone(),
            ordered_by: self.holder.clone(),
            candidate: candidate.map(|candidate| candidate.slot),
            candidate_soaked_at: candidate.map(|candidate| candidate.soaked_at.as_secs()),
            candidate_lacking: candidate.map_or_else(Vec::new, |one| one.lacking.clone()),
            warnings: self.warnings(now),
        }
    }

    /// The warnings that somebody should look at, a line each.
    #[must_use]
    pub fn warnings(&self, now: UnixTime) -> Vec<String> {
        let zone = &self.zone;
        let failing = self.failing_since.map(|since| {
            let (error, attempts) = (self.error.as_deref().unwrap_or_default(), self.attempts);
            format!(
                "zone {zone} has had no new delegation certificate from its CA since {} ({attempts} tries): {error}",
                Moment(since)
            )
        });
        let late = |at: &UnixTime| now.as_secs() > at.as_secs().saturating_add(OVERDUE.as_secs());
        let overdue = self.order_at.filter(late).filter(|_| self.attempts == 0);
        let overdue = overdue.map(|at| {
            format!(
                "zone {zone} was to order its next delegation certificate at {}, and no signer has: look whether one runs that can reach the CA",
                Moment(at)
            )
        });
        let waits = self
            .candidate
            .as_ref()
            .filter(|candidate| late(&candidate.soaked_at));
        let waits = waits.map(
            |Candidate {
                 slot,
                 soaked_at,
                 lacking,
                 is_needed: _,
             }| {
                let why = match lacking.is_empty() {
                    true => "the log says why".to_owned(),
                    false => format!("its key is not on {}", lacking.join(", ")),
                };
                format!(
                    "slot {slot} of {zone} could be active since {}, and is not: {why}",
                    Moment(*soaked_at)
                )
            },
        );
        let shortened = self.shortened.map(|gets| {
            format!(
                "the delegation certificates of {zone} are short: credentials under them get {} at least, less than credentials.lifetime",
                Span::new(gets)
            )
        });
        [failing, overdue, waits, shortened]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn candidate(zone: &Zone, slot: &ZoneDelegation, waiting: &[Waiting]) -> Candidate {
    let waits = |waiting: &&Waiting| waiting.zone == zone.zone && waiting.slot == slot.number;
    let lacking = waiting.iter().find(waits);
    Candidate {
        slot: slot.number,
        soaked_at: active_by(zone, slot),
        is_needed: zone
            .active()
            .is_none_or(|active| active_by(zone, slot) >= active.issues_until()),
        lacking: lacking.map_or_else(Vec::new, |waiting| waiting.nodes.clone()),
    }
}

/// As `dc-signer check` and the log say it.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = &self.zone;
        if let Some(Candidate {
            slot,
            soaked_at,
            is_needed,
            ..
        }) = &self.candidate
        {
            let at = Moment(*soaked_at);
            return match is_needed {
                true => write!(
                    f,
                    "zone {zone}: slot {slot} is the next one, and becomes active at {at}, because nothing may be issued from the active one from then on"
                ),
                false => write!(
                    f,
                    "zone {zone}: slot {slot} is the next one, and can be active from {at} on"
                ),
            };
        }
        match (self.order_at, self.try_at) {
            (Some(_), Some(at)) => write!(
                f,
                "zone {zone}: the next delegation certificate is ordered again at {}",
                Moment(at)
            ),
            (Some(_), None) if self.is_due => write!(
                f,
                "zone {zone}: the next delegation certificate is due, and ordered within a minute by a signer that runs"
            ),
            (Some(at), None) => write!(
                f,
                "zone {zone}: the next delegation certificate is ordered at {}",
                Moment(at)
            ),
            (None, _) => write!(
                f,
                "zone {zone}: the service looks within a minute when to order"
            ),
        }
    }
}

/// The time after which something is late: the service looks every minute.
const OVERDUE: Duration = Duration::from_secs(2 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use dc_pki::{Forms, Roles};
    use dc_store::registry::Sha256;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 86_400;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn zone(slots: &[(DelegationState, u64, u64)]) -> Zone {
        let slots = slots.iter().zip(1..).map(|((state, age, life), number)| {
            let not_before = NOW - age * DAY;
            ZoneDelegation {
                number,
                state: *state,
                certificate_sha256: Sha256::of(&number.to_be_bytes()),
                not_before: at(not_before),
                not_after: at(not_before + life * DAY),
                since: at(not_before),
            }
        });
        Zone {
            zone: ZoneName::parse("cpe.example.com").unwrap(),
            forms: Forms::Named,
            roles: Roles::Server,
            other_forms_until: None,
            renew_issued_before: None,
            withdrawn_sequence: 0,
            delegations: slots.collect(),
        }
    }

    fn renewal(zone: &Zone) -> Renewal {
        schedule::begin(zone, &Renewal::of(zone.zone.clone()), 66, schedule::Draw(0))
    }

    fn status(zone: &Zone, renewal: &Renewal, waiting: &[Waiting]) -> Status {
        let lifetime = dc_core::DEFAULT_LIFETIME;
        Status::of(zone, Some(renewal), waiting, 66, lifetime, at(NOW))
    }

    #[test]
    fn a_zone_in_order_has_no_warning() {
        let zone = zone(&[(DelegationState::Active, 10, 100)]);
        let status = status(&zone, &renewal(&zone), &[]);
        assert_eq!(status.warnings(at(NOW)), Vec::<String>::new());
        let order_at = NOW - 10 * DAY + 66 * DAY;
        let text = format!(
            "zone cpe.example.com: the next delegation certificate is ordered at {}",
            Moment(at(order_at))
        );
        assert_eq!(status.to_string(), text);
        assert_eq!(status.left, Some(Duration::from_secs(90 * DAY)));
    }

    #[test]
    fn each_step_that_is_missed_is_a_warning() {
        let late = zone(&[(DelegationState::Active, 70, 100)]);
        let overdue = status(&late, &renewal(&late), &[]).warnings(at(NOW));
        assert!(overdue[0].contains("no signer has"), "{overdue:?}");
        let failing = Renewal {
            attempts: 7,
            failing_since: Some(at(NOW - DAY)),
            error: Some("the CA is away".to_owned()),
            ..renewal(&late)
        };
        let failing = status(&late, &failing, &[]).warnings(at(NOW));
        assert_eq!(failing.len(), 1);
        assert!(
            failing[0].ends_with("(7 tries): the CA is away"),
            "{failing:?}"
        );
        let soaked = zone(&[
            (DelegationState::Active, 70, 100),
            (DelegationState::Next, 3, 100),
        ]);
        let waiting = Waiting {
            zone: soaked.zone.clone(),
            slot: 2,
            nodes: vec!["signer-2".to_owned()],
        };
        let waits = status(&soaked, &renewal(&soaked), &[waiting]).warnings(at(NOW));
        assert!(
            waits[0].ends_with("its key is not on signer-2"),
            "{waits:?}"
        );
        let short = zone(&[(DelegationState::Active, 1, 7)]);
        let short = status(&short, &renewal(&short), &[]).warnings(at(NOW));
        assert!(short[0].contains("are short"), "{short:?}");
    }

    #[test]
    fn a_candidate_is_active_as_soon_as_it_is_needed_soaked_or_not() {
        let zone = |age| {
            zone(&[
                (DelegationState::Active, age, 30),
                (DelegationState::Next, 0, 100),
            ])
        };
        // Two days from now there are 15 left of the first, and 6 of the second.
        let soaks = zone(13);
        let status = status(&soaks, &renewal(&soaks), &[]);
        let text = format!("can be active from {} on", Moment(at(NOW + 2 * DAY)));
        assert!(status.to_string().ends_with(&text), "{status}");
        let needed = zone(22);
        let until = needed.active().unwrap().issues_until();
        assert!(until < at(NOW + 2 * DAY));
        let status = Status::of(
            &needed,
            Some(&renewal(&needed)),
            &[],
            66,
            dc_core::DEFAULT_LIFETIME,
            at(NOW),
        );
        let text = format!("becomes active at {}, because", Moment(until));
        assert!(status.to_string().contains(&text), "{status}");
        assert_eq!(status.candidate.unwrap().soaked_at, until);
    }

    #[test]
    fn a_certificate_that_is_imported_late_is_no_order_that_was_missed() {
        let mut late = zone(&[(DelegationState::Active, 70, 100)]);
        late.delegations[0].since = at(NOW - 60);
        let status = status(&late, &renewal(&late), &[]);
        assert_eq!(status.warnings(at(NOW)), Vec::<String>::new());
        assert!(status.to_string().contains("within a minute"), "{status}");
        assert_eq!(status.order_at, Some(at(NOW - 60)));
    }

    #[test]
    fn what_is_on_record_of_the_certificate_before_is_not_said_of_the_new_one() {
        let before = zone(&[(DelegationState::Active, 70, 100)]);
        let failing = Renewal {
            failing_since: Some(at(NOW - DAY)),
            ..renewal(&before)
        };
        let now = zone(&[
            (DelegationState::Active, 70, 100),
            (DelegationState::Next, 0, 100),
        ]);
        assert_eq!(status(&now, &failing, &[]).failing_since, None);
    }
}
