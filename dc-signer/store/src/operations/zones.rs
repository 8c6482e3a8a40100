//! Zones and their slots.

use std::collections::BTreeMap;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{self, Action, Forms, Slot, SlotState, Zone};
use crate::sql::Value;
use crate::{Act, Error, NewSlot, NewZone, Store};
use dc_pki::names::ZoneName;

use super::rows;
use super::work::Work;

impl Store {
    /// Adds a zone without delegation certificates.
    ///
    /// Fails with [`ZoneExists`](crate::registry::Error::ZoneExists).
    pub async fn add_zone(&self, zone: &NewZone, by: &Act) -> Result<(), Error> {
        self.write("add_zone", async |work| add(work, zone, by).await)
            .await
    }

    /// All zones with their slots, by name.
    pub async fn zones(&self) -> Result<Vec<Zone>, Error> {
        self.snapshot("zones", async |session| all(session).await)
            .await
    }

    /// Changes which forms a zone's devices get.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn set_forms(&self, zone: &ZoneName, forms: Forms, by: &Act) -> Result<(), Error> {
        self.write("set_forms", async |work| {
            set_forms(work, zone, forms, by).await
        })
        .await
    }

    /// Asks the devices of a zone whose credential was issued before a time to renew now; `None`
    /// takes that back.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn pull_renewals(
        &self,
        zone: &ZoneName,
        issued_before: Option<UnixTime>,
        by: &Act,
    ) -> Result<(), Error> {
        self.write("pull_renewals", async |work| {
            pull_renewals(work, zone, issued_before, by).await
        })
        .await
    }

    /// Gives a delegation certificate the next number of its zone, in state `next`.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone) and
    /// [`SlotExists`](crate::registry::Error::SlotExists).
    pub async fn import_slot(&self, slot: &NewSlot, by: &Act) -> Result<u32, Error> {
        self.write("import_slot", async |work| {
            import_slot(work, slot, by).await
        })
        .await
    }

    /// Moves a slot on, as [`Zone::move_slot`] does, and says how the zone is now.
    ///
    /// Replicas that ask at the same time get the same answer. Fails as `move_slot` does, and with
    /// [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn move_slot(
        &self,
        zone: &ZoneName,
        number: u32,
        to: SlotState,
        by: &Act,
    ) -> Result<Zone, Error> {
        self.write("move_slot", async |work| {
            move_slot(work, zone, number, to, by).await
        })
        .await
    }
}

pub(super) async fn add(work: &mut Work, new: &NewZone, by: &Act) -> Result<(), Error> {
    if load(&mut work.session, &new.zone).await?.is_some() {
        return Err(registry::Error::ZoneExists.into());
    }
    let zone = new.zone.to_string();
    let sql = "INSERT INTO zones (zone, forms) VALUES ($1, $2)";
    let values = vec![zone.as_str().into(), new.forms.as_str().into()];
    work.session.execute(sql, values).await?;
    log(work, Action::NewZone, &new.zone, by);
    Ok(())
}

pub(super) async fn all(session: &mut Session) -> Result<Vec<Zone>, Error> {
    let sql = format!("SELECT {} FROM zones ORDER BY zone", rows::ZONE);
    let zones = session.fetch(sql, Vec::new()).await?;
    let mut slots: BTreeMap<String, Vec<Slot>> = BTreeMap::new();
    let sql = format!("SELECT {} FROM slots ORDER BY zone, number", rows::SLOT);
    for row in session.fetch(sql, Vec::new()).await? {
        let of_zone = slots.entry(row.text("zone")?).or_default();
        of_zone.push(rows::slot(&row)?);
    }
    let with_slots = |row| {
        let mut zone = managed(row)?;
        zone.slots = slots.remove(&zone.zone.to_string()).unwrap_or_default();
        Ok(zone)
    };
    zones.iter().map(with_slots).collect()
}

async fn load(session: &mut Session, zone: &ZoneName) -> Result<Option<Zone>, Error> {
    let name: Value = zone.to_string().as_str().into();
    let sql = format!("SELECT {} FROM zones WHERE zone = $1", rows::ZONE);
    let Some(row) = session.fetch_one(sql, vec![name.clone()]).await? else {
        return Ok(None);
    };
    let mut zone = managed(&row)?;
    let slot = rows::SLOT;
    let sql = format!("SELECT {slot} FROM slots WHERE zone = $1 ORDER BY number");
    let slots = session.fetch(sql, vec![name]).await?;
    zone.slots = slots.iter().map(rows::slot).collect::<Result<_, _>>()?;
    Ok(Some(zone))
}

fn managed(row: &Row) -> Result<Zone, Error> {
    Ok(Zone {
        zone: rows::zone(row, "zone")?,
        forms: row.parse("forms")?,
        renew_issued_before: row.maybe_time("renew_issued_before")?,
        withdrawn_sequence: row.number("withdrawn_sequence")?,
        slots: Vec::new(),
    })
}

pub(super) async fn set_forms(
    work: &mut Work,
    zone: &ZoneName,
    forms: Forms,
    by: &Act,
) -> Result<(), Error> {
    let sql = "UPDATE zones SET forms = $2 WHERE zone = $1";
    set(work, zone, sql, forms.as_str().into(), by).await
}

pub(super) async fn pull_renewals(
    work: &mut Work,
    zone: &ZoneName,
    issued_before: Option<UnixTime>,
    by: &Act,
) -> Result<(), Error> {
    let sql = "UPDATE zones SET renew_issued_before = $2 WHERE zone = $1";
    set(work, zone, sql, issued_before.into(), by).await
}

async fn set(
    work: &mut Work,
    zone: &ZoneName,
    sql: &'static str,
    value: Value,
    by: &Act,
) -> Result<(), Error> {
    let values = vec![zone.to_string().as_str().into(), value];
    if work.session.execute(sql, values).await? == 0 {
        return Err(registry::Error::UnknownZone.into());
    }
    log(work, Action::ChangeZone, zone, by);
    Ok(())
}

pub(super) async fn import_slot(work: &mut Work, new: &NewSlot, by: &Act) -> Result<u32, Error> {
    let zone = load(&mut work.session, &new.zone).await?;
    let zone = zone.ok_or(registry::Error::UnknownZone)?;
    let same = |slot: &&Slot| slot.certificate_sha256 == new.certificate_sha256;
    if let Some(slot) = zone.slots.iter().find(same) {
        let number = slot.number;
        return Err(registry::Error::SlotExists { number }.into());
    }
    let last = zone.slots.iter().map(|slot| slot.number).max();
    let slot = Slot {
        number: last.unwrap_or(0) + 1,
        state: SlotState::Next,
        certificate_sha256: new.certificate_sha256,
        not_before: new.not_before,
        not_after: new.not_after,
        since: by.at,
    };
    let sql = "INSERT INTO slots (zone, number, state, certificate_sha256, not_before, not_after, \
               since) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = vec![
        new.zone.to_string().as_str().into(),
        slot.number.into(),
        slot.state.as_str().into(),
        (&slot.certificate_sha256).into(),
        slot.not_before.into(),
        slot.not_after.into(),
        slot.since.into(),
    ];
    work.session.execute(sql, values).await?;
    log_slot(work, &new.zone, &slot, by);
    Ok(slot.number)
}

pub(super) async fn move_slot(
    work: &mut Work,
    zone: &ZoneName,
    number: u32,
    to: SlotState,
    by: &Act,
) -> Result<Zone, Error> {
    let found = load(&mut work.session, zone).await?;
    let mut managed = found.ok_or(registry::Error::UnknownZone)?;
    let mut changed = managed.move_slot(number, to, by.at)?;
    // The index allows one active slot at any moment, so the old one leaves first.
    changed.sort_by_key(|slot| slot.state == SlotState::Active);
    for slot in &changed {
        let sql = "UPDATE slots SET state = $3, since = $4 WHERE zone = $1 AND number = $2";
        let values = vec![
            zone.to_string().as_str().into(),
            slot.number.into(),
            slot.state.as_str().into(),
            slot.since.into(),
        ];
        work.session.execute(sql, values).await?;
        log_slot(work, zone, slot, by);
    }
    Ok(managed)
}

fn log_slot(work: &mut Work, zone: &ZoneName, slot: &Slot, by: &Act) {
    let action = match slot.state {
        SlotState::Next => Action::ImportSlot,
        SlotState::Active => Action::ActivateSlot,
        SlotState::Draining => Action::DrainSlot,
        SlotState::Gone => Action::EndSlot,
    };
    let mut entry = work.entry(action, by);
    entry.zone = Some(zone.to_string());
    entry.credential_sha256 = Some(slot.certificate_sha256);
    entry.expires = Some(slot.not_after);
    work.log(entry);
}

fn log(work: &mut Work, action: Action, zone: &ZoneName, by: &Act) {
    let mut entry = work.entry(action, by);
    entry.zone = Some(zone.to_string());
    work.log(entry);
}
