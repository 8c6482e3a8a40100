//! Whether the database is as new as this signer knows it: what keeps an older copy from being used.

use std::sync::Arc;

use crate::registry::Record;
use crate::store::Error;
use crate::store::seen::Seen;
use crate::store::sql::{Database, Session};

use super::work::Work;
use super::{Engine, audit};

impl<D: Database> Engine<D> {
    /// A transaction that writes, unless the database is an older copy.
    pub(super) async fn begin(&self) -> Result<Work<D::Session>, Error> {
        begin(&*self.database, &self.node, self.seen.as_deref()).await
    }

    /// Fails with [`Error::OlderThanSeen`] if the database was last found to be an older copy.
    pub(super) fn check_seen(&self) -> Result<(), Error> {
        self.seen.as_ref().map_or(Ok(()), |seen| seen.check())
    }

    /// Compares the log with what was seen of it.
    pub(super) async fn compare(&self) -> Result<(), Error> {
        match &self.seen {
            Some(seen) => compare(&*self.database, seen).await,
            None => Ok(()),
        }
    }

    /// Whether the log has come to what was seen with these records behind its end. If not, it is an older copy still, and
    /// what it would be brought up to next no longer continues it.
    pub(super) async fn check_reached(
        &self,
        work: &mut Work<D::Session>,
        newer: &[Record],
    ) -> Result<(), Error> {
        let Some(known) = self.seen.as_ref().and_then(|seen| seen.newest()) else {
            return Ok(());
        };
        let is_it = |record: &Record| record.seq == known.seq && record.hash() == known.hash;
        if newer.iter().any(is_it) || audit::has(&mut work.session, &known).await? {
            return Ok(());
        }
        Err(Error::OlderThanSeen {
            known: known.seq,
            found: newer.last().map_or(work.head.seq, |record| record.seq),
        })
    }

    /// Keeps how far the log is.
    pub(super) async fn keep_seen(&self) {
        if let Some(seen) = self.seen.clone() {
            // It fails only if it panicked, and then it is not kept.
            let _ = tokio::task::spawn_blocking(move || seen.write()).await;
        }
    }
}

/// A transaction that writes, unless the database is an older copy than was seen.
pub(super) async fn begin<D: Database>(
    database: &D,
    node: &Arc<str>,
    seen: Option<&Seen>,
) -> Result<Work<D::Session>, Error> {
    let Some(seen) = seen else {
        return Work::begin(database, node).await;
    };
    seen.check()?;
    let known = seen.newest();
    let mut work = Work::begin(database, node).await?;
    let is_newest = match known {
        // The end itself, or else a record before it, which the log must still have.
        Some(known) if known.seq == work.head.seq => Ok(known == work.head),
        Some(known) if work.head.seq > known.seq => audit::has(&mut work.session, &known).await,
        Some(_) => Ok(false),
        None => Ok(true),
    };
    match is_newest {
        Ok(true) => Ok(work),
        // It was put there since: nothing is added to it.
        Ok(false) => {
            let found = work.head.seq;
            work.session.roll_back().await;
            compare(database, seen).await?;
            let known = known.map_or(0, |known| known.seq);
            Err(Error::OlderThanSeen { known, found })
        }
        Err(error) => {
            work.session.roll_back().await;
            Err(error)
        }
    }
}

async fn compare<D: Database>(database: &D, seen: &Seen) -> Result<(), Error> {
    seen.look_again()?;
    // Before the end is read, which may only be a later one.
    let known = seen.newest();
    let mut session = database.read().await?;
    let end = audit::end(&mut session).await?;
    match known {
        Some(known) if !audit::has(&mut session, &known).await? => {
            seen.is_older(end.seq);
            seen.check()
        }
        _ => {
            seen.follow(end);
            Ok(())
        }
    }
}
