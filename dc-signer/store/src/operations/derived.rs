//! Comparing what is derived from the audit log with the log: enrolment keys, operators, zones, shared secrets, and issue rows.
//!
//! Operators, zones and issue rows may be missing that came with a newer log to a restored backup: its records do not bring them
//! back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, Archive, Device, DeviceId, Mismatch, Operator, Record, Sha256};
use crate::sql::{Batch, Kind, Value};

use super::derived_secrets::{self, Secrets};
use super::issues::{self, WEEK};
use super::{operators, rows, zones};

/// The memory of a walk through the log: as large as there are operators, zones and weeks.
pub(super) struct Derived {
    /// The last record that says a newer log was applied; 0 if there is none.
    replayed: u64,
    /// By name, the last record about an operator, and the detail of the last that changed it.
    operators: BTreeMap<String, Noted>,
    /// By name, the last record about a zone, with its detail, which older ones have not.
    zones: BTreeMap<String, (u64, Option<Sha256>)>,
    secrets: Secrets,
    /// By its record, what it has to say of a part that is archived, and the part.
    archives: BTreeMap<u64, (Sha256, u64, u64)>,
    /// By week that is kept, how many credentials were issued.
    issued: BTreeMap<u64, u64>,
}

impl Derived {
    pub(super) async fn new(session: &mut Session) -> Result<Self, Error> {
        let replayed = derived_secrets::replayed(session).await?;
        let weeks = issues::weeks(session, "SELECT week FROM issue_weeks").await?;
        Ok(Self {
            replayed,
            operators: BTreeMap::new(),
            zones: BTreeMap::new(),
            secrets: Secrets::default(),
            archives: BTreeMap::new(),
            issued: weeks.into_iter().map(|week| (week, 0)).collect(),
        })
    }

    /// Remembers the next records, and looks for the credentials that they say were issued.
    pub(super) async fn follow(
        &mut self,
        session: &mut Session,
        records: &[Record],
    ) -> Result<(), Error> {
        let mut issued: BTreeMap<u64, Vec<Vec<Value>>> = BTreeMap::new();
        let mut missing: BTreeMap<u64, String> = BTreeMap::new();
        for record in records {
            let (seq, entry) = (record.seq, &record.entry);
            self.secrets.follow(record);
            match (entry.action, &entry.name, &entry.zone) {
                (
                    Action::ChangeOperator
                    | Action::DisableOperator
                    | Action::EnableOperator
                    | Action::RenewOperator,
                    Some(name),
                    _,
                ) => {
                    let noted = self.operators.entry(name.clone()).or_default();
                    noted.seq = seq;
                    noted.is_disabled = entry.action == Action::DisableOperator;
                    if !noted.is_disabled {
                        noted.detail = entry.detail_sha256;
                    }
                }
                (Action::Tidy, ..) => {
                    let said = |(commitment, ..): &(Sha256, u64, u64)| {
                        entry.detail_sha256 == Some(*commitment)
                    };
                    if self.archives.get(&seq).is_some_and(said) {
                        self.archives.remove(&seq);
                    }
                }
                (Action::NewZone | Action::ChangeZone, _, Some(zone)) => {
                    let noted = (seq, entry.detail_sha256);
                    self.zones.insert(zone.clone(), noted);
                }
                (Action::Issue | Action::IssueClient, Some(name), _) => match self.count(record) {
                    Kept::No => {}
                    Kept::In(week) => issued
                        .entry(week)
                        .or_default()
                        .push(issue_row(record, name)),
                    Kept::Removed => {
                        missing.insert(seq, name.clone());
                    }
                },
                _ => {}
            }
        }
        for (week, rows) in issued {
            missing.extend(find_issues(session, week, rows).await?);
        }
        match missing.pop_first() {
            Some((seq, name)) => Err(Mismatch::IssueMissing { name, seq }.into()),
            None => Ok(()),
        }
    }

    /// Counts a credential that was issued, and says where it must be found.
    fn count(&mut self, record: &Record) -> Kept {
        let week = issues::week(record.entry.time);
        let is_replayed = record.seq <= self.replayed;
        if let Some(count) = self.issued.get_mut(&week) {
            *count += 1;
            return match is_replayed {
                true => Kept::No,
                false => Kept::In(week),
            };
        }
        // Weeks go in their order, so none is missing behind one that was there before.
        let mut before = self.issued.range(..week);
        match !is_replayed && before.any(|(_, count)| *count > 0) {
            true => Kept::Removed,
            false => Kept::No,
        }
    }

    /// Remembers a part that is archived, which has to go on behind a record: its own record comes later.
    pub(super) fn archived(&mut self, archive: &Archive, after: u64) -> Result<(), Error> {
        let (first, last) = (archive.first, archive.end.seq);
        if first != after.saturating_add(1) || archive.record <= last {
            return Err(Mismatch::Archive { first, last }.into());
        }
        let said = (archive.commitment(), first, last);
        self.archives.insert(archive.record, said);
        Ok(())
    }

    /// Compares what is in the database with what the log says.
    pub(super) async fn check(self, session: &mut Session) -> Result<(), Error> {
        if let Some((_, first, last)) = self.archives.values().next() {
            let (first, last) = (*first, *last);
            return Err(Mismatch::Archive { first, last }.into());
        }
        check_devices(session, self.replayed).await?;
        self.check_operators(session).await?;
        self.check_zones(session).await?;
        self.secrets.check(session, self.replayed).await?;
        self.check_counts(session).await
    }

    async fn check_operators(&self, session: &mut Session) -> Result<(), Error> {
        let mut there = BTreeSet::new();
        for operator in operators::all(session).await? {
            let name = operator.name.to_string();
            let Some(noted) = self.operators.get(&name) else {
                return Err(no_record("the operator", name));
            };
            // What a newer log says of an operator is not in it, but that they are to be kept out.
            if noted.seq > self.replayed || noted.is_disabled {
                noted.check(operator)?;
            }
            there.insert(name);
        }
        let all = self.operators.iter();
        self.check_there(
            "operator",
            &there,
            all.map(|(name, noted)| (name, &noted.seq)),
        )
    }

    async fn check_zones(&self, session: &mut Session) -> Result<(), Error> {
        let mut there = BTreeSet::new();
        for zone in zones::all(session).await? {
            let name = zone.zone.to_string();
            let Some((seq, detail)) = self.zones.get(&name) else {
                return Err(no_record("the zone", name));
            };
            let is_other = detail.is_some_and(|detail| detail != zone.commitment());
            if *seq > self.replayed && is_other {
                let seq = *seq;
                return Err(Mismatch::ZoneChanged { name, seq }.into());
            }
            there.insert(name);
        }
        let all = self.zones.iter();
        self.check_there("zone", &there, all.map(|(name, (seq, _))| (name, seq)))
    }

    fn check_there<'a>(
        &self,
        what: &'static str,
        there: &BTreeSet<String>,
        mut records: impl Iterator<Item = (&'a String, &'a u64)>,
    ) -> Result<(), Error> {
        let missing = records.find(|(name, seq)| **seq > self.replayed && !there.contains(*name));
        match missing {
            Some((name, seq)) => {
                let (name, seq) = (name.clone(), *seq);
                Err(Mismatch::Removed { what, name, seq }.into())
            }
            None => Ok(()),
        }
    }

    /// No more may have been issued than the log says.
    async fn check_counts(&self, session: &mut Session) -> Result<(), Error> {
        for (week, records) in &self.issued {
            let sql = format!("SELECT COUNT(*) AS issued FROM issues_{week}");
            let row = session.fetch_one(sql, Vec::new()).await?;
            let rows = row.map_or(Ok(0), |row| row.number("issued"))?;
            if rows > *records {
                let (since, records) = (week.saturating_mul(WEEK.as_secs()), *records);
                return Err(Mismatch::IssuesWithoutRecord {
                    since,
                    rows,
                    records,
                }
                .into());
            }
        }
        Ok(())
    }
}

/// An operator, as the log says.
#[derive(Default)]
struct Noted {
    seq: u64,
    is_disabled: bool,
    /// None in older records.
    detail: Option<Sha256>,
}

impl Noted {
    fn check(&self, operator: Operator) -> Result<(), Error> {
        let (seq, name) = (self.seq, operator.name.to_string());
        if self.is_disabled && !operator.disabled {
            return Err(Mismatch::OperatorEnabled { name, seq }.into());
        }
        // Disabling may have changed that alone, or nothing.
        let enabled = Operator {
            disabled: false,
            ..operator.clone()
        };
        let is_it = |detail| {
            detail == operator.commitment() || self.is_disabled && detail == enabled.commitment()
        };
        match self.detail.is_none_or(is_it) {
            true => Ok(()),
            false => Err(Mismatch::OperatorChanged { name, seq }.into()),
        }
    }
}

/// The place of a credential that was issued.
enum Kept {
    /// In the table of a week.
    In(u64),
    /// Its week is not kept any more, or it came with a newer log.
    No,
    /// The table of its week should be there and is not.
    Removed,
}

fn issue_row(record: &Record, name: &str) -> Vec<Value> {
    vec![
        record.seq.into(),
        name.into(),
        record.entry.credential_sha256.as_ref().into(),
        record.entry.time.into(),
    ]
}

/// Looks for credentials in the table of their week; the first that is missing, by its record, with its name.
async fn find_issues(
    session: &mut Session,
    week: u64,
    rows: Vec<Vec<Value>>,
) -> Result<Option<(u64, String)>, Error> {
    let columns = &[
        ("seq", Kind::Int),
        ("wanted", Kind::Text),
        ("credential", Kind::Blob),
        ("since", Kind::Int),
    ];
    let sql = format!(
        "SELECT r.seq, r.wanted FROM {{rows}} WHERE NOT EXISTS (SELECT 1 FROM names \
         JOIN issues_{week} AS issues ON issues.device = names.device \
         WHERE names.name = r.wanted AND issues.issued = r.since AND issues.name = r.wanted \
         AND issues.credential_sha256 = r.credential) ORDER BY r.seq LIMIT 1"
    );
    let batch = Batch { columns, rows };
    let missing = session.fetch_batch(&sql, batch).await?;
    let first = missing.first();
    first
        .map(|row| Ok((row.number("seq")?, row.text("wanted")?)))
        .transpose()
}

fn no_record(what: &'static str, name: String) -> Error {
    Mismatch::NoRecord { what, name }.into()
}

/// All devices must have come by records, and have the keys that their last ones say.
async fn check_devices(session: &mut Session, replayed: u64) -> Result<(), Error> {
    let mut after: Vec<u8> = Vec::new();
    loop {
        let sql = format!(
            "SELECT {} FROM devices WHERE id > $1 ORDER BY id LIMIT 1000",
            rows::DEVICE
        );
        let rows = session.fetch(sql, vec![after.as_slice().into()]).await?;
        let devices: Vec<Device> = rows.iter().map(rows::device).collect::<Result<_, _>>()?;
        let Some(last) = devices.last() else {
            return Ok(());
        };
        let last = last.id.as_bytes().to_vec();
        let keys = keys(session, &after, &last).await?;
        for device in devices {
            check_keys(&device, keys.get(&device.id), replayed)?;
        }
        after = last;
    }
}

/// The keys of a device, by its records.
#[derive(Default)]
struct Keys {
    /// The last record that is about its ids and serial number, which added or replaced it, with its detail, which older ones have
    /// not.
    identity: Option<(u64, Action, Option<Sha256>)>,
    /// The record that added it is there.
    is_added: bool,
    /// The last record that is about its enrolment key, and what that is since.
    key: (u64, Option<Sha256>),
    next: Option<Sha256>,
}

/// The keys of the devices behind one up to another.
async fn keys(
    session: &mut Session,
    after: &[u8],
    last: &[u8],
) -> Result<HashMap<DeviceId, Keys>, Error> {
    let sql = "SELECT names.device, audit.seq, audit.action, audit.spki_sha256, \
               audit.detail_sha256 FROM names \
               JOIN audit ON audit.name = names.name WHERE names.device > $1 \
               AND names.device <= $2 AND audit.action <> 'issue' AND audit.action IN \
               ('add', 'enrol', 'finish-switch', 'replace', 'switch-key') ORDER BY audit.seq";
    let mut keys: HashMap<DeviceId, Keys> = HashMap::new();
    for row in session.fetch(sql, vec![after.into(), last.into()]).await? {
        let keys = keys.entry(rows::device_id(&row, "device")?).or_default();
        let spki = row.maybe_hash("spki_sha256")?;
        match row.parse("action")? {
            Action::SwitchKey => keys.next = spki,
            action => {
                let seq = row.number("seq")?;
                keys.is_added |= action == Action::Add;
                if matches!(action, Action::Add | Action::Replace) {
                    let detail = row.maybe_hash("detail_sha256")?;
                    keys.identity = Some((seq, action, detail));
                }
                (keys.key, keys.next) = ((seq, spki), None);
            }
        }
    }
    Ok(keys)
}

fn check_keys(device: &Device, keys: Option<&Keys>, replayed: u64) -> Result<(), Error> {
    let name = || device.name.to_string();
    let added = keys.filter(|keys| keys.is_added);
    let found = added.and_then(|keys| keys.identity.map(|identity| (keys, identity)));
    let Some((keys, (seq, action, detail))) = found else {
        return Err(no_record("the device", name()));
    };
    // A serial number that came with a newer log is not in it; ids do not change.
    let is_known = action == Action::Add || device.manufactured.is_some() || seq > replayed;
    let detail = detail.filter(|_| is_known);
    if detail.is_some_and(|detail| detail != device.commitment()) {
        return Err(Mismatch::Identity { name: name(), seq }.into());
    }
    let (seq, key) = keys.key;
    if device.key.is_some() && device.key != key {
        return Err(Mismatch::EnrolmentKey { name: name(), seq }.into());
    }
    let next = device.next_key.map(|next| next.spki_sha256);
    match next.is_some() && next != keys.next {
        true => Err(no_record("the next key of", name())),
        false => Ok(()),
    }
}
