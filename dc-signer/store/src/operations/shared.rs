//! The state that all operations share, and the transactions that they run in: none writes to a database that is older than
//! this signer knows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Error;
use crate::connection::Database;
use crate::registry::{Head, Record};
use crate::seen::Seen;

use super::audit;
use super::work::{Signer, Work};

/// The database, and what this signer knows of it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) database: Database,
    /// This signer.
    pub(super) signer: Signer,
    /// How far the log has been, for whoever keeps that.
    pub(super) seen: Option<Arc<Seen>>,
    /// Set when a write fails because the database cannot write, until somebody asks.
    pub(super) failed: AtomicBool,
}

impl Shared {
    /// Runs `work` in a transaction that writes, unless the database is an older copy; commits if it succeeds, and rolls
    /// back if it fails.
    pub(super) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut Work) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let written = async { run(self.begin().await?, work).await };
        self.heed(written.await)
    }

    /// The same whether the database is an older copy or not.
    pub(super) async fn write_to_any<T>(
        &self,
        work: impl AsyncFnOnce(&mut Work) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let written = async { run(Work::begin(&self.database, &self.signer).await?, work).await };
        self.heed(written.await)
    }

    pub(super) fn heed<T>(&self, written: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::CannotWrite { .. }) = written {
            self.failed.store(true, Ordering::Relaxed);
        }
        written
    }

    async fn begin(&self) -> Result<Work, Error> {
        let Some(seen) = &self.seen else {
            return Work::begin(&self.database, &self.signer).await;
        };
        let known = self.known(seen).await?;
        let mut work = Work::begin(&self.database, &self.signer).await?;
        match goes_on(&mut work, known).await {
            Ok(true) => Ok(work),
            // It was put there since: nothing is added to it.
            Ok(false) => {
                let found = work.head.seq;
                work.session.roll_back().await;
                self.compare_with(seen).await?;
                let known = known.map_or(0, |known| known.seq);
                Err(Error::OlderThanSeen { known, found })
            }
            Err(error) => {
                work.session.roll_back().await;
                Err(error)
            }
        }
    }

    /// How far the log has been, as all processes know that share the data folder.
    async fn known(&self, seen: &Seen) -> Result<Option<Head>, Error> {
        seen.check()?;
        if seen.is_behind_file() {
            // Another process has seen more, which the log must have too.
            self.compare_with(seen).await?;
        }
        Ok(seen.newest())
    }

    /// The same for an operation that is planned: nothing is known if nobody keeps that.
    pub(super) async fn known_for_plan(&self) -> Result<Head, Error> {
        match &self.seen {
            Some(seen) => Ok(self.known(seen).await?.unwrap_or(Head::EMPTY)),
            None => Ok(Head::EMPTY),
        }
    }

    /// Fails with [`Error::OlderThanSeen`] if the database was last found to be an older copy.
    pub(super) fn check_seen(&self) -> Result<(), Error> {
        self.seen.as_ref().map_or(Ok(()), |seen| seen.check())
    }

    /// Compares the log with what was seen of it.
    ///
    /// Fails with [`Error::OlderThanSeen`].
    pub(super) async fn compare(&self) -> Result<(), Error> {
        match &self.seen {
            Some(seen) => self.compare_with(seen).await,
            None => Ok(()),
        }
    }

    async fn compare_with(&self, seen: &Seen) -> Result<(), Error> {
        seen.look_again()?;
        // Before the end is read, which may only be a later one.
        let known = seen.newest();
        let others = seen.others()?;
        let mut session = self.database.read().await?;
        let end = audit::end(&mut session).await?;
        if let Some(others) = others {
            match others.head {
                Some(head) if !audit::has(&mut session, &head).await? => {
                    seen.disagree(others, end.seq);
                    return seen.check();
                }
                _ => seen.agree(others),
            }
        }
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

    /// Checks that the log has come to what was seen with these records behind its end. If not, it is an older copy still, and
    /// what it would be brought up to next no longer continues it.
    pub(super) async fn check_reached(
        &self,
        work: &mut Work,
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

    /// Keeps how far the log is, once what another process has written is in it too.
    pub(super) async fn keep_seen(&self) {
        if let Some(seen) = self.seen.clone() {
            if seen.is_behind_file() && self.compare_with(&seen).await.is_err() {
                return;
            }
            // It fails only if it panicked, and then it is not kept.
            let _ = tokio::task::spawn_blocking(move || seen.write()).await;
        }
    }
}

async fn run<T>(
    mut transaction: Work,
    work: impl AsyncFnOnce(&mut Work) -> Result<T, Error>,
) -> Result<T, Error> {
    let result = work(&mut transaction).await;
    transaction.end(result).await
}

/// Checks that the log goes on from what was seen of it.
async fn goes_on(work: &mut Work, known: Option<Head>) -> Result<bool, Error> {
    match known {
        // The end itself, or else a record before it, which the log must still have.
        Some(known) if known.seq == work.head.seq => Ok(known == work.head),
        Some(known) if work.head.seq > known.seq => audit::has(&mut work.session, &known).await,
        Some(_) => Ok(false),
        None => Ok(true),
    }
}
