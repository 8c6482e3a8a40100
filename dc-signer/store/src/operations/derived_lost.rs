//! Comparing names that a restored backup has lost with the audit log: records of a newer log made each row, and say until when it is
//! taken and since when it is withdrawn.

use std::collections::{BTreeMap, BTreeSet};

use pki_types::UnixTime;

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, Mismatch, Record, after};

use super::findings::Found;

/// The rows beside what the log says of them; as many as there are.
pub(super) struct LostNames {
    rows: BTreeMap<String, Row>,
    /// The last record of a newer log that was applied.
    replayed: u64,
}

struct Row {
    zone: String,
    free_from: UnixTime,
    withdrawn: Option<UnixTime>,
    /// Set if a device has it, or had it, and so it is not lost.
    is_devices: bool,
    /// The last record about it, and its zone.
    said: Option<(u64, Option<String>)>,
    /// When the last credential ends that was issued for it.
    until: Option<UnixTime>,
    /// The times of the records that may have withdrawn it.
    withdrawals: BTreeSet<UnixTime>,
}

impl LostNames {
    pub(super) async fn load(session: &mut Session, replayed: u64) -> Result<Self, Error> {
        let sql = "SELECT lost_names.name, lost_names.zone, lost_names.free_from, lost_names.withdrawn, \
                   CAST(CASE WHEN names.name IS NULL THEN 0 ELSE 1 END AS BIGINT) AS devices \
                   FROM lost_names LEFT JOIN names ON names.name = lost_names.name";
        let mut rows = BTreeMap::new();
        for row in session.fetch(sql, Vec::new()).await? {
            let lost = Row {
                zone: row.text("zone")?,
                free_from: row.time("free_from")?,
                withdrawn: row.maybe_time("withdrawn")?,
                is_devices: row.flag("devices")?,
                said: None,
                until: None,
                withdrawals: BTreeSet::new(),
            };
            rows.insert(row.text("name")?, lost);
        }
        Ok(Self { rows, replayed })
    }

    pub(super) fn follow(&mut self, record: &Record) {
        let (seq, entry) = (record.seq, &record.entry);
        let name = entry.name.as_ref().filter(|_| seq <= self.replayed);
        let Some(row) = name.and_then(|name| self.rows.get_mut(name)) else {
            return;
        };
        let zone = row.said.take().and_then(|(_, zone)| zone);
        row.said = Some((seq, entry.zone.clone().or(zone)));
        match entry.action {
            Action::Issue => row.until = row.until.max(entry.expires),
            Action::Suspend | Action::Retire | Action::Replace => {
                row.withdrawals.insert(entry.time);
            }
            _ => {}
        }
    }

    /// Issuances that are in archives alone are not known if `is_partial`.
    pub(super) fn check(self, is_partial: bool, found: &mut Found) {
        for (name, row) in self.rows {
            let said = row.said.clone().filter(|_| !row.is_devices);
            let is_known = is_partial || row.until.is_some();
            let Some((seq, zone)) = said.filter(|_| is_known) else {
                let what = "the lost name";
                found.add(Mismatch::NoRecord { what, name });
                continue;
            };
            row.compare(&name, seq, zone, found);
        }
    }
}

impl Row {
    /// That it is not free too early is compared for each issuance.
    fn compare(&self, name: &str, seq: u64, zone: Option<String>, found: &mut Found) {
        let mut changed = |column, expected: String, there: String| {
            found.add(Mismatch::Changed {
                table: "lost_names",
                row: name.to_owned(),
                column,
                seq,
                expected,
                found: there,
            });
        };
        let secs = |time: UnixTime| time.as_secs().to_string();
        if let Some(zone) = zone.filter(|zone| *zone != self.zone) {
            changed("zone", zone, self.zone.clone());
        }
        if let Some(until) = self.until.map(after)
            && until < self.free_from
        {
            changed("free_from", secs(until), secs(self.free_from));
        }
        let since = self.withdrawn;
        if let Some(at) = since.filter(|at| !self.withdrawals.contains(at)) {
            let last = self.withdrawals.last().copied();
            let expected = last.map_or_else(|| "none".to_owned(), secs);
            changed("withdrawn", expected, secs(at));
        }
    }
}
