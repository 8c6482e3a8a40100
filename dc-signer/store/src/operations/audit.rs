//! Reading and checking the audit log.

use std::collections::HashMap;

use dc_evidence::Checkpoint;

use crate::connection::Session;
use crate::registry::{self, Device, DeviceChange, Head, Record, State};
use crate::sql::corrupt;
use crate::{Error, Find, Store};

use super::archives::{self, KeptWalk};
use super::derived::Derived;
use super::witnessed::{Progress, Walked, Witnessed};
use super::work::{HEAD, head};
use super::{devices, rows};

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

    /// Walks the whole audit log, and checks that the database is as it says: suspended and retired devices, enrolment keys,
    /// operators, zones, and the credentials that were issued.
    ///
    /// Returns the end of the log. Whoever can write the database can also write a whole new log: only
    /// [`Self::verify_audit_with`] notices that. Fails with [`Error::Refused`] and
    /// [`AuditLink`](crate::registry::Error::AuditLink) or
    /// [`AuditSequence`](crate::registry::Error::AuditSequence), and with [`Error::NotAsAudited`] and
    /// [`Error::StateNotInAudit`].
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
        self.snapshot("verify_audit", async |session| {
            verify(session, checkpoints, progress).await
        })
        .await
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
    checkpoints: Vec<Checkpoint>,
    progress: Progress<'_>,
) -> Result<Head, Error> {
    let end = end(session).await?;
    let mut head = Head::EMPTY;
    let mut states = HashMap::new();
    let mut witnessed = Witnessed::new(checkpoints)?;
    let mut derived = Derived::new(session).await?;
    for archive in archives::all(session).await? {
        let mut kept = KeptWalk::new(&archive);
        loop {
            let records = kept.next(session).await?;
            if records.is_empty() {
                break;
            }
            derived.follow(session, &records).await?;
            records
                .into_iter()
                .for_each(|record| note(&mut states, record));
        }
        derived.archived(&archive, head.seq)?;
        head = archive.end;
        witnessed.skip(&archive.tree)?;
    }
    loop {
        let records = from(session, head.seq.saturating_add(1), AT_ONCE).await?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            head.follow(record)?;
            witnessed.follow(record)?;
        }
        derived.follow(session, &records).await?;
        records
            .into_iter()
            .for_each(|record| note(&mut states, record));
        progress(Walked {
            records: head.seq,
            of: end.seq,
        });
    }
    witnessed.end()?;
    if head.seq != end.seq {
        let (expected, found) = (end.seq, head.seq);
        return Err(registry::Error::AuditSequence { expected, found }.into());
    }
    if head.hash != end.hash {
        return Err(registry::Error::AuditLink { seq: head.seq }.into());
    }
    check_states(session, states).await?;
    derived.check(session).await?;
    Ok(head)
}

/// Remembers who gets no credentials, by what the log says.
fn note(states: &mut HashMap<String, State>, record: Record) {
    let Some(name) = record.entry.name else {
        return;
    };
    match record.entry.action.device_change() {
        Some(DeviceChange::Suspend) => states.insert(name, State::Suspended),
        Some(DeviceChange::Retire) => states.insert(name, State::Retired),
        Some(DeviceChange::Add | DeviceChange::Resume | DeviceChange::Replace) => {
            states.remove(&name)
        }
        Some(
            DeviceChange::Enrol
            | DeviceChange::FinishSwitch
            | DeviceChange::NewName
            | DeviceChange::SwitchKey,
        )
        | None => None,
    };
}

/// The database must keep out exactly those that the log keeps out.
async fn check_states(
    session: &mut Session,
    mut states: HashMap<String, State>,
) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let sql = format!(
            "SELECT {} FROM devices WHERE state IN ('suspended', 'retired') AND name > $1 \
             ORDER BY name LIMIT 1000",
            rows::DEVICE
        );
        let rows = session.fetch(sql, vec![after.as_str().into()]).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let device = rows::device(row)?;
            if states.remove(device.name.as_str()) != Some(device.state) {
                return Err(not_in_audit(device));
            }
            after = device.name.to_string();
        }
    }
    for name in states.into_keys() {
        let name = dc_pki::names::parse(&name).map_err(|_| corrupt("audit"))?;
        // A restored backup may not have the device any more. Then nobody can use its key.
        if let Some(device) = devices::find(session, &Find::Name(name)).await? {
            return Err(not_in_audit(device));
        }
    }
    Ok(())
}

fn not_in_audit(device: Device) -> Error {
    Error::StateNotInAudit {
        name: device.name,
        state: device.state,
    }
}

/// How many records are in memory at once.
pub(super) const AT_ONCE: u32 = 10_000;
