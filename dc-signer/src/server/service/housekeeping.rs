//! Periodic work besides answering: looking after the database and counting the fleet.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use pki_types::UnixTime;
use tokio::time::{MissedTickBehavior, interval};

use super::people;
use super::settings::Current;
use crate::api::App;
use crate::authority::{self, Authority, BothFormsWarning, SameNodeWarning, ServersAloneWarning};
use crate::config::Retention;
use crate::server::telemetry::{self, DelegationExpiry, Metrics};
use dc_pki::clock;
use dc_store::registry::{DelegationState, Sha256, State, Zone};
use dc_store::{Fleet, Store};

/// The work beside the requests. Nothing of it stops the service when it fails.
#[derive(Debug)]
pub(super) struct Housekeeping {
    pub(super) store: Arc<Store>,
    pub(super) app: Arc<App>,
    pub(super) authority: Arc<Authority>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) settings: Current,
}

impl Housekeeping {
    /// Goes on for ever.
    pub(super) async fn run(self) {
        let [mut often, mut each_minute, mut each_hour, mut each_day] = [OFTEN, MINUTE, HOUR, DAY]
            .map(|period| {
                let mut interval = interval(period);
                // A machine that slept has nothing to catch up on.
                interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
                interval
            });
        // The start has warned already.
        each_day.reset();
        let mut told = Told::default();
        loop {
            tokio::select! {
                _ = often.tick() => self.look_around(&mut told).await,
                _ = each_minute.tick() => {
                    self.each_minute(&mut told).await;
                    self.compare_clocks().await;
                }
                _ = each_hour.tick() => {
                    told.missing.clear();
                    self.tidy().await;
                }
                _ = each_day.tick() => self.warn_of_ends().await,
            }
        }
    }

    /// Checks the database, the clock and what can be issued, for readiness, metrics and log; and the other
    /// signers are told when this one has other keys than before.
    async fn look_around(&self, told: &mut Told) {
        let works = self.app.try_storage().await;
        if works && let Err(error) = self.authority.hear_clock().await {
            tracing::debug!(%error, "the database does not say what time it is");
        }
        if works && let Err(error) = self.authority.keep_secrets().await {
            tracing::debug!(%error, "the secrets cannot be looked after");
        }
        if works {
            self.share_limits().await;
            self.measure_certificates().await;
            let replica = self.store.replica().await;
            self.metrics
                .set_replica(replica.is_none_or(|replica| replica.is_ok()));
        }
        self.app.refresh_readiness().await;
        self.tell_what_is_missing(told);
        if let Ok(now) = clock::now() {
            let status = self.authority.cached_issuing_status(now);
            tell_of_pauses(told, status.pausing(), now);
            tell_of_both_forms(told, status.both_forms);
            tell_of_servers_alone(told, status.servers_alone);
        }
        let is_news = told.keys.as_ref() != Some(&self.authority.keys());
        if works && (is_news || self.app.readiness().is_unreported()) {
            self.report(told).await;
        }
    }

    async fn share_limits(&self) {
        let Ok(now) = clock::now() else { return };
        if let Err(error) = self.app.share_limits(now).await {
            tracing::debug!(%error, "the other signers are not told how often devices came");
        }
    }

    /// Once an hour, and whenever it is something else: readiness tells strangers that the log says more.
    fn tell_what_is_missing(&self, told: &mut Told) {
        let missing = self.authority.missing();
        let missing = missing.iter().map(ToString::to_string);
        let waiting = self.authority.waiting();
        let lines: Vec<String> = missing
            .chain(waiting.iter().map(ToString::to_string))
            .collect();
        if told.missing != lines {
            lines.iter().for_each(|line| tracing::warn!("{line}"));
            told.missing = lines;
        }
    }

    async fn report(&self, told: &mut Told) {
        let Ok(now) = clock::now() else { return };
        let keys = self.authority.keys();
        match self.authority.report(now).await {
            Ok(()) => {
                told.keys = Some(keys);
                told.unreported = None;
                self.app.readiness().reported(true);
            }
            Err(error) => {
                let text = error.to_string();
                if told.unreported.as_ref() != Some(&text) {
                    tracing::warn!(%error, "the other signers are not told what this one can do");
                    told.unreported = Some(text);
                }
                if error.is_of_broken_database() {
                    self.app.readiness().reported(false);
                }
            }
        }
        self.app.refresh_readiness().await;
    }

    async fn each_minute(&self, told: &mut Told) {
        let Ok(now) = clock::now() else { return };
        if let Err(error) = self.authority.keep_zones(now).await {
            tracing::warn!(%error, "the zones cannot be looked after");
        }
        self.metrics.set_untold(self.authority.untold().len());
        self.report(told).await;
        self.look_for_twins(told, now).await;
        if let Err(error) = self.app.tidy(now).await {
            tracing::warn!(%error, "the refused requests cannot be counted");
        }
        if let Err(error) = self.count_fleet().await {
            tracing::warn!(%error, "the fleet cannot be counted");
        }
        match self.authority.record_four_eyes(now).await {
            Ok(Some(policy)) => {
                tracing::info!(%policy, "from now on these acts take two operators, whatever a configuration says");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "what takes two operators cannot be recorded"),
        }
        self.look_at_servers(told).await;
        let known = &mut told.broken_glass;
        let looked = people::look_after(&self.authority, &self.metrics, known, now);
        if let Err(error) = looked.await {
            tracing::warn!(%error, "the operators cannot be looked after");
        }
    }

    /// Once for each warning about the database's servers, as long as it is so.
    async fn look_at_servers(&self, told: &mut Told) {
        match self.store.servers().await {
            Ok(servers) => {
                self.metrics.set_servers(servers.as_ref());
                let found = servers.map(|servers| servers.warnings());
                let found = found.unwrap_or_default();
                warn_of_new(&found, &told.servers);
                told.servers = found;
            }
            Err(error) => tracing::debug!(%error, "the database's servers do not answer"),
        }
    }

    /// Once for each set of signers with one name, as long as it is so.
    async fn look_for_twins(&self, told: &mut Told, now: UnixTime) {
        match self.authority.same_node(now).await {
            Ok(found) if found == told.same_node => {}
            Ok(found) => {
                if let Some(warning) = &found {
                    tracing::error!("{warning}");
                }
                told.same_node = found;
            }
            Err(error) => tracing::debug!(%error, "the other signers cannot be read"),
        }
    }

    /// Once a day, what will stop the service if nobody does anything.
    async fn warn_of_ends(&self) {
        let Ok(now) = clock::now() else { return };
        if let Some(warning) = self.app.certificate_warning(now) {
            tracing::warn!("{warning}");
        }
        if let Err(error) = people::warn_of_ends(&self.authority, now).await {
            tracing::debug!(%error, "the operators cannot be read");
        }
        if let Ok(status) = self.authority.issuing_status(now).await {
            for ending in status.ending(now) {
                tracing::warn!("{ending}");
            }
        }
    }

    async fn compare_clocks(&self) {
        let Ok(now) = clock::now() else { return };
        let skew = self.authority.clock_skew(now);
        self.metrics
            .set_clock_skew("start", seconds(skew.since_start));
        self.metrics
            .set_clock_skew("records", seconds(skew.records));
        match self.database_skew().await {
            Ok(Some(skew)) => self.metrics.set_clock_skew("database", skew),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the database does not say what time it is"),
        }
    }

    /// The seconds that this clock is ahead of the database's, if that is another.
    async fn database_skew(&self) -> Result<Option<f64>, super::Error> {
        let before = clock::precise()?;
        let there = self.store.clock().await?;
        // The answer was made at some time between.
        let here = (before + clock::precise()?) / 2;
        Ok(there.map(|there| here.as_secs_f64() - there.time.as_secs_f64()))
    }

    async fn count_fleet(&self) -> Result<(), authority::Error> {
        let fleet = self.store.pages().await.fleet(clock::now()?).await?;
        self.metrics.set_fleet(&summary(&fleet));
        Ok(())
    }

    /// As often as it is measured what can be signed with: the two are looked at together.
    async fn measure_certificates(&self) {
        match self.store.zones().await {
            Ok(zones) => self.metrics.set_certificates(&delegations(&zones)),
            Err(error) => tracing::debug!(%error, "the zones cannot be read"),
        }
    }

    async fn tidy(&self) {
        let Retention {
            issues, refused, ..
        } = self.settings.load().retention;
        let retention = dc_store::Retention { issues, refused };
        let Ok(now) = clock::now() else { return };
        // By a wrong clock everything has had its time.
        if let Some(clock) = self.authority.cached_issuing_status(now).clock {
            tracing::debug!(%clock, "nothing is removed");
            return;
        }
        match self.store.tidy(now, &retention).await {
            Ok(dc_store::Tidied {
                answers,
                codes,
                partitions,
            }) => tracing::debug!(answers, codes, partitions, "removed what had its time"),
            Err(error) => tracing::warn!(%error, "what had its time cannot be removed"),
        }
    }
}

/// Once for each zone when it begins, and once when it is over; the metrics have just been told the same.
fn tell_of_both_forms(told: &mut Told, both: Vec<BothFormsWarning>) {
    warn_of_new(&both, &told.both_forms);
    let is_over = |old: &&BothFormsWarning| both.iter().all(|warning| warning.zone != old.zone);
    for BothFormsWarning { zone, .. } in told.both_forms.iter().filter(is_over) {
        tracing::info!("all valid credentials of zone {zone} are of one form again");
    }
    told.both_forms = both;
}

/// At most once in ten minutes: with many devices there is one each minute. Readiness tells of the long ones.
fn tell_of_pauses(told: &mut Told, pausing: Vec<String>, now: UnixTime) {
    let quiet_until = told.paused.unwrap_or(0) + 600;
    if pausing.is_empty() || now.as_secs() < quiet_until {
        return;
    }
    pausing.iter().for_each(|pause| tracing::warn!("{pause}"));
    told.paused = Some(now.as_secs());
}

/// Once for each certificate, as long as it is so.
fn tell_of_servers_alone(told: &mut Told, found: Vec<ServersAloneWarning>) {
    warn_of_new(&found, &told.servers_alone);
    told.servers_alone = found;
}

fn warn_of_new<W: PartialEq + Display>(found: &[W], told: &[W]) {
    for warning in found.iter().filter(|new| !told.contains(new)) {
        tracing::warn!("{warning}");
    }
}

/// News that were told already.
#[derive(Debug, Default)]
struct Told {
    /// The keys that the other signers know this one to have.
    keys: Option<BTreeSet<Sha256>>,
    /// The reason that they could not be told when that was last tried.
    unreported: Option<String>,
    /// The acts without a credential.
    broken_glass: people::BrokenGlassTold,
    /// The log's lines on keys that are missing.
    missing: Vec<String>,
    /// The signers with this one's name, when it was looked last.
    same_node: Option<SameNodeWarning>,
    /// The zones that had credentials of both forms when it was looked last.
    both_forms: Vec<BothFormsWarning>,
    /// When it was last told that a signing process issues nothing for some seconds.
    paused: Option<u64>,
    /// The warnings about the database's servers, when it was looked last.
    servers: Vec<String>,
    /// The certificates for servers alone, in zones that issue for clients, when it was looked last.
    servers_alone: Vec<ServersAloneWarning>,
}

/// All zones together.
fn summary(fleet: &Fleet) -> telemetry::Fleet {
    let zones = || fleet.zones.values();
    let states = State::ALL.map(|state| {
        let counts = zones().map(|zone| zone.states.get(&state).copied().unwrap_or(0));
        (state.to_string(), counts.sum())
    });
    let expired = (0, zones().map(|zone| zone.expired).sum());
    let within = Fleet::WITHIN.iter().enumerate().map(|(place, within)| {
        let counts = zones().map(|zone| zone.expiring.get(place).copied().unwrap_or(0));
        (within.as_secs() / 3600, counts.sum())
    });
    telemetry::Fleet {
        states: states.into(),
        expiring: std::iter::once(expired).chain(within).collect(),
        clones: zones().map(|zone| zone.possible_clones).sum(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a clock that is off by 2^53 seconds may be off by one more"
)]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

fn delegations(zones: &[Zone]) -> Vec<DelegationExpiry> {
    let mut found = Vec::new();
    for zone in zones {
        let used = zone
            .delegations
            .iter()
            .filter(|delegation| delegation.state != DelegationState::Gone);
        found.extend(used.map(|delegation| DelegationExpiry {
            zone: zone.zone.to_string(),
            slot: delegation.number,
            state: delegation.state.to_string(),
            not_before: delegation.not_before.as_secs(),
            not_after: delegation.not_after.as_secs(),
        }));
    }
    found
}

const OFTEN: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use dc_store::ZoneCount;

    #[test]
    fn the_metrics_of_the_fleet_are_those_of_all_zones() {
        let count = ZoneCount {
            states: [(State::Active, 10)].into(),
            possible_clones: 1,
            expiring: [1, 2, 3, 4],
            expired: 5,
        };
        let mut fleet = Fleet::default();
        fleet
            .zones
            .insert("a.example.com".to_owned(), count.clone());
        fleet.zones.insert("b.example.com".to_owned(), count);
        let summary = summary(&fleet);
        assert!(summary.states.contains(&("active".to_owned(), 20)));
        assert!(summary.states.contains(&("retired".to_owned(), 0)));
        assert_eq!(
            summary.expiring,
            [(0, 10), (6, 2), (12, 4), (24, 6), (48, 8)]
        );
        assert_eq!(summary.clones, 2);
    }
}
