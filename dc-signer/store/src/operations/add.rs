//! Adding devices in bulk.

use std::collections::{HashMap, HashSet};

use crate::connection::Session;
use crate::registry::{Action, Device, ExternalId, Hold, Manufactured, Sha256, Shown, State};
use crate::sql::{Batch, Kind, Value};
use crate::{Act, Added, Conflict, Error, NewDevice, Store};

use super::asked::{Answered, What};
use super::given;
use super::lost::{self, Left};
use super::queue::closed;
use super::rows;
use super::work::Work;

impl Store {
    /// Adds devices, all in one transaction; says for each, in order, what became of it.
    ///
    /// Adding the same ones again changes nothing, so a bulk load that broke off can be started
    /// over. Others wait meanwhile: hand over a thousand at a time, not a million.
    pub async fn add_devices(&self, new: &[NewDevice], by: &Act) -> Result<Vec<Added>, Error> {
        match self.ask("add_devices", What::Add(new.into()), by).await? {
            Answered::Added(added) => Ok(added),
            _ => Err(closed()),
        }
    }
}

/// Adds what can be added; a few statements for all devices together.
pub(super) async fn add(
    work: &mut Work,
    devices: &[NewDevice],
    by: &Act,
) -> Result<Vec<Added>, Error> {
    for device in devices {
        work.touch(device.id.as_bytes());
        work.touch(device.external_id.as_str().as_bytes());
        work.touch(device.name.as_str().as_bytes());
        if let Some(key) = &device.key {
            work.touch(key.as_bytes());
        }
        if let Some(made) = &device.manufactured {
            work.touch(made.serial.as_bytes());
        }
    }
    let mut taken = Taken::load(&mut work.session, devices).await?;
    let lost = lost::left(&mut work.session, wanted_names(devices), by.at).await?;
    let mut new = Vec::new();
    let mut added = Vec::with_capacity(devices.len());
    for device in devices {
        let outcome = taken.judge(device);
        if outcome == Added::New {
            let left = lost.get(device.name.as_str());
            let device = fresh(device, left.map(Left::hold).unwrap_or_default(), by);
            taken.take(&device);
            new.push(device);
        }
        added.push(outcome);
    }
    if !new.is_empty() {
        insert(&mut work.session, &new).await?;
    }
    for device in &new {
        if let Some(left) = lost.get(device.name.as_str()) {
            lost::give(&mut work.session, device, left).await?;
        }
        log(work, device, by).await?;
    }
    Ok(added)
}

async fn log(work: &mut Work, device: &Device, by: &Act) -> Result<(), Error> {
    let mut entry = work.entry(Action::Add, by);
    entry.name = Some(device.name.to_string());
    entry.spki_sha256 = device.key;
    entry.zone = Some(device.zone.to_string());
    entry.detail_sha256 = work.detail(device.commitment(), by).await?;
    work.log(entry);
    Ok(())
}

fn fresh(device: &NewDevice, hold: Hold, by: &Act) -> Device {
    let state = match device.key {
        Some(_) => State::Active,
        None => State::Preregistered,
    };
    Device {
        id: device.id,
        external_id: device.external_id.clone(),
        state,
        zone: device.zone.clone(),
        name: device.name.clone(),
        slot: device.slot,
        epoch: device.epoch,
        key: device.key,
        next_key: None,
        manufactured: device.manufactured.clone(),
        credential: None,
        hold,
        shown: Shown::Unknown,
        possible_clone: false,
        created: by.at,
        changed: by.at,
    }
}

/// The ids, names, keys and serial numbers of new devices that are there already.
struct Taken {
    devices: HashMap<ExternalId, Device>,
    zones: HashSet<String>,
    names: HashSet<String>,
    keys: HashSet<Sha256>,
    serials: HashSet<Manufactured>,
}

impl Taken {
    async fn load(session: &mut Session, new: &[NewDevice]) -> Result<Self, Error> {
        Ok(Self {
            devices: devices(session, new).await?,
            zones: zones(session).await?,
            names: names(session, new).await?,
            keys: keys(session, new).await?,
            serials: serials(session, new).await?,
        })
    }

    fn judge(&self, device: &NewDevice) -> Added {
        if let Some(old) = self.devices.get(&device.external_id) {
            return match same(old, device) {
                true => Added::Same(Box::new(old.clone())),
                false => Added::Conflict(Conflict::ExternalId),
            };
        }
        let key_taken = device.key.is_some_and(|key| self.keys.contains(&key));
        let serial = device.manufactured.as_ref();
        let conflict = if !self.zones.contains(&device.zone.to_string()) {
            Conflict::Zone
        } else if self.names.contains(device.name.as_str()) {
            Conflict::Name
        } else if key_taken {
            Conflict::Key
        } else if serial.is_some_and(|by| !by.can_be_stored() || self.serials.contains(by)) {
            Conflict::Serial
        } else {
            return Added::New;
        };
        Added::Conflict(conflict)
    }

    fn take(&mut self, device: &Device) {
        self.devices
            .insert(device.external_id.clone(), device.clone());
        self.names.insert(device.name.to_string());
        self.keys.extend(device.key);
        self.serials.extend(device.manufactured.clone());
    }
}

/// Name and epoch may have changed since, and a key may have been pinned since.
fn same(old: &Device, new: &NewDevice) -> bool {
    let key = new.key.is_none() || new.key == old.key;
    let serial = new.manufactured == old.manufactured;
    key && serial && (&old.zone, old.slot) == (&new.zone, new.slot)
}

async fn devices(
    session: &mut Session,
    new: &[NewDevice],
) -> Result<HashMap<ExternalId, Device>, Error> {
    let batch = Batch {
        columns: &[("wanted", Kind::Text)],
        rows: new
            .iter()
            .map(|device| vec![device.external_id.as_str().into()])
            .collect(),
    };
    let sql = format!(
        "SELECT {} FROM {{rows}} CROSS JOIN devices WHERE devices.external_id = r.wanted",
        rows::DEVICE
    );
    let mut found = HashMap::new();
    for row in session.fetch_batch(&sql, batch).await? {
        let device = rows::device(&row)?;
        found.insert(device.external_id.clone(), device);
    }
    Ok(found)
}

async fn zones(session: &mut Session) -> Result<HashSet<String>, Error> {
    let rows = session.fetch("SELECT zone FROM zones", Vec::new()).await?;
    rows.iter().map(|row| row.text("zone")).collect()
}

async fn names(session: &mut Session, new: &[NewDevice]) -> Result<HashSet<String>, Error> {
    let batch = Batch {
        columns: &[("wanted", Kind::Text)],
        rows: wanted_names(new),
    };
    let sql = "SELECT names.name FROM {rows} CROSS JOIN names WHERE names.name = r.wanted";
    let rows = session.fetch_batch(sql, batch).await?;
    let mut names: HashSet<String> = rows
        .iter()
        .map(|row| row.text("name"))
        .collect::<Result<_, _>>()?;
    names.extend(given::by_log(session, wanted_names(new)).await?);
    Ok(names)
}

fn wanted_names(new: &[NewDevice]) -> Vec<Vec<Value>> {
    let names = new.iter().map(|device| device.name.as_str());
    names.map(|name| vec![name.into()]).collect()
}

async fn keys(session: &mut Session, new: &[NewDevice]) -> Result<HashSet<Sha256>, Error> {
    let keys = new.iter().filter_map(|device| device.key.as_ref());
    let batch = Batch {
        columns: &[("wanted", Kind::Blob)],
        rows: keys.map(|key| vec![key.into()]).collect(),
    };
    let sql = "SELECT r.wanted AS key_sha256 FROM {rows} CROSS JOIN devices \
               WHERE devices.enrolment_key = r.wanted OR devices.next_key = r.wanted";
    let rows = session.fetch_batch(sql, batch).await?;
    rows.iter().map(|row| row.hash("key_sha256")).collect()
}

async fn serials(session: &mut Session, new: &[NewDevice]) -> Result<HashSet<Manufactured>, Error> {
    let serials = new
        .iter()
        .filter_map(|device| device.manufactured.as_ref())
        .filter(|by| by.can_be_stored());
    let batch = Batch {
        columns: &[("maker", Kind::Text), ("wanted", Kind::Text)],
        rows: serials
            .map(|by| vec![by.manufacturer.as_str().into(), by.serial.as_str().into()])
            .collect(),
    };
    let sql = "SELECT devices.manufacturer, devices.serial FROM {rows} CROSS JOIN devices \
               WHERE devices.manufacturer = r.maker AND devices.serial = r.wanted";
    let mut found = HashSet::new();
    for row in session.fetch_batch(sql, batch).await? {
        found.insert(Manufactured {
            manufacturer: row.text("manufacturer")?,
            serial: row.text("serial")?,
        });
    }
    Ok(found)
}

async fn insert(session: &mut Session, new: &[Device]) -> Result<(), Error> {
    let batch = Batch {
        columns: COLUMNS,
        rows: new.iter().map(row).collect(),
    };
    let sql = "INSERT INTO devices (id, external_id, state, zone, name, slot, epoch, enrolment_key, \
               manufacturer, serial, created, changed, held_until, free_from, stays_withdrawn) \
               SELECT id, external_id, state, zone, name, slot, epoch, enrolment_key, \
               manufacturer, serial, created, created, held, free, stays FROM {rows}";
    session.tell_batch(sql, batch).await?;
    let names = Batch {
        columns: COLUMNS,
        rows: new.iter().map(row).collect(),
    };
    let sql =
        "INSERT INTO names (name, device, zone, given) SELECT name, id, zone, created FROM {rows}";
    session.tell_batch(sql, names).await
}

const COLUMNS: &[(&str, Kind)] = &[
    ("id", Kind::Blob),
    ("external_id", Kind::Text),
    ("state", Kind::Text),
    ("zone", Kind::Text),
    ("name", Kind::Text),
    ("slot", Kind::Int),
    ("epoch", Kind::Int),
    ("enrolment_key", Kind::Blob),
    ("manufacturer", Kind::Text),
    ("serial", Kind::Text),
    ("created", Kind::Int),
    ("held", Kind::Int),
    ("free", Kind::Int),
    ("stays", Kind::Int),
];

fn row(device: &Device) -> Vec<Value> {
    let by = device.manufactured.as_ref();
    vec![
        device.id.as_bytes()[..].into(),
        device.external_id.as_str().into(),
        device.state.as_str().into(),
        device.zone.to_string().as_str().into(),
        device.name.as_str().into(),
        device.slot.into(),
        device.epoch.into(),
        device.key.as_ref().into(),
        by.map(|by| by.manufacturer.as_str()).into(),
        by.map(|by| by.serial.as_str()).into(),
        device.created.into(),
        device.hold.until.into(),
        device.hold.free_from.into(),
        i64::from(device.hold.withdrawn).into(),
    ]
}
