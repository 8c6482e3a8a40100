//! The devices that a search means: each of its ways is looked up by an index, and takes bounded work.

use std::collections::BTreeSet;

use crate::Error;
use crate::connection::{Row, Session};
use crate::registry::{Crowd, Device, DeviceId, Search, Sha256, spelling_behind, spelling_from};
use crate::sql::Value;

use crate::operations::rows;

/// The devices that a search means.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The starts of external ids, in their order, none of which begins with another.
    pub(super) spellings: Vec<String>,
    /// Devices that it means in another way.
    pub(super) ids: BTreeSet<DeviceId>,
    /// In which ways it means too many.
    pub(super) crowded: BTreeSet<Crowd>,
}

impl Found {
    /// True of a device that it means.
    pub(super) fn means(&self, device: &Device) -> bool {
        self.spells(device) || self.ids.contains(&device.id)
    }

    /// True of a device whose external id begins so.
    pub(super) fn spells(&self, device: &Device) -> bool {
        let id = device.external_id.as_str();
        self.spellings.iter().any(|start| id.starts_with(start))
    }
}

pub(super) async fn look_up(session: &mut Session, search: &Search) -> Result<Found, Error> {
    let mut found = Found::default();
    if let Some(text) = search.external_id() {
        external_ids(session, text, &mut found).await?;
    }
    if let Some(name) = search.name() {
        names(session, &name, &mut found).await?;
    }
    if let Some((first, last)) = search.hashes() {
        hashes(session, first, last, &mut found).await?;
    }
    if let Some(code) = search.code() {
        let sql = "SELECT device AS id FROM codes WHERE id = $1";
        let values = vec![code.as_bytes()[..].into()];
        found.add(&session.fetch(sql, values).await?)?;
    }
    found.ids.extend(search.id());
    serials(session, &search.serials(), &mut found).await?;
    Ok(found)
}

/// From one spelling to the next one that is there, so that ids are found in capitals and small letters by an index that tells them
/// apart: each step asks for the first id that is not before a spelling.
async fn external_ids(session: &mut Session, text: &str, found: &mut Found) -> Result<(), Error> {
    let sql =
        "SELECT external_id FROM devices WHERE external_id >= $1 ORDER BY external_id LIMIT 1";
    let mut next = spelling_from(text, "");
    for _ in 0..MOST_STEPS {
        let Some(at) = next else { return Ok(()) };
        let Some(row) = session.fetch_one(sql, vec![at.as_str().into()]).await? else {
            return Ok(());
        };
        let id = row.text("external_id")?;
        next = match spelling_from(text, &id) {
            Some(spelling) if id.starts_with(&spelling) => {
                let behind = spelling_behind(&spelling);
                found.spellings.push(spelling);
                behind
            }
            behind => behind,
        };
        if found.spellings.len() >= MOST_SPELLINGS {
            break;
        }
    }
    if next.is_some() {
        found.crowded.insert(Crowd::ExternalIds);
    }
    Ok(())
}

/// Devices whose unique name begins so, or one that they had.
async fn names(session: &mut Session, start: &str, found: &mut Found) -> Result<(), Error> {
    let name = session.bytewise("name");
    let sql = format!(
        "SELECT device AS id FROM names WHERE {name} >= $1 AND {name} < $2 LIMIT {}",
        MOST + 1
    );
    let end = format!("{start}\x7f");
    let values = vec![start.into(), end.as_str().into()];
    let rows = session.fetch(sql, values).await?;
    found.add_few(&rows, Crowd::Names)
}

/// Devices one of whose enrolment keys or whose latest credential has such a SHA-256.
async fn hashes(
    session: &mut Session,
    first: Sha256,
    last: Sha256,
    found: &mut Found,
) -> Result<(), Error> {
    for column in ["enrolment_key", "next_key", "credential_sha256"] {
        let sql = format!(
            "SELECT id FROM devices WHERE {column} >= $1 AND {column} <= $2 LIMIT {}",
            MOST + 1
        );
        let values = vec![(&first).into(), (&last).into()];
        let rows = session.fetch(sql, values).await?;
        found.add_few(&rows, Crowd::Hashes)?;
    }
    Ok(())
}

/// Devices with this serial number of any manufacturer, of which there are few.
async fn serials(
    session: &mut Session,
    serials: &[String],
    found: &mut Found,
) -> Result<(), Error> {
    let sql = "SELECT MIN(manufacturer) AS manufacturer FROM devices WHERE manufacturer > $1";
    let mut last = String::new();
    for _ in 0..MOST_MANUFACTURERS {
        let row = session.fetch_one(sql, vec![last.as_str().into()]).await?;
        let next = row.map(|row| row.maybe_text("manufacturer")).transpose()?;
        let Some(manufacturer) = next.flatten() else {
            return Ok(());
        };
        for serial in serials {
            let sql = "SELECT id FROM devices WHERE manufacturer = $1 AND serial = $2";
            let values: Vec<Value> = vec![manufacturer.as_str().into(), serial.as_str().into()];
            found.add(&session.fetch(sql, values).await?)?;
        }
        last = manufacturer;
    }
    Ok(())
}

impl Found {
    fn add(&mut self, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            self.ids.insert(rows::device_id(row, "id")?);
        }
        Ok(())
    }

    /// All of them, or none if there are too many.
    fn add_few(&mut self, rows: &[Row], way: Crowd) -> Result<(), Error> {
        if rows.len() <= MOST {
            return self.add(rows);
        }
        self.crowded.insert(way);
        Ok(())
    }
}

/// The most devices that are looked at in one way.
const MOST: usize = 200;
/// The most mixtures of capitals and small letters.
const MOST_SPELLINGS: usize = 32;
/// The most looks for them.
const MOST_STEPS: usize = 500;
/// The most manufacturers.
const MOST_MANUFACTURERS: usize = 100;
