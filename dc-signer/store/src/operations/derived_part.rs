//! Some devices at once, to be compared: their rows, their names and codes, and their records.

use std::collections::{HashMap, HashSet};

use pki_types::UnixTime;

use crate::Error;
use crate::connection::{Row, Session};
use crate::registry::{DeviceId, PendingCode, Record};

use super::rows;

/// Some devices by their ids: all that is known of them.
pub(super) struct Part {
    pub(super) records: HashMap<DeviceId, Vec<Record>>,
    pub(super) names: HashMap<DeviceId, Vec<Name>>,
    pub(super) codes: HashMap<DeviceId, Vec<PendingCode>>,
    /// Devices whose credential is not among those that were issued.
    pub(super) unissued: HashSet<DeviceId>,
}

/// A row of the names.
pub(super) struct Name {
    pub(super) name: String,
    pub(super) zone: String,
    pub(super) given: UnixTime,
    pub(super) withdrawn: Option<UnixTime>,
    pub(super) until: Option<UnixTime>,
}

impl Part {
    pub(super) async fn load(
        session: &mut Session,
        after: &[u8],
        last: &[u8],
    ) -> Result<Self, Error> {
        let range = || vec![after.into(), last.into()];
        let sql = format!(
            "SELECT names.device, {} FROM names JOIN audit ON audit.name = names.name \
             WHERE names.device > $1 AND names.device <= $2 AND audit.action <> 'issue' \
             AND audit.action IN ({ACTS}) ORDER BY audit.seq",
            rows::RECORD
        );
        let mut records: HashMap<DeviceId, Vec<Record>> = HashMap::new();
        for row in session.fetch(sql, range()).await? {
            let of_device = records.entry(rows::device_id(&row, "device")?).or_default();
            of_device.push(rows::record(&row)?);
        }
        let sql = "SELECT device, name, zone, given, withdrawn, withdrawn_until FROM names \
                   WHERE device > $1 AND device <= $2 ORDER BY name";
        let mut names: HashMap<DeviceId, Vec<Name>> = HashMap::new();
        for row in session.fetch(sql, range()).await? {
            let of_device = names.entry(rows::device_id(&row, "device")?).or_default();
            of_device.push(name(&row)?);
        }
        let sql = format!(
            "SELECT {} FROM codes WHERE device > $1 AND device <= $2 ORDER BY id",
            rows::CODE
        );
        let mut codes: HashMap<DeviceId, Vec<PendingCode>> = HashMap::new();
        for row in session.fetch(sql, range()).await? {
            let code = rows::code(&row)?;
            codes.entry(code.device).or_default().push(code);
        }
        Ok(Self {
            records,
            names,
            codes,
            unissued: HashSet::new(),
        })
    }
}

fn name(row: &Row) -> Result<Name, Error> {
    Ok(Name {
        name: row.text("name")?,
        zone: row.text("zone")?,
        given: row.time("given")?,
        withdrawn: row.maybe_time("withdrawn")?,
        until: row.maybe_time("withdrawn_until")?,
    })
}

/// The acts that change a device, its names or its codes.
const ACTS: &str = "'add', 'enrol', 'finish-switch', 'replace', 'switch-key', 'suspend', 'resume', \
    'retire', 'new-name', 'take-name', 'flag-clone', 'clear-clone', 'new-code'";
