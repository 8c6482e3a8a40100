//! The makers of operators, and of what takes two: a record that gives a right counts if whoever's act it is could do that, and whoever
//! had made them, back to the first one. It is looked at once, since what is before a record does not change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Error;
use crate::connection::Session;
use crate::registry::{Action, ActorFault, Actors, Mismatch, Record, Sha256, operators_of};
use crate::sql::Value;

use super::replays::Replays;
use super::rows;

/// The records that were looked at already, by their hashes: why they could not be done, if so.
#[derive(Debug, Default)]
pub(super) struct Sound(Mutex<BTreeMap<Sha256, Option<ActorFault>>>);

impl Sound {
    /// Checks a record that made or changed an operator.
    ///
    /// Fails with [`Mismatch::OperatorMadeWrongly`].
    pub(super) async fn check(&self, session: &mut Session, record: &Record) -> Result<(), Error> {
        match self.fault(session, record).await? {
            None => Ok(()),
            Some(why) => Err(Mismatch::OperatorMadeWrongly {
                name: record.entry.name.clone().unwrap_or_default(),
                seq: record.seq,
                actor: record.entry.actor.clone(),
                why,
            }
            .into()),
        }
    }

    /// The reason that a record's actor could not do it; none if they could.
    pub(super) async fn fault(
        &self,
        session: &mut Session,
        record: &Record,
    ) -> Result<Option<ActorFault>, Error> {
        let hash = record.hash();
        if let Some(known) = self.known().get(&hash) {
            return Ok(*known);
        }
        let mut lineage = Lineage::default();
        lineage.gather(session, record).await?;
        let replays = Replays::load(session).await?;
        let fault = lineage.follow_to(record, &replays).err();
        self.known().insert(hash, fault);
        Ok(fault)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Sha256, Option<ActorFault>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All records that say whether somebody could make an operator, by their numbers.
#[derive(Default)]
struct Lineage {
    records: BTreeMap<u64, Record>,
}

impl Lineage {
    async fn gather(&mut self, session: &mut Session, last: &Record) -> Result<(), Error> {
        // Word for word the conditions of the indexes; of the first one the log begins with its record.
        for condition in [
            "action = 'change-approval'",
            "action = 'break-glass'",
            "action <> 'issue' AND name IS NOT NULL AND action = 'change-operator'",
        ] {
            let limit = match condition.ends_with("'change-operator'") {
                true => "LIMIT 1",
                false => "",
            };
            let sql = format!(
                "SELECT {} FROM audit WHERE {condition} ORDER BY seq {limit}",
                rows::RECORD
            );
            self.add(session, sql, Vec::new()).await?;
        }
        let mut known = BTreeSet::new();
        let mut open: Vec<String> = last.entry.name.iter().cloned().collect();
        for record in self.certificates(session, last).await? {
            open.extend(self.actors_of(session, &record).await?);
        }
        open.extend(self.actors_of(session, last).await?);
        while let Some(name) = open.pop() {
            if !known.insert(name.clone()) {
                continue;
            }
            let sql = format!(
                "SELECT {} FROM audit WHERE name = $1 AND action <> 'issue' AND action IN \
                 ('change-operator', 'renew-operator', 'enable-operator', 'disable-operator')",
                rows::RECORD
            );
            let records = self.add(session, sql, vec![name.as_str().into()]).await?;
            for record in records.iter().filter(|record| record.seq <= last.seq) {
                open.extend(self.actors_of(session, record).await?);
            }
        }
        Ok(())
    }

    /// Gathers what was done with the certificate that a record ends: when it was used and drained, and what took over from it, with where
    /// that came from. Says which of them are whose acts have to be looked at too.
    async fn certificates(
        &mut self,
        session: &mut Session,
        last: &Record,
    ) -> Result<Vec<Record>, Error> {
        let (Action::EndDelegation, Some(ended)) =
            (last.entry.action, &last.entry.credential_sha256)
        else {
            return Ok(Vec::new());
        };
        // Word for word the conditions of the indexes.
        let sql = format!(
            "SELECT {} FROM audit WHERE action IN ('activate-slot', 'drain-slot', 'end-slot') \
             AND credential_sha256 = $1 ORDER BY seq DESC LIMIT {MOST}",
            rows::RECORD
        );
        let of_it = self.add(session, sql, vec![ended.into()]).await?;
        let drained = of_it
            .iter()
            .filter(|record| record.entry.action == Action::DrainDelegation);
        let mut found = Vec::new();
        for drained in drained.filter(|drained| drained.seq < last.seq) {
            let sql = format!("SELECT {} FROM audit WHERE seq = $1", rows::RECORD);
            let behind = drained.seq.saturating_add(1);
            found.extend(self.add(session, sql, vec![behind.into()]).await?);
        }
        let followers: BTreeSet<Sha256> = found
            .iter()
            .filter_map(|record| record.entry.credential_sha256)
            .collect();
        for follower in &followers {
            let sql = format!(
                "SELECT {} FROM audit WHERE action = 'import-slot' \
                 AND credential_sha256 = $1 ORDER BY seq LIMIT {MOST}",
                rows::RECORD
            );
            self.add(session, sql, vec![follower.into()]).await?;
        }
        Ok(found)
    }

    /// The operators whose act a record is; what the second has agreed to is gathered too.
    async fn actors_of(
        &mut self,
        session: &mut Session,
        record: &Record,
    ) -> Result<Vec<String>, Error> {
        let Some((asked, agreed)) = operators_of(&record.entry.actor) else {
            return Ok(Vec::new());
        };
        if let Some(agreed) = agreed {
            self.agreement(session, record.seq, asked, agreed).await?;
        }
        let both = [Some(asked), agreed].into_iter().flatten();
        Ok(both.map(str::to_owned).collect())
    }

    /// Finds the last record before another by which one agreed to what the other had asked for, and that it was done before it, if so.
    async fn agreement(
        &mut self,
        session: &mut Session,
        before: u64,
        asked: &str,
        agreed: &str,
    ) -> Result<(), Error> {
        // Word for word the condition of the index.
        let sql = format!(
            "SELECT {} FROM audit WHERE action IN ('approve', 'refuse-approval', 'finish-approval') \
             AND seq < $1 AND action = 'approve' AND actor = $2 ORDER BY seq DESC LIMIT {MOST}",
            rows::RECORD
        );
        let actor = format!("operator:{agreed}");
        let found = session
            .fetch(sql, vec![before.into(), actor.as_str().into()])
            .await?;
        let asker = format!("operator:{asked}");
        for row in &found {
            let approve = rows::record(row)?;
            let Some(number) = approve.entry.asked_in() else {
                continue;
            };
            let sql = format!("SELECT {} FROM audit WHERE seq = $1", rows::RECORD);
            let ask = session.fetch_one(sql, vec![number.into()]).await?;
            let ask = ask.as_ref().map(rows::record).transpose()?;
            let is_it = |record: &Record| {
                let entry = &record.entry;
                entry.action == Action::AskApproval && entry.actor == asker
            };
            if let Some(ask) = ask.filter(is_it) {
                let is_done = self.finish(session, number, before).await?;
                self.records.insert(ask.seq, ask);
                self.records.insert(approve.seq, approve);
                if !is_done {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Finds the record before another that says that what was asked for is done; says whether there is one.
    async fn finish(
        &mut self,
        session: &mut Session,
        asked: u64,
        before: u64,
    ) -> Result<bool, Error> {
        // Word for word the condition of the index.
        let sql = format!(
            "SELECT {} FROM audit WHERE action IN ('approve', 'refuse-approval', 'finish-approval') \
             AND seq > $1 AND seq < $2 AND action = 'finish-approval' AND (scope = $3 OR scope LIKE $4) ORDER BY seq LIMIT 1",
            rows::RECORD
        );
        let scope = format!("asked-in={asked}");
        let with_address = format!("{scope} %");
        let values = vec![
            asked.into(),
            before.into(),
            scope.as_str().into(),
            with_address.as_str().into(),
        ];
        Ok(!self.add(session, sql, values).await?.is_empty())
    }

    async fn add(
        &mut self,
        session: &mut Session,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<Record>, Error> {
        let found = session.fetch(sql, values).await?;
        let found = found
            .iter()
            .map(rows::record)
            .collect::<Result<Vec<_>, _>>()?;
        let by_number = found.iter().map(|record| (record.seq, record.clone()));
        self.records.extend(by_number);
        Ok(found)
    }

    /// Walks them up to this one, and says whether it could be done.
    fn follow_to(&self, last: &Record, replays: &Replays) -> Result<(), ActorFault> {
        let mut actors = Actors::default();
        for record in self.records.range(..last.seq).map(|(_, record)| record) {
            // Whoever could not is none that makes another.
            let _ = actors.follow(record, !replays.is_elsewhere(record.seq));
        }
        actors.follow(last, true)
    }
}

/// How many agreements are looked at: an act follows the one that it is done by.
const MOST: u32 = 1000;
