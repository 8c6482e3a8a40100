//! One transaction that writes, with its audit records.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::connection::{Database, Row, Session};
use crate::postgres::{Gather, Plan};
use crate::registry::{self, Action, Entry, Head, Reason, Record, Sha256, with_address};
use crate::sql::{Batch, Kind, Value};
use crate::{Act, Error};

use super::origin::Sound;
use super::{replicas, rows, standing};

/// A transaction that has locked the end of the audit log. So all writes of all processes have one
/// order, and a row that is read here stays as it is until the end.
pub(super) struct Work {
    pub(super) session: Session,
    pub(super) head: Head,
    node: Arc<str>,
    pub(super) sound: Arc<Sound>,
    records: Vec<Record>,
    /// How many of them are of another copy of the log, in which others may act.
    followed: usize,
    /// True if somebody did what they have to give a reason for, and gave none.
    lacks_reason: bool,
    /// Set if all signers that work here can read details in records; none if that was not looked at.
    details: Option<bool>,
    /// Set once a record of the log has a detail, which it then always has.
    has_details: Arc<AtomicBool>,
    /// The things that it depends on or changes, as another operation beside it may too.
    touched: BTreeSet<Vec<u8>>,
}

/// The signer that writes.
#[derive(Debug)]
pub(super) struct Signer {
    /// How the audit log calls it.
    pub(super) node: Arc<str>,
    /// The records about operators that were looked at already.
    pub(super) sound: Arc<Sound>,
    /// Set once a record of the log has a detail, which it then always has.
    pub(super) has_details: Arc<AtomicBool>,
}

/// A place in a transaction to which it can go back.
pub(super) struct Mark {
    head: Head,
    records: usize,
}

impl Work {
    pub(super) async fn begin(database: &Database, signer: &Signer) -> Result<Self, Error> {
        let mut session = database.write().await?;
        match lock_head(&mut session).await {
            Ok(head) => Ok(Self::new(signer, session, head)),
            Err(error) => {
                session.roll_back().await;
                Err(error)
            }
        }
    }

    /// One that has not begun, and whose records are counted from the first.
    pub(super) fn planned(signer: &Signer, gather: &Arc<Gather>) -> Self {
        let plan = Plan::new(gather);
        Self::new(signer, Session::Plan(plan.into()), Head::EMPTY)
    }

    fn new(signer: &Signer, session: Session, head: Head) -> Self {
        Self {
            session,
            head,
            node: Arc::clone(&signer.node),
            sound: Arc::clone(&signer.sound),
            records: Vec::new(),
            followed: 0,
            lacks_reason: false,
            details: None,
            has_details: Arc::clone(&signer.has_details),
            touched: BTreeSet::new(),
        }
    }

    /// Says that the operation depends on something, or changes it: of two that do, the second one has to see the first one's.
    pub(super) fn touch(&mut self, what: &[u8]) {
        self.touched.insert(what.to_vec());
    }

    /// The plan, its records and what it touches; none if it was not planned.
    pub(super) fn into_planned(self) -> Option<(Plan, Vec<Entry>, BTreeSet<Vec<u8>>)> {
        match self.session {
            Session::Plan(plan) => {
                let entries = self.records.into_iter().map(|record| record.entry);
                Some((*plan, entries.collect(), self.touched))
            }
            Session::Postgres(_) | Session::Sqlite(_) => None,
        }
    }

    /// Checks what is checked of all operations: nobody may act without a reason where one is needed, nor who may not any more.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        if self.lacks_reason {
            return Err(registry::Error::NoReason.into());
        }
        let records = std::mem::take(&mut self.records);
        let checked = self.check_actors(&records).await;
        self.records = records;
        checked
    }

    /// Marks this place, in SQLite.
    pub(super) async fn mark(&mut self) -> Result<Mark, Error> {
        self.session.tell("SAVEPOINT operation", Vec::new()).await?;
        Ok(Mark {
            head: self.head,
            records: self.records.len(),
        })
    }

    /// Goes back to a mark, as if nothing had been done since.
    pub(super) async fn go_back(&mut self, mark: Mark) -> Result<(), Error> {
        self.session
            .tell("ROLLBACK TO operation", Vec::new())
            .await?;
        self.head = mark.head;
        self.records.truncate(mark.records);
        self.lacks_reason = false;
        self.pass().await
    }

    /// Forgets the last mark.
    pub(super) async fn pass(&mut self) -> Result<(), Error> {
        self.session.tell("RELEASE operation", Vec::new()).await
    }

    /// Commits if all went well, and rolls back if not.
    pub(super) async fn end<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Ok(value) => self.commit().await.map(|()| value),
            Err(error) => {
                // What somebody has put there explains best why something was not written.
                let why = match &error {
                    Error::NotWritten { .. } => self.session.check_written().await.err(),
                    _ => None,
                };
                self.session.roll_back().await;
                Err(why.unwrap_or(error))
            }
        }
    }

    /// An entry for the audit log that is about nothing yet, and says from where it came.
    pub(super) fn entry(&self, action: Action, by: &Act) -> Entry {
        Entry {
            time: by.at,
            node: self.node.as_ref().to_owned(),
            actor: by.actor.clone(),
            action,
            name: None,
            spki_sha256: None,
            credential_sha256: None,
            zone: None,
            expires: None,
            detail_sha256: None,
            reason: by.reason.as_ref().map(Reason::to_string),
            scope: by.from.map(|from| with_address(None, from)),
        }
    }

    /// The scope of a record whose scope decides something, with the address that the act came from; without it as long as a signer
    /// works here that would not understand what is decided.
    pub(super) async fn scope(&mut self, said: String, by: &Act) -> Result<String, Error> {
        let Some(from) = by.from else {
            return Ok(said);
        };
        match replicas::has_older(&mut self.session, replicas::ADDRESSES, by.at).await? {
            true => Ok(said),
            false => Ok(with_address(Some(&said), from)),
        }
    }

    /// A commitment for a record; none as long as a signer works here that is too old for records with one, and the log has none:
    /// it would take the log for an older copy, and stop.
    ///
    /// A log that has one gets them for ever: no older signer works on it, whatever a row says, and what has none is not
    /// compared with the log.
    pub(super) async fn detail(
        &mut self,
        commitment: Sha256,
        by: &Act,
    ) -> Result<Option<Sha256>, Error> {
        let details = match self.details {
            Some(details) => details,
            None if self.has_details.load(Ordering::Relaxed) => true,
            None if has_commitment(&mut self.session).await? => {
                self.has_details.store(true, Ordering::Relaxed);
                true
            }
            None => {
                let format = replicas::DETAILS;
                !replicas::has_older(&mut self.session, format, by.at).await?
            }
        };
        self.details = Some(details);
        Ok(details.then_some(commitment))
    }

    /// Puts an entry at the end of the log; says its place.
    pub(super) fn log(&mut self, entry: Entry) -> u64 {
        let is_unexplained = entry.action.wants_reason() && entry.reason.is_none();
        self.lacks_reason |= is_unexplained && Act::is_somebodys(&entry.actor);
        self.records.push(self.head.append(entry));
        self.head.seq
    }

    /// Puts a record of another copy of the log at the end of this one.
    pub(super) fn follow(&mut self, record: &Record) -> Result<(), Error> {
        self.head.follow(record)?;
        self.records.push(record.clone());
        self.followed = self.records.len();
        Ok(())
    }

    /// Writes the records that were followed, so that acts can be judged by them.
    pub(super) async fn write_followed(&mut self) -> Result<(), Error> {
        self.followed = 0;
        match std::mem::take(&mut self.records) {
            records if records.is_empty() => Ok(()),
            records => self.write(&records).await,
        }
    }

    async fn commit(mut self) -> Result<(), Error> {
        if self.lacks_reason {
            self.session.roll_back().await;
            return Err(registry::Error::NoReason.into());
        }
        let written = match std::mem::take(&mut self.records) {
            records if records.is_empty() => Ok(()),
            records => match self.check_actors(&records).await {
                Ok(()) => self.write(&records).await,
                Err(error) => Err(error),
            },
        };
        // What somebody has put there explains best why something was not written.
        let written = self.session.check_written().await.and(written);
        match written {
            Ok(()) => self.session.commit().await,
            Err(error) => {
                self.session.roll_back().await;
                Err(error)
            }
        }
    }

    /// Their rights of when they came may be over.
    async fn check_actors(&mut self, records: &[Record]) -> Result<(), Error> {
        let own = records.get(self.followed..).unwrap_or_default();
        standing::check(&mut self.session, own, &self.sound).await
    }

    async fn write(&mut self, records: &[Record]) -> Result<(), Error> {
        let batch = audit_rows(records);
        let sql = "INSERT INTO audit (seq, time, node, actor, action, name, spki_sha256, \
                   credential_sha256, zone, expires, detail_sha256, reason, scope, prev_hash) \
                   SELECT seq, time, node, actor, action, name, spki_sha256, \
                   credential_sha256, zone, expires, detail_sha256, reason, scope, prev_hash FROM {rows}";
        let written = self.session.execute_batch(sql, batch).await?;
        all_written("audit", records.len(), written)?;
        let sql = "UPDATE audit_head SET seq = $1, hash = $2 WHERE one = 1";
        let head = vec![self.head.seq.into(), (&self.head.hash).into()];
        let written = self.session.execute(sql, head).await?;
        all_written("audit_head", 1, written)?;
        self.read_back(records).await
    }

    /// Reads the end of the log as it is after all of this: nothing leaves without its record, whatever the database has made of
    /// what it was told.
    async fn read_back(&mut self, records: &[Record]) -> Result<(), Error> {
        // In one question: others wait for this transaction to end.
        let sql = format!(
            "SELECT {}, (SELECT seq FROM audit_head WHERE one = 1) AS end_seq, \
             (SELECT hash FROM audit_head WHERE one = 1) AS end_hash FROM audit WHERE seq = $1",
            rows::RECORD
        );
        let values = vec![self.head.seq.into()];
        let is_it = match self.session.fetch_one(sql, values).await? {
            Some(row) => {
                let (seq, hash) = (row.number("end_seq")?, row.hash("end_hash")?);
                Head { seq, hash } == self.head && records.last() == Some(&rows::record(&row)?)
            }
            None => false,
        };
        match is_it {
            true => Ok(()),
            false => Err(Error::NotWritten {
                table: "audit",
                expected: 1,
                written: 0,
            }),
        }
    }
}

/// Fails with [`Error::NotWritten`] if a statement has not written as many rows as it was told.
pub(super) fn all_written(table: &'static str, expected: usize, written: u64) -> Result<(), Error> {
    let expected = u64::try_from(expected).unwrap_or(u64::MAX);
    match written == expected {
        true => Ok(()),
        false => Err(Error::NotWritten {
            table,
            expected,
            written,
        }),
    }
}

/// True if a record of the log has a commitment.
async fn has_commitment(session: &mut Session) -> Result<bool, Error> {
    let sql = "SELECT seq FROM audit WHERE action <> 'issue' AND detail_sha256 IS NOT NULL LIMIT 1";
    Ok(session.fetch_one(sql, Vec::new()).await?.is_some())
}

async fn lock_head(session: &mut Session) -> Result<Head, Error> {
    let sql = format!("{HEAD}{}", session.for_update());
    head(session.fetch_one(sql, Vec::new()).await?)
}

/// The end of the log, from a row of [`HEAD`].
pub(super) fn head(row: Option<Row>) -> Result<Head, Error> {
    let row = row.ok_or(Error::Corrupt {
        place: "audit_head",
    })?;
    Ok(Head {
        seq: row.number("seq")?,
        hash: row.hash("hash")?,
    })
}

pub(super) const HEAD: &str = "SELECT seq, hash FROM audit_head WHERE one = 1";

/// Records, as rows of the log.
pub(super) fn audit_rows(records: &[Record]) -> Batch {
    Batch {
        columns: COLUMNS,
        rows: records.iter().map(row).collect(),
    }
}

const COLUMNS: &[(&str, Kind)] = &[
    ("seq", Kind::Int),
    ("time", Kind::Int),
    ("node", Kind::Text),
    ("actor", Kind::Text),
    ("action", Kind::Text),
    ("name", Kind::Text),
    ("spki_sha256", Kind::Blob),
    ("credential_sha256", Kind::Blob),
    ("zone", Kind::Text),
    ("expires", Kind::Int),
    ("detail_sha256", Kind::Blob),
    ("reason", Kind::Text),
    ("scope", Kind::Text),
    ("prev_hash", Kind::Blob),
];

fn row(record: &Record) -> Vec<Value> {
    let Record {
        seq,
        entry,
        prev_hash,
    } = record;
    vec![
        (*seq).into(),
        entry.time.into(),
        entry.node.as_str().into(),
        entry.actor.as_str().into(),
        entry.action.as_str().into(),
        entry.name.as_deref().into(),
        entry.spki_sha256.as_ref().into(),
        entry.credential_sha256.as_ref().into(),
        entry.zone.as_deref().into(),
        entry.expires.into(),
        entry.detail_sha256.as_ref().into(),
        entry.reason.as_deref().into(),
        entry.scope.as_deref().into(),
        prev_hash.into(),
    ]
}
