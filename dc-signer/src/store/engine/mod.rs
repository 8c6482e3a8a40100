//! The store over any database that speaks SQL: what each operation does, once for all of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pki_types::UnixTime;

use super::seen::Seen;
use super::sql::{Database, Session};
use super::{
    Act, Added, Answer, BroughtUp, Error, Filter, Find, Fleet, History, Issuance, Keep, Kept,
    Listed, NewDevice, NewSlot, NewZone, Page, Recorded, Redeemed, Redemption, Replica, Report,
    Retention, ServerClock, Store, Tidied, WithdrawnNames, schema,
};
use crate::registry::{
    self, Access, Change, CodeId, Device, DeviceId, Forms, Head, ManagedZone, Operator,
    OperatorName, PendingCode, Record, Sha256, SlotState,
};
use dc_pki::names::Zone;

mod add;
mod audit;
mod codes;
mod devices;
mod fleet;
mod group;
mod issues;
mod known;
mod lost;
mod older;
mod operators;
mod queue;
mod record;
mod replay;
mod replicas;
mod room;
mod rows;
mod withdrawn;
mod work;
mod zones;

use queue::Queue;
use work::Work;

/// The store over one kind of database.
#[derive(Debug)]
pub(super) struct Engine<D: Database> {
    database: Arc<D>,
    /// How the audit log calls this signer.
    node: Arc<str>,
    /// How far the log has been, for whoever keeps that.
    seen: Option<Arc<Seen>>,
    /// Records credentials.
    recorder: Queue<Issuance, Recorded>,
    /// Finds devices by their enrolment keys.
    finder: Queue<Sha256, Option<Device>>,
}

impl<D: Database> Engine<D> {
    /// Fails with [`Error::SchemaTooOld`] and [`Error::SchemaUnknown`].
    pub(super) async fn open(database: D, node: &str, seen: Option<Seen>) -> Result<Self, Error> {
        schema::check(&database).await?;
        let database = Arc::new(database);
        let (node, seen): (Arc<str>, _) = (node.into(), seen.map(Arc::new));
        let engine = Self {
            recorder: recorder(Arc::clone(&database), Arc::clone(&node), seen.clone()),
            finder: finder(Arc::clone(&database)),
            database,
            node,
            seen,
        };
        match engine.compare().await {
            // It can be looked at, and brought up.
            Ok(()) | Err(Error::OlderThanSeen { .. }) => Ok(engine),
            Err(error) => Err(error),
        }
    }
}

/// A lookup is much shorter than a commit, so without a pace hardly any two would share one.
const LOOKUP_PACE: Duration = Duration::from_millis(3);

/// The disk takes less of this for a commit than the processor does for all around it, so under load more shall share
/// one; devices that renew once in days do not notice.
const RECORD_PACE: Duration = Duration::from_millis(20);

fn recorder<D: Database>(
    database: Arc<D>,
    node: Arc<str>,
    seen: Option<Arc<Seen>>,
) -> Queue<Issuance, Recorded> {
    Queue::start(RECORD_PACE, move |issuances: Vec<Issuance>| {
        let (database, node, seen) = (Arc::clone(&database), Arc::clone(&node), seen.clone());
        async move { group::record_all(&*database, &node, seen.as_deref(), &issuances).await }
    })
}

async fn find_by_keys<D: Database>(
    database: &D,
    keys: &[Sha256],
) -> Result<HashMap<Sha256, Result<Device, Error>>, Error> {
    devices::find_by_keys(&mut database.look().await?, keys).await
}

fn finder<D: Database>(database: Arc<D>) -> Queue<Sha256, Option<Device>> {
    Queue::start(LOOKUP_PACE, move |keys: Vec<Sha256>| {
        let database = Arc::clone(&database);
        async move {
            match find_by_keys(&*database, &keys).await {
                Ok(found) => keys
                    .iter()
                    .map(|key| found.get(key).cloned().transpose())
                    .collect(),
                Err(error) => vec![Err(error); keys.len()],
            }
        }
    })
}

#[async_trait]
impl<D: Database> Store for Engine<D> {
    async fn add_devices(&self, new: &[NewDevice], by: &Act) -> Result<Vec<Added>, Error> {
        let mut work = self.begin().await?;
        let added = add::add(&mut work, new, by).await;
        work.end(added).await
    }

    async fn find_device(&self, by: &Find) -> Result<Option<Device>, Error> {
        match by {
            Find::Key(key) => self.finder.ask(*key).await,
            by => devices::find(&mut self.database.read().await?, by).await,
        }
    }

    async fn list_devices(&self, filter: &Filter, page: &Page) -> Result<Listed, Error> {
        devices::list(&mut self.database.read().await?, filter, page).await
    }

    async fn change_device(
        &self,
        device: DeviceId,
        change: &Change,
        by: &Act,
    ) -> Result<Device, Error> {
        let mut work = self.begin().await?;
        let changed = devices::change(&mut work, device, change, by).await;
        work.end(changed).await
    }

    async fn history(&self, device: DeviceId, limit: u32) -> Result<History, Error> {
        issues::history(&mut self.database.snapshot().await?, device, limit).await
    }

    async fn put_codes(
        &self,
        codes: &[PendingCode],
        keep: Keep,
        by: &Act,
    ) -> Result<Vec<Result<Kept, registry::Error>>, Error> {
        let mut work = self.begin().await?;
        let put = codes::put(&mut work, codes, keep, by).await;
        work.end(put).await
    }

    async fn find_code(&self, code: CodeId) -> Result<Option<PendingCode>, Error> {
        codes::find(&mut self.database.read().await?, code).await
    }

    async fn redeem_code(&self, redemption: &Redemption, by: &Act) -> Result<Redeemed, Error> {
        let mut work = self.begin().await?;
        let redeemed = codes::redeem(&mut work, redemption, by).await;
        work.end(redeemed).await
    }

    async fn record(&self, issuance: Issuance) -> Result<Recorded, Error> {
        self.recorder.ask(issuance).await
    }

    async fn find_answer(
        &self,
        device: DeviceId,
        key: &Sha256,
        now: UnixTime,
    ) -> Result<Option<Answer>, Error> {
        record::find_answer(&mut self.database.read().await?, device, key, now).await
    }

    async fn add_zone(&self, zone: &NewZone, by: &Act) -> Result<(), Error> {
        let mut work = self.begin().await?;
        let added = zones::add(&mut work, zone, by).await;
        work.end(added).await
    }

    async fn zones(&self) -> Result<Vec<ManagedZone>, Error> {
        zones::all(&mut self.database.snapshot().await?).await
    }

    async fn set_forms(&self, zone: &Zone, forms: Forms, by: &Act) -> Result<(), Error> {
        let mut work = self.begin().await?;
        let set = zones::set_forms(&mut work, zone, forms, by).await;
        work.end(set).await
    }

    async fn pull_renewals(
        &self,
        zone: &Zone,
        issued_before: Option<UnixTime>,
        by: &Act,
    ) -> Result<(), Error> {
        let mut work = self.begin().await?;
        let pulled = zones::pull_renewals(&mut work, zone, issued_before, by).await;
        work.end(pulled).await
    }

    async fn import_slot(&self, slot: &NewSlot, by: &Act) -> Result<u32, Error> {
        let mut work = self.begin().await?;
        let imported = zones::import_slot(&mut work, slot, by).await;
        work.end(imported).await
    }

    async fn move_slot(
        &self,
        zone: &Zone,
        number: u32,
        to: SlotState,
        by: &Act,
    ) -> Result<ManagedZone, Error> {
        let mut work = self.begin().await?;
        let moved = zones::move_slot(&mut work, zone, number, to, by).await;
        work.end(moved).await
    }

    async fn withdrawn(&self, zone: &Zone, now: UnixTime) -> Result<WithdrawnNames, Error> {
        // Whoever believes an older list believes names that were withdrawn.
        self.check_seen()?;
        withdrawn::list(&mut self.database.snapshot().await?, zone, now).await
    }

    async fn fleet(&self, now: UnixTime) -> Result<Fleet, Error> {
        fleet::count(&mut self.database.snapshot().await?, now).await
    }

    async fn count_refused(&self, refused: &[(&str, u64)], now: UnixTime) -> Result<(), Error> {
        let mut work = self.begin().await?;
        let counted = fleet::count_refused(&mut work, refused, now).await;
        work.end(counted).await
    }

    async fn put_operator(&self, operator: &Operator, by: &Act) -> Result<(), Error> {
        let mut work = self.begin().await?;
        let put = operators::put(&mut work, operator, by).await;
        work.end(put).await
    }

    async fn disable_operator(&self, name: &OperatorName, by: &Act) -> Result<(), Error> {
        let mut work = self.begin().await?;
        let disabled = operators::disable(&mut work, name, by).await;
        work.end(disabled).await
    }

    async fn find_operator(&self, access: &Access) -> Result<Option<Operator>, Error> {
        operators::find(&mut self.database.read().await?, access).await
    }

    async fn operators(&self) -> Result<Vec<Operator>, Error> {
        operators::all(&mut self.database.read().await?).await
    }

    async fn audit_head(&self) -> Result<Head, Error> {
        audit::end(&mut self.database.read().await?).await
    }

    async fn audit_from(&self, seq: u64, limit: u32) -> Result<Vec<Record>, Error> {
        audit::from(&mut self.database.read().await?, seq, limit).await
    }

    async fn verify_audit(&self) -> Result<Head, Error> {
        audit::verify(&mut self.database.snapshot().await?).await
    }

    async fn accept_older(&self, by: &Act) -> Result<Head, Error> {
        let mut work = Work::begin(&*self.database, &self.node).await?;
        let accepted = older::accept(&mut work, by).await;
        let head = work.end(accepted).await?;
        if let Some(seen) = &self.seen {
            seen.accept(head)?;
        }
        Ok(head)
    }

    async fn is_newest(&self) -> Result<(), Error> {
        self.compare().await
    }

    async fn replay(&self, newer: &[Record], by: &Act) -> Result<BroughtUp, Error> {
        let mut work = Work::begin(&*self.database, &self.node).await?;
        let replayed = match replay::replay(&mut work, newer, by).await {
            Ok(replayed) => self
                .check_reached(&mut work, newer)
                .await
                .map(|()| replayed),
            Err(error) => Err(error),
        };
        work.end(replayed).await
    }

    async fn tidy(&self, now: UnixTime, retention: &Retention) -> Result<Tidied, Error> {
        self.check_seen()?;
        fleet::tidy(&*self.database, &self.node, now, retention).await
    }

    async fn backup(&self, to: &Path) -> Result<(), Error> {
        self.database.back_up(to).await
    }

    async fn check(&self) -> Result<Head, Error> {
        self.database.check_pages().await?;
        self.verify_audit().await
    }

    async fn ping(&self, room: usize) -> Result<(), Error> {
        self.recorder.check()?;
        self.compare().await?;
        if room > 0 {
            room::try_out(&*self.database, &self.node, room).await?;
        }
        let mut work = self.begin().await?;
        // Only a write that is committed shows that writing works.
        let sql = "UPDATE audit_head SET seq = seq WHERE one = 1";
        let written = work.session.execute(sql, Vec::new()).await.map(|_| ());
        work.end(written).await?;
        self.keep_seen().await;
        Ok(())
    }

    async fn clock(&self) -> Result<Option<ServerClock>, Error> {
        replicas::clock(&mut self.database.read().await?).await
    }

    async fn report(&self, report: &Report, now: UnixTime) -> Result<(), Error> {
        replicas::report(&*self.database, &self.node, report, now).await
    }

    async fn replicas(&self, now: UnixTime) -> Result<Vec<Replica>, Error> {
        replicas::all(&mut self.database.read().await?, now).await
    }

    async fn close(&self) {
        self.recorder.stop().await;
        self.finder.stop().await;
        // What cannot be asked any more is as it was when it was last seen.
        let _ = self.compare().await;
        self.keep_seen().await;
        self.database.close().await;
    }
}
