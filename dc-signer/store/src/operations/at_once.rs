//! Operations of several callers, as one transaction.
//!
//! In PostgreSQL all of it is worked out first, with reads that several share, and then goes to the server as one message: the log is
//! locked for as long as the server works on that, however far away it is. What was read by then counts only if it is still so. In
//! SQLite the operations are done one behind the other. In both, what one of them is refused changes nothing for the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::Error;
use crate::connection::{Database, Row};
use crate::postgres::{Chain, Gather, Plan, Postgres, Stopped};
use crate::registry::{Entry, Head, Record};

use super::audit;
use super::rows;
use super::shared::Shared;
use super::work::{Work, audit_rows};

/// An operation that writes.
pub(super) trait Job: Sync {
    type Done: Send;

    /// Works it out, from the start if it was already: nothing was written then.
    fn work(&self, work: &mut Work) -> impl Future<Output = Result<Self::Done, Error>> + Send;

    /// True if an older copy of the database than was seen is written to all the same.
    fn is_for_any_copy(&self) -> bool {
        false
    }
}

/// A result, and the number that its records' places are higher than it says.
pub(super) struct Done<T> {
    pub(super) value: T,
    pub(super) shift: u64,
}

type Outcome<T> = Result<Done<T>, Error>;

impl Shared {
    /// Runs one operation.
    pub(super) async fn write_job<J: Job>(&self, job: &J) -> Result<J::Done, Error> {
        let mut done = self.write_jobs(std::slice::from_ref(job)).await;
        let only = done.pop().unwrap_or_else(|| Err(super::queue::closed()));
        only.map(|done| done.value)
    }

    /// Runs operations of several callers together; says how each of them went, in their order.
    pub(super) async fn write_jobs<J: Job>(&self, jobs: &[J]) -> Vec<Outcome<J::Done>> {
        let mut outcomes: Vec<Option<Outcome<J::Done>>> = jobs.iter().map(|_| None).collect();
        // Groups that are tried together, the next one last.
        let mut groups = vec![(0..jobs.len()).collect::<Vec<usize>>()];
        while let Some(group) = groups.pop() {
            let these: Vec<&J> = group.iter().filter_map(|at| jobs.get(*at)).collect();
            match self.try_together(&these).await {
                Ok(done) => {
                    let (mut left, done) = (Vec::new(), group.into_iter().zip(done));
                    for (at, outcome) in done {
                        match (outcome, outcomes.get_mut(at)) {
                            (Some(outcome), Some(place)) => *place = Some(self.heed(outcome)),
                            _ => left.push(at),
                        }
                    }
                    if !left.is_empty() {
                        groups.push(left);
                    }
                }
                Err(error) if is_for_all(&error) => {
                    let error: Result<(), Error> = self.heed(Err(error));
                    for at in group {
                        if let (Some(place), Err(error)) = (outcomes.get_mut(at), &error) {
                            *place = Some(Err(error.clone()));
                        }
                    }
                }
                // One of them is what the database cannot take; the others shall not suffer for it.
                Err(_) if group.len() > 1 => {
                    let (first, second) = group.split_at(group.len() / 2);
                    groups.push(second.to_vec());
                    groups.push(first.to_vec());
                }
                Err(_) => {
                    for at in group {
                        if let (Some(job), Some(place)) = (jobs.get(at), outcomes.get_mut(at)) {
                            *place = Some(self.alone(job).await);
                        }
                    }
                }
            }
        }
        let closed = || Err(super::queue::closed());
        outcomes
            .into_iter()
            .map(|one| one.unwrap_or_else(closed))
            .collect()
    }

    /// As others write: with the log locked from the start.
    async fn alone<J: Job>(&self, job: &J) -> Outcome<J::Done> {
        let value = match job.is_for_any_copy() {
            true => self.write_to_any(async |work| job.work(work).await).await?,
            false => self.write(async |work| job.work(work).await).await?,
        };
        Ok(Done { value, shift: 0 })
    }

    /// None for an operation that has to see what another one of them has done.
    async fn try_together<J: Job>(
        &self,
        jobs: &[&J],
    ) -> Result<Vec<Option<Outcome<J::Done>>>, Error> {
        match &self.database {
            Database::Postgres(database) => {
                let mut tries = 0;
                loop {
                    match self.plan_and_write(database, jobs).await {
                        Ok(done) => return Ok(done),
                        Err(Stopped::Failed(error)) => return Err(error),
                        Err(Stopped::Stale) if tries < TRIES => tries += 1,
                        Err(Stopped::Stale) => return Err(changed_again()),
                    }
                }
            }
            Database::Sqlite(_) => match jobs {
                [only] => Ok(vec![Some(self.alone(*only).await)]),
                jobs => self.one_behind_the_other(jobs).await,
            },
        }
    }

    async fn one_behind_the_other<J: Job>(
        &self,
        jobs: &[&J],
    ) -> Result<Vec<Option<Outcome<J::Done>>>, Error> {
        let done = self.write(async |work| {
            let mut outcomes = Vec::with_capacity(jobs.len());
            for job in jobs {
                let mark = work.mark().await?;
                let worked = match job.work(work).await {
                    Ok(value) => work.settle().await.map(|()| value),
                    Err(error) => Err(error),
                };
                match worked {
                    Ok(value) => {
                        work.pass().await?;
                        outcomes.push(Some(Ok(Done { value, shift: 0 })));
                    }
                    Err(error) if is_its_own(&error) => {
                        work.go_back(mark).await?;
                        outcomes.push(Some(Err(error)));
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(outcomes)
        });
        done.await
    }

    async fn plan_and_write<J: Job>(
        &self,
        database: &Postgres,
        jobs: &[&J],
    ) -> Result<Vec<Option<Outcome<J::Done>>>, Stopped> {
        let known = match jobs.iter().all(|job| job.is_for_any_copy()) {
            true => Head::EMPTY,
            false => self.known_for_plan().await?,
        };
        let gather = Arc::new(Gather::default());
        let plans = join_all(jobs.iter().map(|job| self.plan(&gather, *job)));
        let planned = async { tokio::join!(self.plan_known(&gather, known), plans) };
        let (has_known, planned) = gather.serve(database, planned).await;
        let mut plans = vec![has_known?];
        let mut entries = Vec::new();
        let mut touched = BTreeSet::new();
        let mut outcomes = Vec::with_capacity(jobs.len());
        for one in planned {
            let Planned {
                plan,
                entries: new,
                touched: theirs,
                outcome,
            } = one?;
            if !touched.is_disjoint(&theirs) {
                outcomes.push(None);
                // Nor does one behind it come before it.
                touched.extend(theirs);
                continue;
            }
            touched.extend(theirs);
            let before = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            plans.push(plan);
            entries.extend(new);
            outcomes.push(Some(outcome.map(|value| Done {
                value,
                shift: before,
            })));
        }
        let before = write(database, known, plans, entries).await?;
        for done in outcomes.iter_mut().flatten().flatten() {
            done.shift += before.seq;
        }
        Ok(outcomes)
    }

    async fn plan<J: Job>(&self, gather: &Arc<Gather>, job: &J) -> Result<Planned<J::Done>, Error> {
        let mut work = Work::planned(&self.signer, gather);
        let outcome = match job.work(&mut work).await {
            Ok(value) => work.settle().await.map(|()| value),
            Err(error) => Err(error),
        };
        let planned = work.into_planned().ok_or_else(changed_again)?;
        let (mut plan, mut entries, touched) = planned;
        if plan.is_unfit() {
            return Err(changed_again());
        }
        if let Err(error) = &outcome {
            if !is_its_own(error) {
                return Err(error.clone());
            }
            plan.write_nothing();
            entries.clear();
        }
        Ok(Planned {
            plan,
            entries,
            touched,
            outcome,
        })
    }

    /// Reads what was seen of the log, which then has to be so behind the lock too.
    async fn plan_known(&self, gather: &Arc<Gather>, known: Head) -> Result<Plan, Stopped> {
        let mut work = Work::planned(&self.signer, gather);
        let has_it = audit::has(&mut work.session, &known).await?;
        match work.into_planned() {
            Some((plan, ..)) if has_it => Ok(plan),
            _ => Err(Stopped::Stale),
        }
    }
}

struct Planned<T> {
    plan: Plan,
    entries: Vec<Entry>,
    touched: BTreeSet<Vec<u8>>,
    outcome: Result<T, Error>,
}

/// Writes all plans, and compares the end of the log with what it has to be; says where it ended before.
async fn write(
    database: &Postgres,
    known: Head,
    plans: Vec<Plan>,
    entries: Vec<Entry>,
) -> Result<Head, Stopped> {
    let records = append(Head::EMPTY, entries.iter().cloned()).0;
    let chain = Chain {
        rows: audit_rows(&records),
        records: &records,
        columns: rows::RECORD,
    };
    let written = database.write_at_once(known, plans, &chain).await?;
    let (records, head) = append(written.before, entries.into_iter());
    let is_it = match (records.last(), written.last) {
        (None, None) => true,
        (Some(record), Some((row, end))) => {
            end == head && rows::record(&Row::Postgres(row))? == *record
        }
        _ => false,
    };
    match is_it {
        true => Ok(written.before),
        false => Err(Stopped::Failed(Error::NotWritten {
            table: "audit",
            expected: 1,
            written: 0,
        })),
    }
}

fn append(mut head: Head, entries: impl Iterator<Item = Entry>) -> (Vec<Record>, Head) {
    let records = entries.map(|entry| head.append(entry)).collect();
    (records, head)
}

/// True for an error that one caller is told, and that changes nothing for the others.
const fn is_its_own(error: &Error) -> bool {
    matches!(error, Error::Refused { .. } | Error::MayNot { .. })
}

/// True for an error that is not better for one alone.
const fn is_for_all(error: &Error) -> bool {
    matches!(
        error,
        Error::CannotWrite { .. }
            | Error::NotWritten { .. }
            | Error::OlderThanSeen { .. }
            | Error::Unavailable { .. }
    )
}

/// Nobody is told: with the log locked from the start it works.
fn changed_again() -> Error {
    Error::Corrupt {
        place: "what another signer changes",
    }
}

/// How often all of it is worked out again because something has changed meanwhile.
const TRIES: u32 = 3;
