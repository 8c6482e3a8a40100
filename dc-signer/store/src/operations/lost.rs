//! Names whose devices a restored backup does not have: what was issued for them is valid, and whoever gets such a name next
//! waits until it is not.

use std::collections::{BTreeMap, HashMap};

use pki_types::UnixTime;

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, Device, DeviceChange, Hold, Record, after};
use crate::sql::{Batch, Kind, Value};

use super::withdrawn;
use super::work::Work;

/// By name, what the records of a newer log say of devices that are not here.
#[derive(Default)]
pub(super) struct Lost {
    names: BTreeMap<String, LostName>,
    /// Which one was replaced by the record before.
    replacing: Option<String>,
}

#[derive(Default)]
struct LostName {
    zone: Option<String>,
    /// When the last credential ends that was issued for it.
    until: Option<UnixTime>,
    /// Since when it is withdrawn.
    withdrawn: Option<UnixTime>,
    /// Set if it stays so when the device is resumed, because another box had it when it was withdrawn.
    stays: bool,
    /// Set if a device has it, and not only had it.
    is_used: bool,
}

impl Lost {
    /// Notes what was done to a device that is not here.
    pub(super) fn note(&mut self, name: &str, record: &Record) {
        let entry = &record.entry;
        let replaced = self.replacing.take();
        let lost = self.names.entry(name.to_owned()).or_default();
        lost.zone = entry.zone.clone().or_else(|| lost.zone.take());
        match entry.action.device_change() {
            Some(DeviceChange::Add | DeviceChange::NewName) => lost.is_used = true,
            Some(DeviceChange::Suspend | DeviceChange::Retire) => {
                lost.withdrawn = lost.withdrawn.or(Some(entry.time));
            }
            Some(DeviceChange::Resume) => {
                if !lost.stays {
                    lost.withdrawn = None;
                }
            }
            Some(DeviceChange::Replace) => {
                lost.stays = lost.withdrawn.is_some();
                self.replacing = Some(name.to_owned());
            }
            Some(DeviceChange::Enrol | DeviceChange::FinishSwitch | DeviceChange::SwitchKey)
            | None => {}
        }
        let renamed = replaced.filter(|_| entry.action == Action::NewName);
        if let Some(old) = renamed.and_then(|old| self.names.get_mut(&old)) {
            old.is_used = false;
            old.withdrawn = old.withdrawn.or(Some(entry.time));
        }
    }

    /// Notes what was issued for a name whose device is not here: then it was not withdrawn any more.
    pub(super) fn issued(&mut self, name: &str, zone: Option<String>, until: UnixTime) {
        let lost = self.names.entry(name.to_owned()).or_default();
        lost.zone = zone.or_else(|| lost.zone.take());
        lost.until = lost.until.max(Some(until));
        (lost.withdrawn, lost.stays, lost.is_used) = (None, false, true);
    }

    /// Keeps what is valid of each name, also on the list of those that are withdrawn; says which devices are lost.
    pub(super) async fn keep(self, work: &mut Work) -> Result<Vec<String>, Error> {
        for (name, lost) in &self.names {
            if let (Some(zone), Some(until)) = (&lost.zone, lost.until) {
                let left = Left {
                    free_from: after(until),
                    withdrawn: lost.withdrawn,
                };
                write(&mut work.session, name, zone, left).await?;
                withdrawn::count(work, zone).await?;
            }
        }
        let used = self.names.into_iter().filter(|(_, lost)| lost.is_used);
        Ok(used.map(|(name, _)| name).collect())
    }
}

async fn write(session: &mut Session, name: &str, zone: &str, left: Left) -> Result<(), Error> {
    let Left {
        free_from,
        withdrawn,
    } = left;
    let sql = "INSERT INTO lost_names (name, zone, free_from, withdrawn) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (name) DO UPDATE SET withdrawn = excluded.withdrawn, free_from = \
               CASE WHEN excluded.free_from > lost_names.free_from THEN excluded.free_from \
               ELSE lost_names.free_from END";
    let values = vec![name.into(), zone.into(), free_from.into(), withdrawn.into()];
    session.execute(sql, values).await.map(|_| ())
}

/// The time for which a lost name is still taken.
#[derive(Clone, Copy)]
pub(super) struct Left {
    free_from: UnixTime,
    withdrawn: Option<UnixTime>,
}

impl Left {
    /// The hold on another box that gets the name.
    pub(super) fn hold(&self) -> Hold {
        Hold::before(self.free_from, self.withdrawn.is_some())
    }
}

/// Finds those of the names that are lost and still taken.
pub(super) async fn left(
    session: &mut Session,
    names: Vec<Vec<Value>>,
    now: UnixTime,
) -> Result<HashMap<String, Left>, Error> {
    let batch = Batch {
        columns: &[("wanted", Kind::Text)],
        rows: names,
    };
    let sql = "SELECT lost_names.name, lost_names.free_from, lost_names.withdrawn FROM {rows} \
               CROSS JOIN lost_names WHERE lost_names.name = r.wanted";
    let mut found = HashMap::new();
    for row in session.fetch_batch(sql, batch).await? {
        let left = Left {
            free_from: row.time("free_from")?,
            withdrawn: row.maybe_time("withdrawn")?,
        };
        if now < left.free_from {
            found.insert(row.text("name")?, left);
        }
    }
    Ok(found)
}

/// Looks whether a lost name is still taken.
pub(super) async fn is_held(
    session: &mut Session,
    name: &str,
    now: UnixTime,
) -> Result<bool, Error> {
    let sql = "SELECT name FROM lost_names WHERE name = $1 AND free_from > $2";
    let row = session
        .fetch_one(sql, vec![name.into(), now.into()])
        .await?;
    Ok(row.is_some())
}

/// A lost name is a device's again: what is valid of it is the device's to wait for.
pub(super) async fn give(session: &mut Session, device: &Device, left: &Left) -> Result<(), Error> {
    let sql = "UPDATE names SET withdrawn = $2, withdrawn_until = $3 WHERE name = $1";
    let until = left.withdrawn.map(|_| left.free_from);
    let name = device.name.as_str();
    let values = vec![name.into(), left.withdrawn.into(), until.into()];
    session.tell(sql, values).await?;
    let sql = "DELETE FROM lost_names WHERE name = $1";
    session.tell(sql, vec![name.into()]).await
}
