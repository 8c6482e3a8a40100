//! Whether the database is as new as this signer knows it: what keeps an older copy from being used.

use crate::registry::{Head, Record};
use crate::store::sql::{Database, Session};
use crate::store::{Error, Recorded};

use super::work::Work;
use super::{Engine, audit};

impl<D: Database> Engine<D> {
    /// A transaction that writes, unless the database is an older copy.
    pub(super) async fn begin(&self) -> Result<Work<D::Session>, Error> {
        self.check_seen()?;
        let known = self.seen.as_ref().and_then(|seen| seen.newest());
        let work = Work::begin(&*self.database, &self.node).await?;
        match known {
            // It was put there since: nothing is added to it.
            Some(known) if work.head.seq < known.seq => {
                work.session.roll_back().await;
                self.compare().await?;
                Err(Error::OlderThanSeen {
                    known: known.seq,
                    found: work.head.seq,
                })
            }
            _ => Ok(work),
        }
    }

    /// Fails with [`Error::OlderThanSeen`] if the database was last found to be an older copy.
    pub(super) fn check_seen(&self) -> Result<(), Error> {
        self.seen.as_ref().map_or(Ok(()), |seen| seen.check())
    }

    /// Compares the log with what was seen of it.
    pub(super) async fn compare(&self) -> Result<(), Error> {
        let Some(seen) = &self.seen else {
            return Ok(());
        };
        seen.look_again()?;
        // Before the end is read, which may only be a later one.
        let known = seen.newest();
        let mut session = self.database.read().await?;
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

    /// A record that is not behind what was seen before it was made is in an older copy, which was put there since.
    pub(super) async fn check_recorded(
        &self,
        before: Option<Head>,
        recorded: &Recorded,
    ) -> Result<(), Error> {
        match (before, recorded) {
            (Some(before), Recorded::Now { seq, .. }) if *seq <= before.seq => self.compare().await,
            _ => Ok(()),
        }
    }
}
