//! Reading, checking and continuing the audit log.

use std::collections::{BTreeSet, HashMap};

use crate::registry::{self, Action, Change, Device, Head, Record, State};
use crate::store::sql::{Session, corrupt};
use crate::store::{Act, Error, Find};

use super::work::{HEAD, Work, head};
use super::{devices, rows};

pub(super) async fn from<S: Session>(
    session: &mut S,
    seq: u64,
    limit: u32,
) -> Result<Vec<Record>, Error> {
    let record = rows::RECORD;
    let sql = format!("SELECT {record} FROM audit WHERE seq >= $1 ORDER BY seq LIMIT $2");
    let rows = session.fetch(sql, vec![seq.into(), limit.into()]).await?;
    rows.iter().map(rows::record).collect()
}

pub(super) async fn end<S: Session>(session: &mut S) -> Result<Head, Error> {
    head(session.fetch_one(HEAD, Vec::new()).await?)
}

/// Whether the log has come as far as this, and has not changed up to there.
pub(super) async fn has<S: Session>(session: &mut S, known: &Head) -> Result<bool, Error> {
    if *known == Head::EMPTY {
        return Ok(true);
    }
    let records = from(session, known.seq, 1).await?;
    let there = records.first().filter(|record| record.seq == known.seq);
    Ok(there.is_some_and(|record| record.hash() == known.hash))
}

/// Walks the log from its first record to its end, within one snapshot.
pub(super) async fn verify<S: Session>(session: &mut S) -> Result<Head, Error> {
    let end = end(session).await?;
    let mut head = Head::EMPTY;
    let mut states = HashMap::new();
    loop {
        let records = from(session, head.seq.saturating_add(1), AT_ONCE).await?;
        if records.is_empty() {
            break;
        }
        for record in records {
            head.follow(&record)?;
            note(&mut states, record);
        }
    }
    if head.seq != end.seq {
        let (expected, found) = (end.seq, head.seq);
        return Err(registry::Error::AuditSequence { expected, found }.into());
    }
    if head.hash != end.hash {
        return Err(registry::Error::AuditLink { seq: head.seq }.into());
    }
    check_states(session, states).await?;
    Ok(head)
}

/// Remembers who gets no credentials, by what the log says.
fn note(states: &mut HashMap<String, State>, record: Record) {
    let Some(name) = record.entry.name else {
        return;
    };
    match record.entry.action {
        Action::Suspend => states.insert(name, State::Suspended),
        Action::Retire => states.insert(name, State::Retired),
        Action::Add | Action::Resume | Action::Replace => states.remove(&name),
        _ => None,
    };
}

/// The database must keep out exactly those that the log keeps out.
async fn check_states<S: Session>(
    session: &mut S,
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
        let name = crate::names::parse(&name).map_err(|_| corrupt("audit"))?;
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

/// Continues the log with the records of a newer copy, and keeps out who was kept out since.
pub(super) async fn replay<S: Session>(
    work: &mut Work<S>,
    newer: &[Record],
    by: &Act,
) -> Result<u64, Error> {
    let here = work.head;
    let mut replayed = Replayed::default();
    for record in newer {
        if record.seq < here.seq {
            continue;
        }
        if record.seq == here.seq {
            // The copy must have had the same past.
            if record.hash() != here.hash {
                return Err(registry::Error::AuditLink { seq: here.seq }.into());
            }
            continue;
        }
        work.follow(record)?;
        replayed.apply(work, record, by).await?;
    }
    replayed.suspend_replaced(work, by).await?;
    let entry = work.entry(Action::Replay, by);
    work.log(entry);
    Ok(replayed.changed)
}

#[derive(Default)]
struct Replayed {
    changed: u64,
    /// Which device is behind these names now is not in the log.
    replaced: BTreeSet<String>,
}

impl Replayed {
    async fn apply<S: Session>(
        &mut self,
        work: &mut Work<S>,
        record: &Record,
        by: &Act,
    ) -> Result<(), Error> {
        let Some(name) = &record.entry.name else {
            return Ok(());
        };
        let change = match record.entry.action {
            Action::Suspend => Change::Suspend,
            Action::Resume => Change::Resume,
            Action::Retire => Change::Retire,
            Action::Replace => {
                self.replaced.insert(name.clone());
                // As the log has it from here on; what may be done is decided at the end.
                Change::Resume
            }
            _ => return Ok(()),
        };
        let Some(device) = named(work, name).await? else {
            return Ok(());
        };
        // What the log says was done may already be so, or be of no meaning for an older state.
        if let Ok(Some(changed)) = device.apply(&change, record.entry.time) {
            devices::write_change(work, &changed, by).await?;
            self.changed += 1;
        }
        Ok(())
    }

    /// Keys and names of a replacement are not in the log. So the devices that were replaced get
    /// nothing until an operator has looked at them.
    async fn suspend_replaced<S: Session>(
        &mut self,
        work: &mut Work<S>,
        by: &Act,
    ) -> Result<(), Error> {
        for name in std::mem::take(&mut self.replaced) {
            let Some(device) = named(work, &name).await? else {
                continue;
            };
            if matches!(device.state, State::Preregistered | State::Active) {
                devices::change(work, device.id, &Change::Suspend, by).await?;
                self.changed += 1;
            }
        }
        Ok(())
    }
}

/// The device that has this name now.
async fn named<S: Session>(work: &mut Work<S>, name: &str) -> Result<Option<Device>, Error> {
    let Ok(name) = crate::names::parse(name) else {
        return Ok(None);
    };
    let device = devices::find(&mut work.session, &Find::Name(name.clone())).await?;
    Ok(device.filter(|device| device.name == name))
}

const AT_ONCE: u32 = 10_000;
