//! Reading and checking the audit log.

use std::collections::HashMap;

use crate::connection::Session;
use crate::registry::{self, Device, DeviceChange, Head, Record, State};
use crate::sql::corrupt;
use crate::{Error, Find, Store};

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

    /// Walks the whole audit log, and checks that suspended and retired devices are those that the
    /// log says are.
    ///
    /// Returns the end of the log. Fails with [`Error::Refused`] and
    /// [`AuditLink`](crate::registry::Error::AuditLink) or
    /// [`AuditSequence`](crate::registry::Error::AuditSequence), and with [`Error::StateNotInAudit`].
    pub async fn verify_audit(&self) -> Result<Head, Error> {
        self.snapshot("verify_audit", async |session| verify(session).await)
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
    Ok(there.is_some_and(|record| record.hash() == known.hash))
}

/// Walks the log from its first record to its end, within one snapshot.
pub(super) async fn verify(session: &mut Session) -> Result<Head, Error> {
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

const AT_ONCE: u32 = 10_000;
