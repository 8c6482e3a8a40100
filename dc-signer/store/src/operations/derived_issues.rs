//! Comparing issue rows with the audit log, and what devices are said to hold with issue rows.

use std::collections::{BTreeMap, HashSet};

use crate::Error;
use crate::connection::Session;
use crate::registry::{Device, DeviceId, Record};
use crate::sql::{Batch, Kind, Value};

use super::{issues, rows};

/// A record of an issuance, for [`find`].
pub(super) fn row(record: &Record, name: &str) -> Vec<Value> {
    let entry = &record.entry;
    vec![
        record.seq.into(),
        name.into(),
        entry.credential_sha256.as_ref().into(),
        entry.spki_sha256.as_ref().into(),
        entry.time.into(),
        entry.expires.into(),
    ]
}

/// Looks for credentials in the table of their week; those that are missing, by their records, with their names.
pub(super) async fn find(
    session: &mut Session,
    week: u64,
    rows: Vec<Vec<Value>>,
) -> Result<Vec<(u64, String)>, Error> {
    let columns = &[
        ("seq", Kind::Int),
        ("wanted", Kind::Text),
        ("credential", Kind::Blob),
        ("spki", Kind::Blob),
        ("since", Kind::Int),
        ("until", Kind::Int),
    ];
    let sql = format!(
        "SELECT r.seq, r.wanted FROM {{rows}} WHERE NOT EXISTS (SELECT 1 FROM names \
         JOIN issues_{week} AS issues ON issues.device = names.device \
         WHERE names.name = r.wanted AND issues.issued = r.since AND issues.name = r.wanted \
         AND issues.credential_sha256 = r.credential AND issues.spki_sha256 = r.spki \
         AND issues.expires = r.until) ORDER BY r.seq"
    );
    let batch = Batch { columns, rows };
    let missing = session.fetch_batch(&sql, batch).await?;
    let missing = missing.iter();
    missing
        .map(|row| Ok((row.number("seq")?, row.text("wanted")?)))
        .collect()
}

/// The devices whose credential is not among those that were issued, as far as its week is kept.
pub(super) async fn unissued(
    session: &mut Session,
    devices: &[Device],
) -> Result<HashSet<DeviceId>, Error> {
    let weeks = issues::weeks(session, "SELECT week FROM issue_weeks").await?;
    let mut held: BTreeMap<u64, Vec<Vec<Value>>> = BTreeMap::new();
    for device in devices {
        if let Some(credential) = &device.credential {
            let row = vec![
                device.id.as_bytes()[..].into(),
                (&credential.sha256).into(),
                (&credential.spki_sha256).into(),
                credential.issued.into(),
                credential.expires.into(),
            ];
            let week = issues::week(credential.issued);
            held.entry(week).or_default().push(row);
        }
    }
    let mut unissued = HashSet::new();
    for (week, rows) in held {
        if !weeks.contains(&week) {
            // One that began before the first that is kept.
            if weeks.iter().any(|kept| *kept < week) {
                for row in &rows {
                    unissued.extend(id_of(row));
                }
            }
            continue;
        }
        let columns = &[
            ("wanted", Kind::Blob),
            ("credential", Kind::Blob),
            ("spki", Kind::Blob),
            ("since", Kind::Int),
            ("until", Kind::Int),
        ];
        let sql = format!(
            "SELECT r.wanted FROM {{rows}} WHERE NOT EXISTS (SELECT 1 FROM issues_{week} AS issues \
             WHERE issues.device = r.wanted AND issues.issued = r.since \
             AND issues.credential_sha256 = r.credential AND issues.spki_sha256 = r.spki \
             AND issues.expires = r.until)"
        );
        for row in session.fetch_batch(&sql, Batch { columns, rows }).await? {
            unissued.insert(rows::device_id(&row, "wanted")?);
        }
    }
    Ok(unissued)
}

fn id_of(row: &[Value]) -> Option<DeviceId> {
    match row.first() {
        Some(Value::Blob(Some(id))) => id.as_slice().try_into().ok().map(DeviceId::from_bytes),
        _ => None,
    }
}
