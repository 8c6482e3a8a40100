//! Comparing what is derived from the audit log with the log: operators, zones, and issue rows; the rest is in files of its own.
//!
//! Records that came with a newer log to a restored backup put nothing there: each row is as the last record says that was done here.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::connection::Session;
use crate::registry::{
    Action, ActorFault, Actors, Archive, Certain, Mismatch, Record, Sha256, Zone,
};
use crate::sql::Value;

use super::derived_devices::{self, Past};
use super::derived_lost::LostNames;
use super::derived_people::People;
use super::derived_secrets::{Secrets, last};
use super::derived_slots::Slots;
use super::findings::Found;
use super::issues::{self, WEEK};
use super::noted::Noted;
use super::replays::Replays;
use super::{derived_issues, derived_lives, derived_names, operators, withdrawn, zones};

/// The memory of a walk through the log: as large as there are operators, zones and weeks.
pub(super) struct Derived {
    past: Past,
    replays: Replays,
    /// By name, the last record about an operator, and the detail of the last that changed it.
    operators: BTreeMap<String, Noted>,
    /// By name, the last record about a zone, with its detail, which older ones have not.
    zones: BTreeMap<String, (u64, Option<Sha256>)>,
    /// By name, the record that removed a zone.
    removed_zones: BTreeMap<String, u64>,
    secrets: Secrets,
    slots: Slots,
    people: People,
    actors: Actors,
    /// The first record with a hash of what it set.
    committed: Option<u64>,
    /// By its record, what it has to say of a part that is archived, and the part.
    archives: BTreeMap<u64, (Sha256, u64, u64)>,
    /// Records of parts that are not there.
    tidied: Vec<u64>,
    lost: LostNames,
    /// By zone, how often records can have changed its list of withdrawn names.
    lists: BTreeMap<String, u64>,
    /// Set if issuances are in archives that were not given.
    is_partial: bool,
    /// By week that is kept, how many credentials were issued.
    issued: BTreeMap<u64, u64>,
}

impl Derived {
    pub(super) async fn new(session: &mut Session) -> Result<Self, Error> {
        let weeks = issues::weeks(session, "SELECT week FROM issue_weeks").await?;
        let past = Past {
            replayed: last(session, "replay").await?,
            accepted: last(session, "accept-older").await?,
        };
        Ok(Self {
            past,
            replays: Replays::load(session).await?,
            operators: BTreeMap::new(),
            zones: BTreeMap::new(),
            removed_zones: BTreeMap::new(),
            secrets: Secrets::default(),
            slots: Slots::default(),
            people: People::default(),
            actors: Actors::default(),
            committed: None,
            archives: BTreeMap::new(),
            tidied: Vec::new(),
            lost: LostNames::load(session, past.replayed).await?,
            lists: BTreeMap::new(),
            is_partial: false,
            issued: weeks.into_iter().map(|week| (week, 0)).collect(),
        })
    }

    /// Remembers the next records, and looks for the names and credentials that they say were given.
    pub(super) async fn follow(
        &mut self,
        session: &mut Session,
        records: &[Record],
        found: &mut Found,
    ) -> Result<(), Error> {
        let mut issued: BTreeMap<u64, Vec<Vec<Value>>> = BTreeMap::new();
        let mut missing: BTreeMap<u64, String> = BTreeMap::new();
        for record in records {
            let (seq, entry) = (record.seq, &record.entry);
            self.slots.follow(record, &self.replays, found);
            self.slots.check_end(record, found);
            let is_elsewhere = self.replays.is_elsewhere(seq);
            if !is_elsewhere {
                self.secrets.follow(record);
            }
            // Whoever brings the newer log says so before the record of that.
            if !is_elsewhere || entry.action == Action::BreakGlass {
                self.people.follow(record, &self.replays);
            }
            self.lost.follow(record);
            match self.actors.follow(record, !is_elsewhere) {
                Ok(()) => found.acknowledged(record),
                Err(why) => found.add(Mismatch::of_actor(record, why)),
            }
            if let Some(alone) = self.actors.left_alone() {
                found.add(Mismatch::of_actor(&alone, ActorFault::NothingTookOver));
            }
            self.check_committed(record, found);
            self.note(record);
            if let (Action::Issue | Action::IssueClient, Some(name)) = (entry.action, &entry.name) {
                match self.count(record) {
                    Kept::No => {}
                    Kept::In(week) => issued
                        .entry(week)
                        .or_default()
                        .push(derived_issues::row(record, name)),
                    Kept::Removed => {
                        missing.insert(seq, name.clone());
                    }
                }
            }
        }
        for (week, rows) in issued {
            missing.extend(derived_issues::find(session, week, rows).await?);
        }
        for (seq, name) in missing {
            found.add(Mismatch::IssueMissing { name, seq });
        }
        let replayed = self.past.replayed;
        derived_lives::check(session, records, Certain { replayed }, found).await?;
        derived_names::check(session, records, replayed, found).await
    }

    /// Acts without a hash are compared with nothing: so a log that has hashes has them in each record of such an act.
    fn check_committed(&mut self, record: &Record, found: &mut Found) {
        let (seq, action) = (record.seq, record.entry.action);
        match (record.entry.detail_sha256, self.committed) {
            // Whoever writes hashes says where a newer log began.
            (_, Some(first)) if self.replays.hides_all_before(seq) => {
                found.add(Mismatch::Bare { action, seq, first });
            }
            _ if !action.is_committed() => {}
            (Some(_), None) => self.committed = Some(seq),
            (None, Some(first)) => found.add(Mismatch::Bare { action, seq, first }),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Remembers a record about an operator, a zone or an archive.
    fn note(&mut self, record: &Record) {
        let (seq, entry) = (record.seq, &record.entry);
        if let Some(zone) = &entry.zone {
            *self.lists.entry(zone.clone()).or_default() +=
                derived_devices::list_changes(entry.action);
        }
        if self.replays.is_elsewhere(seq) {
            return self.keep_out(record);
        }
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
                noted.disabled_by = (entry.action == Action::DisableOperator).then_some(seq);
                let is_here = self.replays.is_here(seq);
                if noted.disabled_by.is_none() || !is_here {
                    noted.detail = entry.detail_sha256.filter(|_| is_here);
                }
            }
            (Action::Tidy, ..) => {
                let said = self.archives.get(&seq).map(|(commitment, ..)| *commitment);
                match said {
                    Some(said) if entry.detail_sha256 == Some(said) => {
                        self.archives.remove(&seq);
                    }
                    // It is said below that it is not as it says.
                    Some(_) => {}
                    None => self.tidied.push(seq),
                }
            }
            (Action::NewZone | Action::ChangeZone, _, Some(zone)) => {
                self.zones.insert(zone.clone(), (seq, entry.detail_sha256));
            }
            (Action::RemoveZone, _, Some(zone)) => {
                self.zones.remove(zone);
                self.removed_zones.insert(zone.clone(), seq);
            }
            _ => {}
        }
    }

    /// Remembers that an operator is kept out because of a record that came with a newer log.
    fn keep_out(&mut self, record: &Record) {
        let entry = &record.entry;
        if let Action::ChangeOperator | Action::DisableOperator = entry.action
            && let Some(name) = &entry.name
            && let Some(noted) = self.operators.get_mut(name)
        {
            noted.keep_out(record.seq, entry.detail_sha256);
        }
    }

    /// Counts a credential that was issued, and says where it must be found.
    fn count(&mut self, record: &Record) -> Kept {
        let week = issues::week(record.entry.time);
        if self.replays.is_elsewhere(record.seq) {
            return Kept::No;
        }
        let is_replayed = !self.replays.is_here(record.seq);
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
    pub(super) fn archived(&mut self, archive: &Archive, after: u64, found: &mut Found) {
        let (first, last) = (archive.first, archive.end.seq);
        if first != after.saturating_add(1) || archive.record <= last {
            found.add(Mismatch::Archive { first, last });
            return;
        }
        let said = (archive.commitment(), first, last);
        self.archives.insert(archive.record, said);
    }

    /// Issuances are in archives that were not given.
    pub(super) fn is_partial(&mut self) {
        self.is_partial = true;
    }

    /// Compares what is in the database with what the log says.
    pub(super) async fn check(
        mut self,
        session: &mut Session,
        found: &mut Found,
    ) -> Result<(), Error> {
        if let Some(alone) = self.actors.end() {
            found.add(Mismatch::of_actor(&alone, ActorFault::NothingTookOver));
        }
        for (_, first, last) in self.archives.values() {
            let (first, last) = (*first, *last);
            found.add(Mismatch::Archive { first, last });
        }
        for seq in self.tidied.iter().filter(|seq| self.replays.is_here(**seq)) {
            let (what, name, seq) = ("archive", seq.to_string(), *seq);
            found.add(Mismatch::Removed { what, name, seq });
        }
        let changes = derived_devices::check(session, self.past, found).await?;
        self.check_operators(session, found).await?;
        self.check_zones(session, &changes, found).await?;
        self.check_counts(session, found).await?;
        let replays = &self.replays;
        self.lost.check(self.is_partial, found);
        self.secrets.check(session, replays, found).await?;
        self.slots.check(session, replays, found).await?;
        self.people.check(session, replays, found).await
    }

    async fn check_operators(&self, session: &mut Session, found: &mut Found) -> Result<(), Error> {
        let mut there = BTreeSet::new();
        for operator in operators::all(session).await? {
            let name = operator.name.to_string();
            match self.operators.get(&name) {
                None => found.add(no_record("the operator", name.clone())),
                Some(noted) => found.check(noted.check(operator)),
            }
            there.insert(name);
        }
        let all = self.operators.iter();
        let all = all.map(|(name, noted)| (name, &noted.seq));
        self.check_there("operator", &there, all, found);
        Ok(())
    }

    async fn check_zones(
        &self,
        session: &mut Session,
        changes: &BTreeMap<String, u64>,
        found: &mut Found,
    ) -> Result<(), Error> {
        let mut there = BTreeSet::new();
        for zone in zones::all(session).await? {
            let name = zone.zone.to_string();
            match self.zones.get(&name) {
                // It was removed where the newer log was written, and not here.
                None if self.is_removed_elsewhere(&name) => {}
                None => found.add(no_record("the zone", name.clone())),
                Some(said) => self.check_zone(&zone, *said, changes, found),
            }
            there.insert(name);
        }
        let all = self.zones.iter().map(|(name, (seq, _))| (name, seq));
        self.check_there("zone", &there, all, found);
        Ok(())
    }

    fn is_removed_elsewhere(&self, zone: &str) -> bool {
        let seq = self.removed_zones.get(zone);
        seq.is_some_and(|seq| *seq <= self.past.replayed)
    }

    fn check_zone(
        &self,
        zone: &Zone,
        (seq, detail): (u64, Option<Sha256>),
        changes: &BTreeMap<String, u64>,
        found: &mut Found,
    ) {
        let name = zone.zone.to_string();
        let is_other = detail.is_some_and(|detail| detail != zone.commitment());
        // Of changes that came with a newer log some were none here.
        let least = changes.get(&name).copied();
        let least = least.filter(|_| self.past.replayed == 0).unwrap_or(0);
        let most = self.lists.get(&name).copied().unwrap_or(0);
        let number = zone.withdrawn_sequence;
        if !(least..=most).contains(&number) {
            found.add(Mismatch::Changed {
                table: "zones",
                row: name.clone(),
                column: "withdrawn_sequence",
                seq,
                expected: format!("{least} or more, and {most} at most"),
                found: match number {
                    withdrawn::NONE => "no number".to_owned(),
                    number => number.to_string(),
                },
            });
        }
        if self.replays.is_here(seq) && is_other {
            found.add(Mismatch::ZoneChanged { name, seq });
        }
    }

    fn check_there<'a>(
        &self,
        what: &'static str,
        there: &BTreeSet<String>,
        records: impl Iterator<Item = (&'a String, &'a u64)>,
        found: &mut Found,
    ) {
        let is_missing =
            |(name, seq): &(&String, &u64)| self.replays.is_here(**seq) && !there.contains(*name);
        for (name, seq) in records.filter(is_missing) {
            let (name, seq) = (name.clone(), *seq);
            found.add(Mismatch::Removed { what, name, seq });
        }
    }

    /// No more may have been issued than the log says.
    async fn check_counts(&self, session: &mut Session, found: &mut Found) -> Result<(), Error> {
        for (week, records) in &self.issued {
            let sql = format!("SELECT COUNT(*) AS issued FROM issues_{week}");
            let row = session.fetch_one(sql, Vec::new()).await?;
            let rows = row.map_or(Ok(0), |row| row.number("issued"))?;
            if rows > *records {
                let (since, records) = (week.saturating_mul(WEEK.as_secs()), *records);
                found.add(Mismatch::IssuesWithoutRecord {
                    since,
                    rows,
                    records,
                });
            }
        }
        Ok(())
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

fn no_record(what: &'static str, name: String) -> Error {
    Mismatch::NoRecord { what, name }.into()
}
