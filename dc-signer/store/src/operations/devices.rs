//! Finding and changing devices.

use std::collections::HashMap;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{
    self, Action, Change, Changed, Device, DeviceId, Manufactured, NameChange, Replacement, Sha256,
};
use crate::sql::{Batch, Kind, Value};
use crate::{Act, Error, Find, Store};

use super::asked::{Answered, What};
use super::given;
use super::lost;
use super::people;
use super::queue::closed;
use super::rows;
use super::withdrawn;
use super::work::Work;

impl Store {
    /// The one device that fits.
    pub async fn find_device(&self, by: &Find) -> Result<Option<Device>, Error> {
        let found = async {
            match by {
                Find::Key(key) => self.finder.ask(*key).await,
                Find::Id(id) => self.id_finder.ask(*id).await,
                by => find(&mut self.shared.database.read().await?, by).await,
            }
        };
        self.timed("find_device", found).await
    }

    /// Changes a device, its names and the list of withdrawn ones, and says how it is now.
    ///
    /// A device that is so already is left alone. Fails with the errors of [`Device::apply`], with
    /// [`UnknownDevice`](crate::registry::Error::UnknownDevice),
    /// [`NameTaken`](crate::registry::Error::NameTaken), [`KeyTaken`](crate::registry::Error::KeyTaken) and
    /// [`SerialTaken`](crate::registry::Error::SerialTaken).
    pub async fn change_device(
        &self,
        device: DeviceId,
        change: &Change,
        by: &Act,
    ) -> Result<Device, Error> {
        self.change_if(device, change, false, by).await
    }

    /// The same, but for a device that is suspended when it would be changed: it stays as it is.
    ///
    /// Fails with [`NotInState`](crate::registry::Error::NotInState) then, and as [`change_device`](Self::change_device) does.
    pub async fn change_unless_suspended(
        &self,
        device: DeviceId,
        change: &Change,
        by: &Act,
    ) -> Result<Device, Error> {
        self.change_if(device, change, true, by).await
    }

    async fn change_if(
        &self,
        device: DeviceId,
        change: &Change,
        unless_suspended: bool,
        by: &Act,
    ) -> Result<Device, Error> {
        let what = What::Change {
            device,
            change: change.clone(),
            unless_suspended,
        };
        match self.ask("change_device", what, by).await? {
            Answered::Changed(changed) => Ok(*changed),
            _ => Err(closed()),
        }
    }
}

pub(super) async fn find(session: &mut Session, by: &Find) -> Result<Option<Device>, Error> {
    if let Find::Manufactured(by) = by
        && !by.can_be_stored()
    {
        return Ok(None);
    }
    let (from, values): (&str, Vec<Value>) = match by {
        Find::Id(id) => ("devices WHERE id = $1", vec![id.as_bytes()[..].into()]),
        Find::ExternalId(id) => ("devices WHERE external_id = $1", vec![id.as_str().into()]),
        Find::Key(key) => (
            "devices WHERE enrolment_key = $1 OR next_key = $1",
            vec![key.into()],
        ),
        Find::Name(name) => (
            "names JOIN devices ON devices.id = names.device WHERE names.name = $1",
            vec![name.as_str().into()],
        ),
        Find::Manufactured(by) => (
            "devices WHERE manufacturer = $1 AND serial = $2",
            vec![by.manufacturer.as_str().into(), by.serial.as_str().into()],
        ),
    };
    let sql = format!("SELECT {} FROM {from}", rows::DEVICE);
    let row = session.fetch_one(sql, values).await?;
    row.as_ref().map(rows::device).transpose()
}

/// The devices with these enrolment keys, as [`find`] finds them by [`Find::Key`]; one that cannot be read says nothing
/// about the others.
pub(super) async fn find_by_keys(
    session: &mut Session,
    keys: &[Sha256],
) -> Result<HashMap<Sha256, Result<Device, Error>>, Error> {
    let batch = Batch {
        columns: &[("wanted", Kind::Blob)],
        rows: keys.iter().map(|key| vec![key.into()]).collect(),
    };
    let with = |column| {
        let device = rows::DEVICE;
        format!(
            "SELECT r.wanted, {device} FROM {{rows}} CROSS JOIN devices WHERE {column} = r.wanted"
        )
    };
    let sql = format!(
        "{} UNION ALL {}",
        with("devices.enrolment_key"),
        with("devices.next_key")
    );
    let found = session.fetch_batch(&sql, batch).await?;
    let device = |row: &Row| Ok((row.hash("wanted")?, rows::device(row)));
    found.iter().map(device).collect()
}

/// The devices with these ids; one that cannot be read says nothing about the others.
pub(super) async fn find_by_ids(
    session: &mut Session,
    ids: &[DeviceId],
) -> Result<HashMap<DeviceId, Result<Device, Error>>, Error> {
    let batch = Batch {
        columns: &[("wanted", Kind::Blob)],
        rows: ids
            .iter()
            .map(|id| vec![id.as_bytes()[..].into()])
            .collect(),
    };
    let sql = format!(
        "SELECT {} FROM {{rows}} CROSS JOIN devices WHERE devices.id = r.wanted",
        rows::DEVICE
    );
    let found = session.fetch_batch(&sql, batch).await?;
    let device = |row: &Row| Ok((rows::device_id(row, "id")?, rows::device(row)));
    found.iter().map(device).collect()
}

pub(super) async fn change(
    work: &mut Work,
    id: DeviceId,
    change: &Change,
    by: &Act,
) -> Result<Device, Error> {
    change_by(work, id, change, None, by).await
}

/// The same; its record commits to the activation code that was used.
pub(super) async fn change_by(
    work: &mut Work,
    id: DeviceId,
    change: &Change,
    code: Option<Sha256>,
    by: &Act,
) -> Result<Device, Error> {
    let device = by_id(work, id).await?;
    let Some(changed) = device.apply(change, by.at)? else {
        log_code(work, &device, code.zip(new_key(change)), by);
        return Ok(device);
    };
    if let Some(key) = new_key(change) {
        check_key(work, &key, id).await?;
    }
    if let Change::Replace(Replacement::KeepName {
        manufactured: Some(made),
        ..
    }) = change
    {
        check_serial(work, made, id).await?;
    }
    if changed.action == Action::Replace {
        // A code that was made for the device before is not for the one after.
        let sql = "DELETE FROM codes WHERE device = $1 AND used_by IS NULL";
        let device = id.as_bytes()[..].into();
        work.session.tell(sql, vec![device]).await?;
    }
    write_change(work, &changed, by).await?;
    if changed.action == Action::Retire {
        people::count_retired(work, by).await?;
    }
    let mut entry = work.entry(changed.action, by);
    entry.name = Some(match &changed.name {
        NameChange::Renamed { old, .. } => old.to_string(),
        _ => changed.device.name.to_string(),
    });
    entry.spki_sha256 = new_key(change);
    entry.zone = Some(changed.device.zone.to_string());
    entry.detail_sha256 = code;
    if changed.action == Action::Replace {
        entry.detail_sha256 = work.detail(changed.device.commitment(), by).await?;
    }
    let is_taken = changed.action == Action::TakeName;
    entry.expires = match is_taken {
        true => changed.device.held_until(by.at),
        false => changed.device.waits_until(by.at),
    };
    work.log(entry);
    if !is_taken {
        log_taken(work, change, &changed.device, by);
    }
    if matches!(changed.name, NameChange::Renamed { .. }) {
        let mut entry = work.entry(Action::NewName, by);
        entry.name = Some(changed.device.name.to_string());
        entry.zone = Some(changed.device.zone.to_string());
        work.log(entry);
    }
    Ok(changed.device)
}

/// A device that has this key already, by another way, uses its code up all the same.
fn log_code(work: &mut Work, device: &Device, used: Option<(Sha256, Sha256)>, by: &Act) {
    let Some((code, key)) = used else {
        return;
    };
    let mut entry = work.entry(Action::Enrol, by);
    entry.name = Some(device.name.to_string());
    entry.zone = Some(device.zone.to_string());
    entry.spki_sha256 = Some(key);
    entry.detail_sha256 = Some(code);
    work.log(entry);
}

/// A name that two boxes have for a while is an act of its own.
fn log_taken(work: &mut Work, change: &Change, device: &Device, by: &Act) {
    let (Change::Replace(replacement), Some(until), None) =
        (change, device.hold.until, device.hold.free_from)
    else {
        return;
    };
    if let Replacement::KeepName { at_once: true, .. }
    | Replacement::KeepNameWithKey { at_once: true, .. } = replacement
    {
        let mut entry = work.entry(Action::TakeName, by);
        entry.name = Some(device.name.to_string());
        entry.spki_sha256 = new_key(change);
        entry.zone = Some(device.zone.to_string());
        entry.expires = Some(until);
        work.log(entry);
    }
}

/// Writes a change, but for its audit record.
pub(super) async fn write_change(
    work: &mut Work,
    changed: &Changed,
    by: &Act,
) -> Result<(), Error> {
    let Changed { device, name, .. } = changed;
    match name {
        NameChange::Kept => {}
        NameChange::Withdrawn => {
            let over = device.over_from();
            withdrawn::withdraw(work, &device.name, device, over, by.at).await?;
        }
        NameChange::Restored => withdrawn::restore(work, device).await?,
        NameChange::WithdrawnUntil { until } => withdrawn::end(work, device, *until).await?,
        NameChange::Renamed { old, over } => {
            give_name(work, device, by.at).await?;
            withdrawn::withdraw(work, old, device, *over, by.at).await?;
        }
    }
    update(&mut work.session, device).await
}

/// Gives a device its name, which nobody may have had before.
async fn give_name(work: &mut Work, device: &Device, now: UnixTime) -> Result<(), Error> {
    work.touch(device.name.as_str().as_bytes());
    let name = device.name.as_str();
    let sql = "SELECT name FROM names WHERE name = $1";
    let given = work.session.fetch_one(sql, vec![name.into()]).await?;
    let wanted = vec![vec![name.into()]];
    let was_given = !given::by_log(&mut work.session, wanted).await?.is_empty();
    if given.is_some() || was_given || lost::is_held(&mut work.session, name, now).await? {
        return Err(registry::Error::NameTaken.into());
    }
    let sql = "INSERT INTO names (name, device, zone, given) VALUES ($1, $2, $3, $4)";
    let values = vec![
        name.into(),
        device.id.as_bytes()[..].into(),
        device.zone.to_string().as_str().into(),
        now.into(),
    ];
    work.session.tell(sql, values).await
}

fn new_key(change: &Change) -> Option<Sha256> {
    match change {
        Change::Enrol { key }
        | Change::SwitchKey { key }
        | Change::Replace(Replacement::KeepNameWithKey { key, .. }) => Some(*key),
        Change::ClearClone
        | Change::FlagClone
        | Change::Replace(Replacement::KeepName { .. } | Replacement::NewName { .. })
        | Change::Resume
        | Change::Retire
        | Change::Suspend => None,
    }
}

/// A key tells devices apart, so no two may have the same.
async fn check_key(work: &mut Work, key: &Sha256, device: DeviceId) -> Result<(), Error> {
    work.touch(key.as_bytes());
    match find(&mut work.session, &Find::Key(*key)).await? {
        Some(other) if other.id != device => Err(registry::Error::KeyTaken.into()),
        _ => Ok(()),
    }
}

/// So does a serial number.
async fn check_serial(work: &mut Work, made: &Manufactured, device: DeviceId) -> Result<(), Error> {
    work.touch(made.serial.as_bytes());
    let taken = match find(&mut work.session, &Find::Manufactured(made.clone())).await? {
        Some(other) => other.id != device,
        None => !made.can_be_stored(),
    };
    match taken {
        true => Err(registry::Error::SerialTaken.into()),
        false => Ok(()),
    }
}

pub(super) async fn by_id(work: &mut Work, id: DeviceId) -> Result<Device, Error> {
    work.touch(id.as_bytes());
    let device = find(&mut work.session, &Find::Id(id)).await?;
    device.ok_or_else(|| registry::Error::UnknownDevice.into())
}

/// Writes all that can change of a device.
pub(super) async fn update(session: &mut Session, device: &Device) -> Result<(), Error> {
    let sql = "UPDATE devices SET state = $2, name = $3, epoch = $4, enrolment_key = $5, \
               next_key = $6, next_key_since = $7, credential_sha256 = $8, credential_spki = $9, \
               issued = $10, expires = $11, possible_clone = $12, changed = $13, \
               manufacturer = $14, serial = $15, held_until = $16, free_from = $17, \
               stays_withdrawn = $18, shown_sha256 = $19 WHERE id = $1";
    let next = device.next_key.as_ref();
    let held = device.credential.as_ref();
    let made = device.manufactured.as_ref();
    let values = vec![
        device.id.as_bytes()[..].into(),
        device.state.as_str().into(),
        device.name.as_str().into(),
        device.epoch.into(),
        device.key.as_ref().into(),
        next.map(|next| &next.spki_sha256).into(),
        next.map(|next| next.since).into(),
        held.map(|held| &held.sha256).into(),
        held.map(|held| &held.spki_sha256).into(),
        held.map(|held| held.issued).into(),
        held.map(|held| held.expires).into(),
        i64::from(device.possible_clone).into(),
        device.changed.into(),
        made.map(|made| made.manufacturer.as_str()).into(),
        made.map(|made| made.serial.as_str()).into(),
        device.hold.until.into(),
        device.hold.free_from.into(),
        i64::from(device.hold.withdrawn).into(),
        rows::shown_hash(device.shown).as_ref().into(),
    ];
    session.tell(sql, values).await
}
