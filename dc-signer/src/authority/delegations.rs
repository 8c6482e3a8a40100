//! The zones and their loaded keys: a view of the database that is never older than a few seconds while the database answers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pki_types::UnixTime;
use tokio::sync::Mutex;

use super::acts::by_signer;
use super::away::{self, Away, promises_of};
use super::blocking::Blocking;
use super::ended::Untolds;
use super::ends::Ends;
use super::folders::delegation_folder;
use super::loaded::Loaded;
use super::missing::{Missing, Waiting};
use super::places::Places;
use super::promise::{self, Promise};
use super::replicas::{self, Me};
use super::view::{View, ZoneView, is_used};
use super::{Error, by_hand, left_behind, rollover, shared_delegations};
use crate::config::Config;
use dc_pki::delegation::{self, has_key};
use dc_pki::keys::{Timing, Unlock};
use dc_pki::names::ZoneName;
use dc_pki::sealing::SealingKeys;
use dc_store::Store;
use dc_store::registry::{Sha256, SharedDelegation, Zone, ZoneDelegation};

/// All zones with their keys.
#[derive(Debug)]
pub(super) struct Delegations {
    pub(super) data: PathBuf,
    view: ArcSwap<View>,
    /// Whoever has it reads the database; the others go on with what they have.
    refreshing: Mutex<()>,
    /// A key did not sign: whoever asks next looks anew.
    doubted: AtomicBool,
    timing: Timing,
    unlock: Unlock,
    pub(super) ends: Ends,
    pub(super) untold: Untolds,
    places: Places,
    /// None if nothing can be opened that is sealed in the database.
    sealing: Option<Arc<SealingKeys>>,
    tenant: String,
    loading: Blocking,
    me: Me,
}

impl Delegations {
    pub(super) fn new(config: &Config, me: Me, sealing: Option<Arc<SealingKeys>>) -> Self {
        Self {
            sealing,
            tenant: config.tenant.clone(),
            data: config.data.clone(),
            unlock: config.keys.unlock.clone(),
            view: ArcSwap::default(),
            refreshing: Mutex::new(()),
            doubted: AtomicBool::new(false),
            timing: Timing::default(),
            ends: Ends::default(),
            untold: Untolds::default(),
            places: Places::default(),
            loading: Blocking::one(),
            me,
        }
    }

    /// The listener that its keys tell how long signatures take.
    pub(super) fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The passphrase of keys that are encrypted.
    pub(super) fn unlock(&self) -> &Unlock {
        &self.unlock
    }

    /// The zones as they are, or were a few seconds ago. Moves slots on whose time has come, if there is a time that can be
    /// relied on.
    ///
    /// Fails with [`Error::Store`] if the database has not answered for a minute.
    pub(super) async fn current(
        &self,
        store: &Store,
        now: Option<UnixTime>,
    ) -> Result<Arc<View>, Error> {
        let view = self.view.load_full();
        let age = view.taken.map(|taken| taken.elapsed());
        if age.is_some_and(|age| age < FRESH) && !self.doubted.load(Ordering::Relaxed) {
            return Ok(view);
        }
        let busy = self.refreshing.try_lock();
        let _mine = match busy {
            Ok(mine) => mine,
            Err(_) if age.is_some_and(|age| age < STALE) => return Ok(view),
            Err(_) => self.refreshing.lock().await,
        };
        match self.read(store, now).await {
            // What is signed must be recorded before it leaves, so a database that is down refuses later.
            Err(error) if error.is_temporary() && age.is_some_and(|age| age < STALE) => Ok(view),
            read => read,
        }
    }

    /// Reads the zones now; moves no slot.
    ///
    /// Fails as the store does.
    pub(super) async fn refresh(&self, store: &Store) -> Result<Arc<View>, Error> {
        let _mine = self.refreshing.lock().await;
        self.read(store, None).await
    }

    /// Reads the zones now, and moves on the slots whose time has come.
    ///
    /// Fails as the store does.
    pub(super) async fn keep(&self, store: &Store, now: UnixTime) -> Result<Arc<View>, Error> {
        let _mine = self.refreshing.lock().await;
        self.read(store, Some(now)).await
    }

    /// Has the keys looked at before the next answer: one did not sign.
    pub(super) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    async fn read(&self, store: &Store, now: Option<UnixTime>) -> Result<Arc<View>, Error> {
        let mut view = self.load(store).await?;
        let moved = match now {
            Some(now) => self.move_on(store, &view, now).await?,
            None => Moved::default(),
        };
        if moved.some {
            view = self.load(store).await?;
        }
        view.waiting = match now {
            Some(_) => moved.waiting,
            None => self.view.load().waiting.clone(),
        };
        if now.is_some() {
            self.places.remember(&view, &self.data);
        }
        let view = Arc::new(view);
        self.view.store(view.clone());
        Ok(view)
    }

    /// Loads the keys that are not loaded yet, off the threads that answer: each signs a credential. Of the others it looks which
    /// are away.
    async fn load(&self, store: &Store) -> Result<View, Error> {
        let zones = store.zones().await?;
        self.doubted.store(false, Ordering::Relaxed);
        let old = self.view.load_full();
        let away = away::look(promises_of(&old, &zones)).await;
        let mut shared = HashMap::new();
        for zone in &zones {
            for slot in &zone.delegations {
                let sha256 = slot.certificate_sha256;
                let is_away = away.contains_key(&(zone.zone.to_string(), sha256));
                if is_used(slot)
                    && (old.opened_for(&sha256).is_none() || is_away)
                    && let Some(one) = store.shared_delegation(&sha256).await?
                {
                    shared.insert(sha256, one);
                }
            }
        }
        let loader = self.loader(away, shared);
        let mut view = self.loading.run(move || loader.load(zones)).await?;
        left_behind::mark(store, &mut view.zones).await?;
        Ok(view)
    }

    /// Loads a key that nothing is to be issued from yet; it signs a credential that nobody gets, and its process would issue what
    /// the zone promises.
    ///
    /// Fails with what reading its files or the database and signing fails with.
    pub(super) async fn try_key(
        &self,
        store: &Store,
        zone: &Zone,
        certificate_sha256: Sha256,
    ) -> Result<Arc<Loaded>, Error> {
        let shared = store.shared_delegation(&certificate_sha256).await?;
        let shared = shared.map(|one| (certificate_sha256, one));
        let loader = self.loader(Away::new(), shared.into_iter().collect());
        let promise = Promise::of(zone);
        let trying = move || {
            let key = loader.open(&promise.zone, certificate_sha256)?;
            promise.try_with(&key)?;
            Ok(key)
        };
        self.loading.run(trying).await?
    }

    fn loader(&self, away: Away, shared: HashMap<Sha256, SharedDelegation>) -> Loader {
        Loader {
            old: self.view.load_full(),
            away,
            shared,
            sealing: self.sealing.clone(),
            tenant: self.tenant.clone(),
            data: self.data.clone(),
            timing: self.timing.clone(),
            unlock: self.unlock.clone(),
        }
    }

    /// The folder of a delegation certificate and its key.
    pub(super) fn folder(&self, certificate_sha256: &Sha256) -> PathBuf {
        delegation_folder(&self.data, certificate_sha256)
    }

    pub(super) fn missing(&self) -> Vec<Missing> {
        let view = self.view.load();
        let zones = view.zones.iter();
        zones
            .flat_map(|zone| zone.missing.iter().cloned())
            .collect()
    }

    pub(super) fn waiting(&self) -> Vec<Waiting> {
        self.view.load().waiting.clone()
    }

    pub(super) fn seen(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Moves on what is due, as far as the other signers can follow.
    async fn move_on(
        &self,
        store: &Store,
        view: &View,
        now: UnixTime,
    ) -> Result<Moved, dc_store::Error> {
        let mut moved = Moved::default();
        let due = |zone: &ZoneView| rollover::due(zone, now);
        if view.zones.iter().all(|zone| due(zone).is_empty()) {
            return Ok(moved);
        }
        let others = replicas::others(store, self.me, now).await?;
        let by = by_signer(now);
        let held = by_hand::held(store, view).await?;
        for zone in &view.zones {
            moved
                .waiting
                .extend(by_hand::waits_for_two(zone, &held, now));
            for step in rollover::due_but(zone, &held, now) {
                let (number, to) = step.target();
                let nodes = match zone
                    .managed
                    .delegations
                    .iter()
                    .find(|slot| slot.number == number)
                {
                    Some(slot) if rollover::waits(&zone.managed, step, now) => {
                        replicas::without(&others, slot)
                    }
                    _ => Vec::new(),
                };
                if !nodes.is_empty() {
                    moved.waiting.push(Waiting {
                        zone: zone.managed.zone.clone(),
                        slot: number,
                        nodes,
                    });
                    continue;
                }
                match store
                    .move_delegation(&zone.managed.zone, number, to, &by)
                    .await
                {
                    Ok(_) => {
                        tracing::info!(zone = %zone.managed.zone, slot = number, state = %to, "a slot moved on");
                        moved.some = true;
                    }
                    // Another signer was faster.
                    Err(dc_store::Error::Refused { .. }) => moved.some = true,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(moved)
    }
}

/// Loads keys that an older view has not.
struct Loader {
    old: Arc<View>,
    away: Away,
    /// Those of them that are in the database.
    shared: HashMap<Sha256, SharedDelegation>,
    sealing: Option<Arc<SealingKeys>>,
    tenant: String,
    data: PathBuf,
    timing: Timing,
    unlock: Unlock,
}

impl Loader {
    fn load(&self, zones: Vec<Zone>) -> View {
        let zones = zones.into_iter().map(|managed| {
            let mut view = ZoneView::of(managed);
            let used = view.managed.delegations.clone();
            for slot in used {
                if is_used(&slot) {
                    self.add(&mut view, &slot);
                }
            }
            view
        });
        View {
            zones: zones.collect(),
            waiting: Vec::new(),
            taken: Some(Instant::now()),
        }
    }

    /// Adds the key of a slot to its zone, or the reason that there is none.
    fn add(&self, view: &mut ZoneView, slot: &ZoneDelegation) {
        let sha256 = slot.certificate_sha256;
        let promise = Promise::of(&view.managed);
        let known = self.old.opened_for(&sha256);
        let away = self.away.get(&(promise.zone.to_string(), sha256));
        if let (Some(known), Some(error)) = (known, away)
            && !promise::is_of_role(error)
            && self.is_still_there(known)
        {
            let missing = Missing::new(&promise.zone, slot, error);
            view.away.push(known.clone());
            view.missing.push(missing);
            return;
        }
        let here = self.old.zone(&promise.zone).ok();
        // What a process issues for is asked when its key is opened.
        let is_as_before = here.is_none_or(|old| old.managed.roles == promise.roles);
        let known = known
            .filter(|key| away.is_none() && (is_as_before || !key.delegation.key().is_elsewhere()));
        let is_looked_at = here.is_some_and(|old| known.is_some() && old.has_opened(&sha256));
        let opened = known
            .cloned()
            .map_or_else(|| self.open(&promise.zone, sha256), Ok);
        let missing = |error| Missing::new(&promise.zone, slot, &error);
        match opened {
            Ok(key) if is_looked_at => view.loaded.push(key),
            Ok(key) => match promise.try_with(&key) {
                Ok(()) => view.loaded.push(key),
                Err(error) => {
                    view.missing.push(missing(error.into()));
                    view.away.push(key);
                }
            },
            Err(error) => view.missing.push(missing(error)),
        }
    }

    /// True unless somebody has said that a key is at another place now.
    fn is_still_there(&self, known: &Loaded) -> bool {
        let folder = delegation_folder(&self.data, &known.certificate_sha256);
        if self.shared.contains_key(&known.certificate_sha256)
            && has_key(&folder).is_ok_and(|here| !here)
        {
            return true;
        }
        let place = delegation::key_location(&folder);
        place.is_ok_and(|place| place == *known.delegation.key().location())
    }

    fn open(&self, zone: &ZoneName, certificate_sha256: Sha256) -> Result<Arc<Loaded>, Error> {
        let folder = delegation_folder(&self.data, &certificate_sha256);
        let (timing, unlock) = (&self.timing, &self.unlock);
        let loaded = match self.shared.get(&certificate_sha256) {
            Some(shared) if !has_key(&folder)? => {
                let pem = shared_delegations::open(shared, self.sealing.as_deref(), &self.tenant)?;
                let files = shared_delegations::files(&folder, shared, &pem);
                Loaded::of_files(&files, zone, certificate_sha256, timing, unlock)
            }
            _ => Loaded::open(&folder, zone, certificate_sha256, timing, unlock),
        };
        Ok(Arc::new(loaded?))
    }
}

/// The outcome for the slots that were due.
#[derive(Debug, Default)]
struct Moved {
    some: bool,
    waiting: Vec<Waiting>,
}

/// The greatest age of a view. A slot that drains may still sign for as long, and has more than a week left.
const FRESH: Duration = Duration::from_secs(2);
/// Its greatest age while the database does not answer.
const STALE: Duration = Duration::from_secs(60);
