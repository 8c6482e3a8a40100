//! The use cases of devices and operators, over the database and without HTTP.
//!
//! Each use case has its file. A credential is approved, signed, verified and on record before it is returned.

mod acts;
mod algorithms;
mod answer;
pub mod approvals;
mod audit;
mod away;
pub mod backup;
mod backup_error;
mod blocking;
mod both_forms;
mod by_hand;
pub mod claim;
mod clock_agrees;
mod clones;
mod codes;
pub mod csv;
pub mod database;
mod delegations;
mod devices;
mod effect;
mod ended;
mod ends;
mod enrol;
mod error;
mod fleet;
mod folders;
mod four_eyes;
pub mod grants;
mod guard;
mod hardware;
mod import;
mod issue;
mod issuing_status;
pub mod json;
mod kind;
mod left;
mod left_behind;
mod loaded;
mod manufacturers;
mod may_enrol;
mod missing;
mod new_access;
pub mod operators;
mod pauses;
mod places;
pub mod policy;
mod promise;
pub mod reads;
mod record;
mod renew;
mod replicas;
mod rollover;
mod same_node;
pub mod secrets;
mod servers_alone;
mod settings;
mod setup;
mod shared_delegations;
mod slots;
#[cfg(test)]
pub(crate) mod tests;
mod view;
mod withdrawn;
mod zones;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pki_types::UnixTime;

pub use acts::Visit;
pub(crate) use acts::by_signer;
pub use both_forms::BothFormsWarning;
pub use clock_agrees::clock_agrees;
pub use ended::Untold;
pub use ends::EndedByNobody;
pub use error::Error;
pub(crate) use folders::{ACCOUNT, accounts_folder, delegation_folder, delegations_folder};
pub use guard::{ClockError, Skew};
pub use import::{Import, Imported};
pub use issue::{AsClient, Reply};
pub use issuing_status::{IssuingStatus, KeyStatus, ZoneStatus};
pub use missing::{Missing, Waiting};
pub use operators::Authenticated;
pub use rollover::Step;
pub use rollover::active_by;
pub use same_node::{SameNodeWarning, of_one_name};
pub use secrets::Secrets;
pub use secrets::{Exported, Rotation, Secured};
pub use servers_alone::ServersAloneWarning;
pub use settings::Settings;
pub use setup::SetupError;
pub use withdrawn::{AlsoSigned, CompactList, ListError, SignedList, WithdrawnList, WithdrawnName};

use crate::config::{Config, Live};
use blocking::Blocking;
pub use dc_store::{
    Act, Counted, Filter, Find, Fleet, History, Issue, Listed, NewZone, Page, ZoneCount,
};
use dc_store::{ServerClock, Store};
use delegations::Delegations;
use guard::Guard;
use json::ZoneRenewal;
use replicas::Me;
use same_node::Heard;
use secrets::Keyring;
use view::View;
use withdrawn::Lists;

/// The signer's use cases.
pub struct Authority {
    store: Arc<Store>,
    settings: Live<Settings>,
    delegations: Delegations,
    checks: Blocking,
    signing: Blocking,
    guard: Guard,
    lists: Lists,
    secrets: Keyring,
    me: Me,
    heard: Heard,
    /// How far the renewals are, as whoever renews has said last.
    renewals: ArcSwap<BTreeMap<String, ZoneRenewal>>,
}

impl Authority {
    /// Opens a signer: reads its secrets, from the database or its data folder, or makes them if the database is new, and loads the keys of its zones.
    ///
    /// A slot whose key is not on this machine stops nobody else; [`Self::missing`] has it. Fails with
    /// [`SetupError::MissingSecrets`] if the database was used and the secrets are gone, with
    /// [`SetupError::OtherThanDatabase`] if it was used with others, with
    /// [`Error::Store`], and with what reading files fails with.
    pub async fn open(config: &Config, store: Arc<Store>) -> Result<Self, Error> {
        let settings = Live::fixed(Settings::new(config)?);
        Self::open_with(config, settings, store).await
    }

    /// The same, with settings that may change.
    ///
    /// Fails as [`Self::open`] does.
    pub async fn open_with(
        config: &Config,
        settings: Live<Settings>,
        store: Arc<Store>,
    ) -> Result<Self, Error> {
        let now = dc_pki::clock::now()?;
        let latest = last_record(&store).await?;
        let trace = guard::trace(&store, &config.node, latest, now).await?;
        let me = Me::new()?;
        let sealing = secrets::sealing_keys(config).await?;
        let is_new = latest.is_none();
        let authority = Self {
            secrets: Keyring::open(config, sealing.clone(), &store, is_new, now).await?,
            settings,
            delegations: Delegations::new(config, me, sealing),
            checks: Blocking::checks(),
            signing: Blocking::signatures(),
            guard: Guard::new(trace, now),
            lists: Lists::default(),
            me,
            heard: Heard::default(),
            renewals: ArcSwap::default(),
            store,
        };
        authority.hear_clock().await?;
        authority.delegations.refresh(&authority.store).await?;
        Ok(authority)
    }

    /// Looks at what could be issued with a configuration and its database, and at which signing processes do not know that a slot has
    /// ended; changes nothing.
    ///
    /// Fails with [`Error::Store`].
    pub async fn look(
        config: &Config,
        store: &Store,
    ) -> Result<(IssuingStatus, Vec<Missing>, Vec<Untold>), Error> {
        let now = dc_pki::clock::now()?;
        let latest = last_record(store).await?;
        let guard = Guard::new(guard::trace(store, &config.node, latest, now).await?, now);
        guard.hear(store.clock().await?);
        guard.leave_alone();
        let sealing = secrets::sealing_keys(config).await?;
        let delegations = Delegations::new(config, Me::new()?, sealing);
        let view = delegations.refresh(store).await?;
        let status = IssuingStatus {
            ended_by_nobody: ended::by_nobody(store, &view).await?,
            ..IssuingStatus::of(&view, guard.check(now), now)
        };
        let here = (&*config.data, delegations.unlock());
        let untold = ended::not_told(store, &view, here, now).await?;
        Ok((status, delegations.missing(), untold))
    }

    /// Takes the secrets as the database has them now: to be called every few seconds, for a signer that nobody asks for anything.
    ///
    /// Fails with [`Error::Store`], and with [`SetupError::SecretsNotHere`] if this process cannot open them.
    pub async fn keep_secrets(&self) -> Result<(), Error> {
        self.secrets.now(&self.store).await.map(|_| ())
    }

    /// Asks the database's clock, if it has one, and believes it more than this machine's: to be called every few seconds.
    ///
    /// Fails with [`Error::Store`].
    pub async fn hear_clock(&self) -> Result<Option<ServerClock>, Error> {
        let said = self.store.clock().await?;
        self.guard.hear(said);
        Ok(said)
    }

    /// From now on nobody sits before it: a start long after everything that is on record is doubted for some minutes.
    pub fn leave_alone(&self) {
        self.guard.leave_alone();
    }

    /// Reads zones and keys again, and accepts the clock as it is now, unless the database server's says something else.
    ///
    /// Fails with what reading files fails with, and with [`Error::Store`]; then nothing has changed.
    pub async fn reload(&self) -> Result<(), Error> {
        self.delegations.refresh(&self.store).await?;
        self.hear_clock().await?;
        self.guard.settle(dc_pki::clock::now()?);
        Ok(())
    }

    /// Takes this time for right, although it is not what was expected: for whoever has just set the clock. A database server
    /// whose clock says something else is heard again at the next [`Self::hear_clock`].
    pub fn accept_clock(&self, now: UnixTime) {
        self.guard.accept(now);
    }

    /// Tells how long each signature of a delegation key takes, from now on; whoever was named first stays.
    pub fn time_signatures(&self, listener: impl Fn(Duration) + Send + Sync + 'static) {
        self.delegations.timing().tell(listener);
    }

    /// The clock's error, by what can be known of it here.
    #[must_use]
    pub fn clock_skew(&self, now: UnixTime) -> Skew {
        self.guard.skew(now)
    }

    /// The zones as they are, or were a few seconds ago. A clock that cannot be right moves no slot.
    async fn view(&self, now: UnixTime) -> Result<Arc<View>, Error> {
        let now = self.guard.check(now).is_ok().then_some(now);
        self.delegations.current(&self.store, now).await
    }

    /// Says how far the renewals of delegation certificates are, by zone.
    pub fn tell_renewals(&self, renewals: BTreeMap<String, ZoneRenewal>) {
        self.renewals.store(Arc::new(renewals));
    }

    /// How far the renewals of delegation certificates are, by zone, where the service orders by itself.
    #[must_use]
    pub fn renewals(&self) -> Arc<BTreeMap<String, ZoneRenewal>> {
        self.renewals.load_full()
    }

    /// Slots that are to be used and whose key is not on this machine.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.delegations.missing()
    }

    /// Slots that would be active if every signer could sign with them.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        self.delegations.waiting()
    }
}

/// Looks whether a signer with this configuration has the key-encryption key, and changes nothing.
///
/// Fails as [`Authority::open`] does.
pub(crate) async fn look_at_key(config: &Config) -> Result<(), Error> {
    secrets::sealing_keys(config).await.map(|_| ())
}

/// Looks whether a signer with this configuration can open the secrets of its database, and changes nothing.
///
/// Fails as [`Authority::open`] does.
pub(crate) async fn look_at_secrets(config: &Config, store: &Store) -> Result<(), Error> {
    let is_new = last_record(store).await?.is_none();
    Keyring::look(config, store, is_new).await
}

/// When the last record of the audit log was made, if there is one.
async fn last_record(store: &Store) -> Result<Option<UnixTime>, Error> {
    let head = store.audit_head().await?;
    let last = store.audit_from(head.seq, 1).await?;
    Ok(last.first().map(|record| record.entry.time))
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            store,
            settings: _,
            delegations: _,
            checks: _,
            signing: _,
            guard: _,
            lists: _,
            secrets: _,
            me: _,
            heard: _,
            renewals: _,
        } = self;
        f.debug_struct("Authority")
            .field("store", store)
            .finish_non_exhaustive()
    }
}
