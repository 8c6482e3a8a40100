//! Comparing names with the audit log, record by record: a name that was given stays given, and is held, and withdrawn, for as long
//! as anything is valid that was issued for it.

use std::collections::BTreeMap;

use pki_types::UnixTime;

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, Mismatch, Record};
use crate::sql::{Batch, Kind, Value};

use super::findings::Found;

/// Looks for the names of some records.
pub(super) async fn check(
    session: &mut Session,
    records: &[Record],
    replayed: u64,
    found: &mut Found,
) -> Result<(), Error> {
    find_given(session, records, replayed, found).await?;
    find_held(session, records, found).await
}

/// A name that was given must be a device's. One of a newer log may be lost with its device.
async fn find_given(
    session: &mut Session,
    records: &[Record],
    replayed: u64,
    found: &mut Found,
) -> Result<(), Error> {
    let is_given = |record: &&Record| {
        record.seq > replayed && matches!(record.entry.action, Action::Add | Action::NewName)
    };
    let row = |record: &Record| -> Option<Vec<Value>> {
        let name = record.entry.name.as_deref()?;
        Some(vec![record.seq.into(), name.into()])
    };
    let batch = Batch {
        columns: &[("seq", Kind::Int), ("wanted", Kind::Text)],
        rows: records.iter().filter(is_given).filter_map(row).collect(),
    };
    if batch.rows.is_empty() {
        return Ok(());
    }
    let sql = "SELECT r.seq, r.wanted FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM names \
               JOIN devices ON devices.id = names.device WHERE names.name = r.wanted) ORDER BY r.seq";
    for row in session.fetch_batch(sql, batch).await? {
        let (what, name, seq) = ("name", row.text("wanted")?, row.number("seq")?);
        found.add(Mismatch::Removed { what, name, seq });
    }
    Ok(())
}

/// By its name, the record of the credential that ends last, and when that is.
type Last<'a> = BTreeMap<&'a str, (u64, UnixTime)>;

async fn find_held(
    session: &mut Session,
    records: &[Record],
    found: &mut Found,
) -> Result<(), Error> {
    let mut last = Last::new();
    for record in records {
        let entry = &record.entry;
        if let (Action::Issue, Some(name), Some(expires)) =
            (entry.action, &entry.name, entry.expires)
        {
            let known = last.entry(name).or_insert((record.seq, expires));
            if known.1 < expires {
                *known = (record.seq, expires);
            }
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    let row =
        |(name, (seq, until)): (&str, (u64, UnixTime))| vec![seq.into(), name.into(), until.into()];
    let batch = Batch {
        columns: &[
            ("seq", Kind::Int),
            ("wanted", Kind::Text),
            ("until", Kind::Int),
        ],
        rows: last.into_iter().map(row).collect(),
    };
    for row in session.fetch_batch(HELD, batch).await? {
        let is_own = row.number::<i64>("own")? == 1;
        let is_listed = row.number::<i64>("listed")? == 1;
        let (table, column, value) = match (is_own, is_listed) {
            (_, true) => ("names", "withdrawn_until", row.maybe_int("listed_until")?),
            (true, false) => ("devices", "held_until", row.maybe_int("held")?),
            (false, false) => ("lost_names", "free_from", row.maybe_int("free")?),
        };
        let expected = format!("not before {}", row.number::<i64>("until")?);
        found.add(Mismatch::Changed {
            table,
            row: row.text("wanted")?,
            column,
            seq: row.number("seq")?,
            expected,
            found: value.map_or_else(|| "none".to_owned(), |value| value.to_string()),
        });
    }
    Ok(())
}

/// Names whose credentials of records live longer than the hold on them, or than they are withdrawn.
const HELD: &str = "SELECT r.seq, r.wanted, r.until, \
    CAST(CASE WHEN devices.name = r.wanted THEN 1 ELSE 0 END AS BIGINT) AS own, \
    CAST(CASE WHEN names.withdrawn IS NOT NULL AND names.withdrawn_until <= r.until THEN 1 ELSE 0 END AS BIGINT) AS listed, \
    names.withdrawn_until AS listed_until, devices.held_until AS held, lost_names.free_from AS free \
    FROM {rows} LEFT JOIN names ON names.name = r.wanted \
    LEFT JOIN devices ON devices.id = names.device \
    LEFT JOIN lost_names ON lost_names.name = r.wanted \
    WHERE (names.withdrawn IS NOT NULL AND names.withdrawn_until <= r.until) \
    OR (devices.name = r.wanted AND COALESCE(devices.held_until, 0) < r.until \
        AND COALESCE(devices.expires, 0) < r.until) \
    OR (names.name IS NULL AND COALESCE(lost_names.free_from, 0) <= r.until) ORDER BY r.seq";
