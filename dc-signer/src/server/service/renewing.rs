//! The renewal of delegation certificates beside the requests: a look every minute, and what the metrics and the log say of it.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::{MissedTickBehavior, interval};

use super::settings::Current;
use crate::authority::Authority;
use crate::config::Config;
use crate::renewal::ca::Ca;
use crate::renewal::{Renewer, Status};
use crate::server::telemetry::{Metrics, RenewalProgress};
use dc_pki::clock;
use dc_store::Store;

/// The renewal of zones that have a CA.
#[derive(Debug)]
pub(super) struct Renewing {
    renewer: Renewer,
    store: Arc<Store>,
    authority: Arc<Authority>,
    metrics: Arc<Metrics>,
    settings: Current,
}

impl Renewing {
    /// Fails with [`dc_pki::Error::Randomness`].
    pub(super) fn new(
        started: &Config,
        store: Arc<Store>,
        authority: Arc<Authority>,
        metrics: Arc<Metrics>,
        settings: Current,
    ) -> Result<Self, dc_pki::Error> {
        let current = settings.clone();
        Ok(Self {
            renewer: Renewer {
                authority: authority.clone(),
                store: store.clone(),
                data: started.data.clone(),
                id: dc_pki::random()?,
                settings: settings.part(|settings| &settings.renewal),
                cas: Arc::new(move |zone| Ca::of(&current.load().config, zone)),
                // A clock that says nothing is one that cannot be right, and nothing is done then.
                clock: Arc::new(|| clock::now().unwrap_or(EPOCH)),
                draws: Arc::new(draw),
            },
            store,
            authority,
            metrics,
            settings,
        })
    }

    /// Goes on for ever.
    pub(super) async fn run(self) {
        let mut each_minute = interval(MINUTE);
        each_minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Vec::new();
        loop {
            each_minute.tick().await;
            // An order may take an hour, and what is known is said meanwhile.
            self.tell(&mut told).await;
            let looking = self.renewer.look();
            tokio::pin!(looking);
            loop {
                tokio::select! {
                    looked = &mut looking => {
                        if let Err(error) = looked {
                            tracing::warn!(%error, "the delegation certificates cannot be looked after");
                        }
                        break;
                    }
                    _ = each_minute.tick() => self.tell(&mut told).await,
                }
            }
        }
    }

    async fn tell(&self, told: &mut Vec<String>) {
        let Ok(now) = clock::now() else { return };
        let config = self.settings.load().config.clone();
        let waiting = self.authority.waiting();
        let statuses = match Status::all(&config, &self.store, &waiting, now).await {
            Ok(statuses) => statuses,
            Err(error) => {
                tracing::debug!(%error, "it is not known how far the renewals are");
                return;
            }
        };
        let progress: Vec<_> = statuses.iter().map(progress).collect();
        self.metrics.set_renewals(&progress);
        let lines = statuses.iter().flat_map(|status| status.warnings(now));
        let lines: Vec<String> = lines.collect();
        for line in lines.iter().filter(|line| !told.contains(line)) {
            tracing::warn!("{line}");
        }
        *told = lines;
        let json = |status: &Status| (status.zone.to_string(), status.to_json(now));
        self.authority
            .tell_renewals(statuses.iter().map(json).collect());
    }
}

fn progress(status: &Status) -> RenewalProgress {
    let candidate = status.candidate.as_ref();
    let lacking = candidate.map_or(0, |candidate| candidate.lacking.len());
    RenewalProgress {
        zone: status.zone.to_string(),
        order_at: status.order_at.map_or(0, |at| at.as_secs()),
        attempts: status.attempts.into(),
        failing_since: status.failing_since.map_or(0, |since| since.as_secs()),
        soaked_at: candidate.map_or(0, |candidate| candidate.soaked_at.as_secs()),
        lacking: u64::try_from(lacking).unwrap_or(u64::MAX),
    }
}

/// Without randomness all waits are as long as they can be.
fn draw() -> u32 {
    let mut bytes = [0xff; 4];
    let _ = SystemRandom::new().fill(&mut bytes);
    u32::from_be_bytes(bytes)
}

const EPOCH: pki_types::UnixTime = pki_types::UnixTime::since_unix_epoch(Duration::ZERO);
const MINUTE: Duration = Duration::from_secs(60);
