//! Reading for people from a replica: pages, lists, searches, exports and verifying the log. What decides anything reads from the
//! primary.
//!
//! A replica is used while it answers and is not behind: it has replayed all that the primary has written, or something that the primary
//! wrote less than [`MAX_LAG`] ago. After somebody has changed something here, it has to have the end of the log as the primary has it
//! then, so whoever changed it reads it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, timeout};

use crate::connection::{Database, Row, Session};
use crate::{Error, Servers, Store};

/// The replica of a store.
#[derive(Debug)]
pub(super) struct Replica {
    /// How it is opened, once it answers.
    database: Mutex<Option<Database>>,
    store: OnceCell<Box<Store>>,
    looked: Mutex<Looked>,
    /// Set while somebody may have changed something that it need not have yet; also before the first look, because another process may
    /// have.
    changed: AtomicBool,
}

/// The findings of the last look.
#[derive(Debug, Default)]
struct Looked {
    at: Option<Instant>,
    /// How many records it has, if it is not behind.
    records: Option<u64>,
    /// How many it has to have.
    needed: u64,
    /// The reason that it is not used, as the log was told.
    why_not: Option<String>,
}

impl Replica {
    /// One that is looked at when somebody reads.
    pub(super) fn new(database: Database) -> Self {
        Self {
            database: Some(database).into(),
            store: OnceCell::new(),
            looked: Mutex::default(),
            changed: true.into(),
        }
    }

    /// The store over it, if it was ever opened.
    pub(super) fn store(&self) -> Option<&Store> {
        self.store.get().map(|store| &**store)
    }
}

impl Store {
    /// How the database's servers stand; none if it has one or is a file.
    pub async fn servers(&self) -> Result<Option<Servers>, Error> {
        let asked = async {
            match &self.shared.database {
                Database::Postgres(database) => database.servers().await,
                Database::Sqlite(_) => Ok(None),
            }
        };
        self.timed("servers", asked).await
    }

    /// Says that something was changed, or may have been: from now on the replica has to have it.
    pub(super) fn has_changed(&self) {
        if let Some(replica) = &self.replica {
            replica.changed.store(true, Ordering::Relaxed);
        }
    }

    /// The store to read from for people: the replica, if there is one that answers and is not behind, or else this one.
    ///
    /// Everything that was changed through this store before is there.
    pub async fn pages(&self) -> &Self {
        self.pages_with(0).await
    }

    /// The same, if it has this record of the audit log.
    pub async fn pages_with(&self, seq: u64) -> &Self {
        let Some(replica) = &self.replica else {
            return self;
        };
        // While somebody looks, which may take its time, the others do not wait for it.
        let Ok(mut looked) = replica.looked.try_lock() else {
            return self;
        };
        if replica.is_to_be_looked_at(&looked, seq) {
            self.take_a_look(replica, &mut looked).await;
        }
        let has_all = |records: &u64| *records >= looked.needed.max(seq);
        match (looked.records.filter(has_all), replica.store()) {
            (Some(_), Some(store)) => store,
            _ => self,
        }
    }

    /// Looks at the replica, if there is one, and says why it is not read from.
    ///
    /// To be called every few seconds: one that was of no use is not read from before it was looked at here.
    pub async fn replica(&self) -> Option<Result<(), String>> {
        let replica = self.replica.as_ref()?;
        let mut looked = replica.looked.lock().await;
        self.take_a_look(replica, &mut looked).await;
        Some(looked.why_not.clone().map_or(Ok(()), Err))
    }

    async fn take_a_look(&self, replica: &Replica, looked: &mut Looked) {
        let late = || Err(format!("no answer within {} s", LIMIT.as_secs()));
        let found = timeout(LIMIT, self.look_at(replica, looked)).await;
        let found = found.unwrap_or_else(|_| late());
        looked.at = Some(Instant::now());
        looked.records = found.as_ref().ok().copied();
        looked.tell(found.err());
    }

    /// How many records the replica has. Fails with the reason that it cannot be read from.
    async fn look_at(&self, replica: &Replica, looked: &mut Looked) -> Result<u64, String> {
        // A copy that somebody has put back is no better on a replica, and the log says so already.
        self.shared
            .check_seen()
            .map_err(|error| error.to_string())?;
        let changed = replica.changed.swap(false, Ordering::Relaxed);
        let there = async { end(&mut self.shared.database.read().await?).await };
        let primary = match there.await {
            Ok(primary) => primary,
            Err(error) => {
                replica.changed.fetch_or(changed, Ordering::Relaxed);
                return Err(format!("the primary does not say how far it is: {error}"));
            }
        };
        if changed {
            looked.needed = primary.records;
        }
        let found = async {
            let store = replica.opened(self).await?;
            end(&mut store.shared.database.read().await?).await
        };
        let found = found.await.map_err(|error| error.to_string())?;
        found.is_fresh(&primary)?;
        Ok(found.records)
    }
}

impl Replica {
    fn is_to_be_looked_at(&self, looked: &Looked, seq: u64) -> bool {
        match (looked.at, looked.records) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(at), Some(records)) => {
                self.changed.load(Ordering::Relaxed)
                    || records < looked.needed.max(seq)
                    || at.elapsed() >= AGAIN
            }
        }
    }

    /// The store over the replica, which is opened when it is first reached.
    async fn opened(&self, of: &Store) -> Result<&Store, Error> {
        let opened = self.store.get_or_try_init(async || {
            let mut database = self.database.lock().await;
            let Some(reached) = &*database else {
                return Err(super::queue::closed());
            };
            crate::schema::check(reached).await?;
            reached.watch().await?;
            let database = database.take().ok_or_else(super::queue::closed)?;
            let node = &of.shared.signer.node;
            let observer = of.observer.clone();
            Ok(Box::new(Store::over(database, node, None, observer)))
        });
        opened.await.map(|store| &**store)
    }
}

impl Looked {
    /// The log is told once when it is not used, and once when it is again.
    fn tell(&mut self, why_not: Option<String>) {
        match (&self.why_not, &why_not) {
            (None, Some(why_not)) => {
                tracing::warn!(target: LOG, "the replica is not read from, but the primary: {why_not}");
            }
            (Some(_), None) => tracing::info!(target: LOG, "the replica is read from again"),
            _ => {}
        }
        self.why_not = why_not;
    }
}

/// How far a server is.
struct End {
    records: u64,
    /// The place in what it writes ahead, in bytes.
    written: i64,
    /// Set for a standby: the seconds since the primary made the last commit that it has.
    behind: Option<i64>,
    is_standby: bool,
}

impl End {
    fn is_fresh(&self, primary: &Self) -> Result<(), String> {
        let has_all = self.written >= primary.written && self.records >= primary.records;
        let limit = MAX_LAG.as_secs();
        match self.behind {
            _ if has_all => Ok(()),
            Some(behind) if u64::try_from(behind).unwrap_or(0) <= limit => Ok(()),
            Some(behind) => Err(format!(
                "it is {behind} s behind the primary, and more than {limit} s are too much"
            )),
            None if self.is_standby => {
                Err("it has replayed nothing since it was started".to_owned())
            }
            None => Err("it is no standby, and has not what the primary has".to_owned()),
        }
    }
}

async fn end(session: &mut Session) -> Result<End, Error> {
    let row = session.fetch_one(END, Vec::new()).await?;
    let row: Row = row.ok_or(Error::Corrupt {
        place: "audit_head",
    })?;
    Ok(End {
        records: row.number("seq")?,
        written: row.number("written")?,
        behind: row.maybe_int("behind")?,
        is_standby: row.flag("standby")?,
    })
}

const END: &str = "SELECT seq, pg_is_in_recovery()::int::bigint AS standby, \
     (COALESCE(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, \
     '0/0'::pg_lsn) - '0/0'::pg_lsn)::bigint AS written, \
     (CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM clock_timestamp() \
     - pg_last_xact_replay_timestamp()) END)::bigint AS behind FROM audit_head WHERE one = 1";
/// The most that a replica may be behind.
const MAX_LAG: Duration = Duration::from_secs(30);
/// For how long a look counts.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(2);
/// The target of its lines in the log: filters that name the signer hold for its database as well.
const LOG: &str = "dc_signer::store";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_fresh_if_it_has_all_or_something_of_the_last_half_minute() {
        let primary = End {
            records: 7,
            written: 700,
            behind: None,
            is_standby: false,
        };
        let standby = |written, behind| End {
            records: 6,
            written,
            behind,
            is_standby: true,
        };
        for (written, behind, words) in [
            (600, Some(0), None),
            (600, Some(30), None),
            // Its clock may be behind.
            (600, Some(-3), None),
            (600, Some(31), Some("31 s behind")),
            (600, None, Some("replayed nothing")),
        ] {
            let said = standby(written, behind).is_fresh(&primary).err();
            assert_eq!(said.is_some(), words.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(words.unwrap_or_default()));
        }
        // Nothing was written for an hour, and it has all of it.
        let idle = End {
            records: 7,
            ..standby(700, Some(3600))
        };
        assert_eq!(idle.is_fresh(&primary), Ok(()));
        // A primary of former days goes on by itself.
        let other = End {
            records: 6,
            written: 900,
            behind: None,
            is_standby: false,
        };
        let said = other.is_fresh(&primary).unwrap_err();
        assert!(said.contains("no standby"), "{said}");
    }
}
