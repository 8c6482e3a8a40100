//! Signers that renew by themselves, with a clock that the test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use pki_types::UnixTime;

use super::ca::TestCa;
use crate::authority::tests::bench::Bench;
use crate::authority::{Authority, NewZone};
use crate::config::{Config, Live};
use crate::renewal::ca::{Ca, Cas};
use crate::renewal::{Renewer, Settings};
use crate::testing::Database;
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};
use dc_store::registry::{Zone, ZoneDelegation};
use dc_store::{Act, Store};

/// A signer with its renewer.
pub(super) struct Signer {
    pub(super) authority: Arc<Authority>,
    pub(super) renewer: Renewer,
    pub(super) config: Config,
}

/// Two signers of one database.
pub(super) struct Rig {
    pub(super) clock: Arc<AtomicU64>,
    pub(super) store: Arc<Store>,
    pub(super) signers: [Signer; 2],
    _bench: tempfile::TempDir,
}

impl Rig {
    /// With these zones, each with its CA.
    pub(super) async fn new(
        database: &Database,
        clock: Arc<AtomicU64>,
        settings: &str,
        zones: &[(&str, Arc<TestCa>)],
    ) -> Self {
        let Bench {
            authority,
            store,
            config,
            folder,
            ..
        } = Bench::empty(database, settings).await;
        let now = time(clock.load(Ordering::SeqCst));
        authority.accept_clock(now);
        for (zone, _) in zones {
            let zone = NewZone {
                zone: name(zone),
                forms: Forms::Named,
                roles: Roles::Server,
            };
            authority.add_zone(&zone, &by(now)).await.unwrap();
        }
        let cas: Vec<_> = zones
            .iter()
            .map(|(zone, ca)| {
                let ca = Ca {
                    source: ca.clone(),
                    // What is wrong is found when it is imported, too.
                    check: Arc::new(|returned, _, _| Ok(returned.to_vec())),
                };
                (name(zone), ca)
            })
            .collect();
        let cas: Cas = Arc::new(move |zone: &ZoneName| {
            let found = cas.iter().find(|(of, _)| of == zone);
            found.map(|(_, ca)| ca.clone())
        });
        let other_config = Config {
            data: folder.path().join("other"),
            ..config.clone()
        };
        copy(&config.data, &other_config.data);
        let other_store = database.other().await;
        let other = Authority::open(&other_config, other_store.clone())
            .await
            .unwrap();
        other.accept_clock(now);
        let one = signer(authority, store.clone(), config, 1, &clock, cas.clone());
        let other = signer(other, other_store, other_config, 2, &clock, cas);
        Self {
            clock,
            store,
            signers: [one, other],
            _bench: folder,
        }
    }

    pub(super) fn now(&self) -> UnixTime {
        time(self.clock.load(Ordering::SeqCst))
    }

    /// Sets the clocks.
    pub(super) fn set(&self, now: u64) {
        self.clock.store(now, Ordering::SeqCst);
        for signer in &self.signers {
            signer.authority.accept_clock(time(now));
        }
    }

    /// The same, and keys are brought to whoever has not got them; true if there were such keys.
    pub(super) async fn keep_and_share(&self) -> bool {
        self.keep().await;
        self.share().await
    }

    /// Brings the keys to whoever has not got them.
    pub(super) async fn share(&self) -> bool {
        let mut some = false;
        let by = by(self.now());
        for (from, to) in [(0, 1), (1, 0)] {
            let (from, to) = (&self.signers[from], &self.signers[to]);
            for missing in to.authority.missing() {
                let slot = self.slot(&missing.zone, missing.slot).await;
                let folder = from.config.data.join("delegations");
                let folder = folder.join(slot.certificate_sha256.to_string());
                if !folder.join("key.pem").exists() {
                    continue;
                }
                let brought = to.authority.import_delegation(&missing.zone, &folder, &by);
                assert!(brought.await.unwrap().known);
                some = true;
            }
        }
        some
    }

    /// What the signers do every minute.
    pub(super) async fn keep(&self) {
        let now = self.now();
        for signer in &self.signers {
            signer.authority.report(now).await.unwrap();
        }
        for signer in &self.signers {
            signer.authority.keep_zones(now).await.unwrap();
        }
    }

    pub(super) async fn zone(&self, zone: &ZoneName) -> Zone {
        let zones = self.store.zones().await.unwrap().into_iter();
        zones.into_iter().find(|one| one.zone == *zone).unwrap()
    }

    async fn slot(&self, zone: &ZoneName, number: u32) -> ZoneDelegation {
        let slots = self.zone(zone).await.delegations.into_iter();
        slots
            .into_iter()
            .find(|slot| slot.number == number)
            .unwrap()
    }
}

fn signer(
    authority: Authority,
    store: Arc<Store>,
    config: Config,
    id: u8,
    clock: &Arc<AtomicU64>,
    cas: Cas,
) -> Signer {
    let (authority, clock) = (Arc::new(authority), clock.clone());
    let draws = AtomicU32::new(u32::from(id));
    Signer {
        renewer: Renewer {
            authority: authority.clone(),
            store,
            data: config.data.clone(),
            id: [id; 16],
            settings: Live::fixed(Settings::new(&config)),
            cas,
            clock: Arc::new(move || time(clock.load(Ordering::SeqCst))),
            // Spread, and the same in every run.
            draws: Arc::new(move || draws.fetch_add(0x9e37_79b9, Ordering::SeqCst)),
        },
        authority,
        config,
    }
}

pub(super) fn name(zone: &str) -> ZoneName {
    ZoneName::parse(zone).unwrap()
}

pub(super) fn time(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(super) fn by(at: UnixTime) -> Act {
    Act::new("operator:tester", at)
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    crate::authority::tests::bench::copy(from, to);
}
