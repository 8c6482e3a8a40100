//! The operations, each with its statements, and the store that runs and times them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::connection::{Database, Session};
use super::seen::Seen;
use super::{Act, Error, schema};
use crate::registry::{CodeId, Device, DeviceId, Head, PendingCode, Sha256};

mod add;
mod approvals;
mod archived;
mod archives;
mod asked;
mod at_once;
mod audit;
mod codes;
mod derived;
mod derived_devices;
mod derived_issues;
mod derived_lives;
mod derived_lost;
mod derived_names;
mod derived_part;
mod derived_people;
mod derived_secrets;
mod derived_slots;
mod devices;
mod ended;
mod evidence;
mod findings;
mod fleet;
mod four_eyes;
mod free_space;
mod given;
mod group;
mod issues;
mod jobs;
mod limits;
mod listing;
mod lost;
mod noted;
mod older;
mod operators;
mod origin;
mod pages;
mod people;
mod promises;
mod queue;
mod queues;
mod record;
mod renewals;
mod replay;
mod replays;
mod replicas;
mod rows;
mod search;
mod shared;
mod shared_delegations;
mod shared_secrets;
mod slots;
mod snapshot;
mod standing;
mod times;
mod turns;
mod whole_zones;
mod withdrawn;
mod witnessed;
mod work;
mod zones;

pub use archives::KeptHash;
use asked::{Answered, Asked, DeviceAsks, DeviceGets, Probe, What};
pub use audit::Beside;
pub use ended::EndedBy;
pub use evidence::AuditTree;
pub use findings::{Acknowledged, Finding, Findings};
use pages::Replica;
use queue::{Queue, closed};
pub use search::{AuditFilter, AuditPage};
use shared::Shared;
pub use shared_secrets::SecretChange;
pub(crate) use times::Times;
pub use times::{Ahead, StepsBack};
pub use witnessed::{Progress, Walked};
use work::{Signer, Work};

/// Is told how long each operation of a [`Store`] took, by the name of its method.
pub trait Observer: std::fmt::Debug + Send + Sync {
    /// An operation has ended, in whatever way.
    fn done(&self, operation: &'static str, took: Duration);
}

/// The signer's database.
///
/// Every call fails with [`Error::Unavailable`] or [`Error::CannotWrite`] if the database cannot do
/// its work now, which a later call may find mended, and with [`Error::Database`] or
/// [`Error::Corrupt`] if it holds what this version did not write. What the domain forbids is
/// [`Error::Refused`]; then nothing was changed.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    /// Enrols devices, and records credentials.
    recorder: Queue<DeviceAsks, DeviceGets>,
    /// Adds and changes devices, and keeps codes, for operators: no device waits for a list of thousands.
    changer: Queue<Asked, Answered>,
    /// Finds devices by their enrolment keys.
    finder: Queue<Sha256, Option<Device>>,
    /// The same by their ids.
    id_finder: Queue<DeviceId, Option<Device>>,
    /// Finds activation codes.
    code_finder: Queue<CodeId, Option<PendingCode>>,
    /// Where people's pages are read from.
    replica: Option<Replica>,
    observer: Option<Arc<dyn Observer>>,
}

impl Store {
    /// Fails with [`Error::SchemaTooOld`], [`Error::SchemaUnknown`] and [`Error::SchemaChanged`].
    pub(super) async fn open(
        database: Database,
        read: Option<Database>,
        node: &str,
        seen: Option<Seen>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self, Error> {
        schema::check(&database).await?;
        // Before anything is read that a view could be in the place of.
        database.watch().await?;
        let store = Self {
            replica: read.map(Replica::new),
            ..Self::over(database, node, seen, observer)
        };
        match store.shared.compare().await {
            // It can be looked at, and brought up.
            Ok(()) | Err(Error::OlderThanSeen { .. }) => Ok(store),
            Err(error) => Err(error),
        }
    }

    /// One over a database that was looked at.
    fn over(
        database: Database,
        node: &str,
        seen: Option<Seen>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        let shared = Arc::new(Shared {
            database,
            signer: Signer {
                node: node.into(),
                sound: Arc::default(),
                has_details: Arc::default(),
            },
            seen: seen.map(Arc::new),
            failed: false.into(),
        });
        Self {
            recorder: queues::recorder(Arc::clone(&shared)),
            changer: queues::changer(Arc::clone(&shared)),
            finder: queues::finder(Arc::clone(&shared)),
            id_finder: queues::id_finder(Arc::clone(&shared)),
            code_finder: queues::code_finder(Arc::clone(&shared)),
            shared,
            replica: None,
            observer,
        }
    }

    /// Runs an operation in a transaction that writes, unless the database is an older copy; commits if it succeeds, and
    /// rolls back if it fails.
    async fn write<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut Work) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let written = self.timed(operation, self.shared.write(work)).await;
        self.has_changed();
        written
    }

    /// Runs an operation together with those of others who ask at the same time.
    async fn ask(&self, operation: &'static str, what: What, by: &Act) -> Result<Answered, Error> {
        let by = by.clone();
        let is_somebodys = Act::is_somebodys(&by.actor);
        let asked = Asked { what, by };
        if !is_somebodys {
            // Devices read nothing back.
            let granted = self.recorder.ask(DeviceAsks::Change(asked));
            return match self.timed(operation, granted).await? {
                DeviceGets::Answered(answered) => Ok(answered),
                DeviceGets::Recorded(_) => Err(closed()),
            };
        }
        let answered = self.timed(operation, self.changer.ask(asked)).await;
        self.has_changed();
        answered
    }

    /// Runs an operation that reads, each statement for itself.
    async fn read<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let read = async { work(&mut self.shared.database.read().await?).await };
        self.timed(operation, read).await
    }

    /// Runs an operation that reads, all its statements from the database as it is now.
    async fn snapshot<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.timed(operation, self.shared.in_snapshot(work)).await
    }

    async fn timed<T>(&self, operation: &'static str, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        if let Some(observer) = &self.observer {
            observer.done(operation, began.elapsed());
        }
        done
    }

    /// Writes a consistent copy of the database to a file that does not exist yet, while others work.
    ///
    /// Fails with [`Error::BackupElsewhere`] on PostgreSQL, and with [`Error::BackupExists`].
    pub async fn backup(&self, to: &Path) -> Result<(), Error> {
        self.timed("backup", self.shared.database.back_up(to)).await
    }

    /// Reads every page of the database, and compares each index with its table.
    ///
    /// On SQLite alone: a server does the first by itself, if its data folder was made with checksums, and has `amcheck` for the
    /// second. Fails with [`Error::BadPages`].
    pub async fn check_pages(&self) -> Result<(), Error> {
        self.timed("check_pages", self.shared.database.check_pages())
            .await
    }

    /// Reads every page of the database, then does what [`Self::verify_audit`] does.
    pub async fn check(&self) -> Result<Head, Error> {
        let checked = async {
            self.shared.database.check_pages().await?;
            let verifying = async |session: &mut Session| {
                audit::verify(session, Beside::default(), &|_| ()).await
            };
            self.shared.in_snapshot(verifying).await?.into_result()
        };
        self.timed("check", checked).await
    }

    /// Checks that the database answers and lets this process write, and that credentials are recorded.
    ///
    /// With `free_space`, also that so many bytes can be written: what a write that failed has left of its
    /// space is enough for a small one.
    pub async fn ping(&self, free_space: usize) -> Result<(), Error> {
        self.timed("ping", self.try_to_write(free_space)).await
    }

    async fn try_to_write(&self, free_space: usize) -> Result<(), Error> {
        self.recorder.check()?;
        self.shared.database.watch().await?;
        self.shared.compare().await?;
        if free_space > 0 {
            free_space::try_out(&self.shared, free_space).await?;
        }
        // Only a write that is committed shows that writing works.
        let node = &self.shared.signer.node;
        self.shared.write_job(&Probe { node }).await?;
        self.shared.keep_seen().await;
        Ok(())
    }

    /// True if a write has failed because the database cannot write, since this was asked last.
    #[must_use]
    pub fn could_not_write(&self) -> bool {
        self.shared.failed.swap(false, Ordering::Relaxed)
    }

    /// Waits for what is being written and closes all connections.
    pub async fn close(&self) {
        if let Some(store) = self.replica.as_ref().and_then(Replica::store) {
            store.close_this().await;
        }
        self.close_this().await;
    }

    async fn close_this(&self) {
        let closed = async {
            self.changer.stop().await;
            self.recorder.stop().await;
            self.finder.stop().await;
            self.id_finder.stop().await;
            self.code_finder.stop().await;
            // What cannot be asked any more is as it was when it was last seen.
            let _ = self.shared.compare().await;
            self.shared.keep_seen().await;
            self.shared.database.close().await;
        };
        self.timed("close", closed).await;
    }
}
