//! Reading and checking the audit log.

use std::path::PathBuf;

use dc_evidence::Checkpoint;

use crate::connection::Session;
use crate::registry::{self, Action, Head, Record, Sha256};
use crate::{Act, Error, Store};

use super::archived::{self, Walk};
use super::archives;
use super::derived::Derived;
use super::findings::{Finding, Findings, Found};
use super::rows;
use super::witnessed::{Progress, Walked, Witnessed};
use super::work::{HEAD, head};

/// Evidence that is not in the database, which it and its log are compared with.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Checkpoints of the log, in any order.
    pub checkpoints: Vec<Checkpoint>,
    /// The files of its archives, from the first record on and in their order.
    pub archives: Vec<PathBuf>,
}

impl Store {
    /// The end of the audit log.
    pub async fn audit_head(&self) -> Result<Head, Error> {
        self.read("audit_head", async |session| end(session).await)
            .await
    }

    /// Records from a sequence number on, at most `limit`.
    pub async fn audit_from(&self, seq: u64, limit: u32) -> Result<Vec<Record>, Error> {
        self.read("audit_from", async |session| {
            from(session, seq, limit).await
        })
        .await
    }

    /// Walks the whole audit log, and checks that the database is as it says: devices and their names, enrolment keys and codes,
    /// operators, zones and their delegation certificates, secrets, and the credentials that were issued.
    ///
    /// Returns the end of the log. Whoever can write the database can also write a whole new log: only
    /// [`Self::verify_audit_with`] notices that. Fails with the first thing that it finds and nobody has
    /// [acknowledged](Self::acknowledge): [`Error::Refused`] and [`AuditLink`](crate::registry::Error::AuditLink) or
    /// [`AuditSequence`](crate::registry::Error::AuditSequence), [`Error::NotAsAudited`] or [`Error::StateNotInAudit`].
    pub async fn verify_audit(&self) -> Result<Head, Error> {
        self.verify_audit_with(Vec::new(), &|_| ()).await
    }

    /// The same, and checks that the log was as these checkpoints of it say when they were signed; says how far it is after
    /// every 10,000 records, which are all that it has in memory.
    ///
    /// The more checkpoints, the closer the place is named where a log was rewritten. Fails with [`Error::Cut`] and
    /// [`Error::Rewritten`] too.
    pub async fn verify_audit_with(
        &self,
        checkpoints: Vec<Checkpoint>,
        progress: Progress<'_>,
    ) -> Result<Head, Error> {
        self.find_mismatches(checkpoints, progress)
            .await?
            .into_result()
    }

    /// The same, and goes on: says all that it finds, also what somebody has acknowledged.
    pub async fn find_mismatches(
        &self,
        checkpoints: Vec<Checkpoint>,
        progress: Progress<'_>,
    ) -> Result<Findings, Error> {
        let beside = Beside {
            checkpoints,
            ..Beside::default()
        };
        self.find_mismatches_beside(beside, progress).await
    }

    /// The same, with the files of the archives, if there are any: without them nothing is proved of the records within.
    ///
    /// Fails with [`Error::ArchiveFile`] if a file cannot be read or is not the next part of one log, and with
    /// [`Error::ArchivesEnd`] if more is archived than they have.
    pub async fn find_mismatches_beside(
        &self,
        beside: Beside,
        progress: Progress<'_>,
    ) -> Result<Findings, Error> {
        self.snapshot("verify_audit", async |session| {
            verify(session, beside, progress).await
        })
        .await
    }

    /// Records that somebody knows of a mismatch, and why it may stay: it is shown from then on, and makes nothing fail.
    ///
    /// One that somebody has acknowledged already stays as it is. A fault of the log itself cannot be acknowledged. Fails with [`Error::NoSuchMismatch`] if there is none like this.
    pub async fn acknowledge(&self, digest: &Sha256, by: &Act) -> Result<Finding, Error> {
        let all = self.find_mismatches(Vec::new(), &|_| ()).await?.first;
        let is_it = |one: &Finding| one.error.is_of_a_row() && one.place.digest() == *digest;
        let finding = all.into_iter().find(is_it).ok_or(Error::NoSuchMismatch)?;
        if finding.acknowledged.is_some() {
            return Ok(finding);
        }
        self.write("acknowledge", async |work| {
            let mut entry = work.entry(Action::Acknowledge, by);
            entry.detail_sha256 = Some(*digest);
            work.log(entry);
            Ok(())
        })
        .await?;
        Ok(finding)
    }
}

pub(super) async fn from(
    session: &mut Session,
    seq: u64,
    limit: u32,
) -> Result<Vec<Record>, Error> {
    let record = rows::RECORD;
    let sql = format!("SELECT {record} FROM audit WHERE seq >= $1 ORDER BY seq LIMIT $2");
    let rows = session.fetch(sql, vec![seq.into(), limit.into()]).await?;
    rows.iter().map(rows::record).collect()
}

pub(super) async fn end(session: &mut Session) -> Result<Head, Error> {
    head(session.fetch_one(HEAD, Vec::new()).await?)
}

/// Checks that the log has come as far as this, and has not changed up to there.
pub(super) async fn has(session: &mut Session, known: &Head) -> Result<bool, Error> {
    if *known == Head::EMPTY {
        return Ok(true);
    }
    let records = from(session, known.seq, 1).await?;
    let there = records.first().filter(|record| record.seq == known.seq);
    match there {
        Some(record) => Ok(record.hash() == known.hash),
        None => archives::covers(session, known.seq).await,
    }
}

/// Walks the log from its first record to its end, within one snapshot.
pub(super) async fn verify(
    session: &mut Session,
    beside: Beside,
    progress: Progress<'_>,
) -> Result<Findings, Error> {
    let mut found = Found::default();
    let mut walk = Walk {
        derived: Derived::new(session).await?,
        witnessed: Witnessed::new(beside.checkpoints, &mut found),
        found,
        progress,
        end: end(session).await?,
    };
    let mut head = match beside.archives.is_empty() {
        true => archived::without_files(session, &mut walk).await?,
        false => archived::with_files(session, &mut walk, beside.archives).await?,
    };
    here(session, &mut walk, &mut head).await?;
    let Walk {
        derived,
        witnessed,
        mut found,
        end,
        ..
    } = walk;
    witnessed.end(&mut found);
    if head.seq != end.seq {
        let (expected, missing) = (end.seq, head.seq);
        found.add(registry::Error::AuditSequence {
            expected,
            found: missing,
        });
    } else if head.hash != end.hash {
        found.add(registry::Error::AuditLink { seq: head.seq });
    }
    derived.check(session, &mut found).await?;
    Ok(found.end(head))
}

/// Walks what is in the database behind a record.
async fn here(session: &mut Session, walk: &mut Walk<'_>, head: &mut Head) -> Result<(), Error> {
    // A number that nobody gives has none behind it.
    while head.seq < LAST {
        let records = from(session, head.seq.saturating_add(1), AT_ONCE).await?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            if let Err(wrong) = head.follow(record) {
                walk.found.add(wrong);
                // What is behind it is looked at all the same, but in no tree.
                walk.witnessed.give_up();
                (head.seq, head.hash) = (record.seq, record.hash());
            }
            walk.witnessed.follow(record, &mut walk.found);
            walk.found.note(record);
        }
        walk.derived
            .follow(session, &records, &mut walk.found)
            .await?;
        (walk.progress)(Walked {
            records: head.seq,
            of: walk.end.seq,
        });
    }
    Ok(())
}

/// The largest number that a database has.
const LAST: u64 = u64::MAX >> 1;

/// How many records are in memory at once.
pub(super) const AT_ONCE: u32 = 10_000;
