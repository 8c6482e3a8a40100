//! Reads of personal data, collected: an operator who pages through devices is one record every quarter of an hour, not one a page.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pki_types::UnixTime;

use crate::authority::{Act, Authority, Error};
use dc_store::registry::Action;

/// The reads of each operator from each address since they were recorded last. A crash loses at most a quarter of an hour of it;
/// exports and searches for all devices are recorded at once, elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Reads(Mutex<BTreeMap<Reader, Tally>>);

/// An operator, and the address that records have.
type Reader = (String, Option<IpAddr>);

#[derive(Clone, Copy, Debug)]
struct Tally {
    views: u64,
    rows: u64,
    since: UnixTime,
}

impl Reads {
    /// Counts one answer with so many devices in it.
    pub(crate) fn note(&self, who: Reader, rows: usize, now: UnixTime) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.add(who, 1, rows, now);
    }

    fn add(&self, who: Reader, views: u64, rows: u64, since: UnixTime) {
        let mut tallies = self.lock();
        let tally = tallies.entry(who).or_insert(Tally {
            views: 0,
            rows: 0,
            since,
        });
        tally.views = tally.views.saturating_add(views);
        tally.rows = tally.rows.saturating_add(rows);
        tally.since = tally.since.min(since);
    }

    /// Records what was collected for a quarter of an hour, or all of it.
    ///
    /// Fails with [`Error::Store`]; then it is kept for the next time.
    pub(crate) async fn record(
        &self,
        authority: &Authority,
        now: UnixTime,
        all: bool,
    ) -> Result<(), Error> {
        for (who, tally) in self.due(now, all) {
            let Tally { views, rows, since } = tally;
            let scope = format!("views={views} rows={rows} since={}", since.as_secs());
            let by = Act::new(who.0.clone(), now).coming_from(who.1);
            let noted = authority.note_read(Action::Read, scope, &by).await;
            noted.inspect_err(|_| self.add(who, views, rows, since))?;
        }
        Ok(())
    }

    fn due(&self, now: UnixTime, all: bool) -> Vec<(Reader, Tally)> {
        let is_due = |tally: &Tally| {
            let passed = now.as_secs().abs_diff(tally.since.as_secs());
            all || passed >= EACH.as_secs()
        };
        let mut tallies = self.lock();
        let (due, rest) = std::mem::take(&mut *tallies)
            .into_iter()
            .partition(|(_, tally)| is_due(tally));
        *tallies = rest;
        let due: BTreeMap<_, _> = due;
        due.into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Reader, Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the reads of an operator are collected.
const EACH: Duration = Duration::from_secs(900);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::at;

    #[test]
    fn a_quarter_of_an_hour_of_pages_is_one_record() {
        let reads = Reads::default();
        for second in 0..900 {
            reads.note(("operator:alice".into(), None), 100, at(1_000 + second));
            assert!(reads.due(at(1_000 + second), false).is_empty());
        }
        reads.note(("operator:bob".into(), None), 1, at(1_890));
        let due = reads.due(at(1_900), false);
        assert_eq!(due.len(), 1);
        let ((actor, _), Tally { views, rows, since }) = &due[0];
        assert_eq!(
            (actor.as_str(), *views, *rows),
            ("operator:alice", 900, 90_000)
        );
        assert_eq!(*since, at(1_000));
        // A clock that is set back does not keep them for years.
        assert_eq!(reads.due(at(10), false).len(), 1);
        assert!(reads.due(at(9_000), true).is_empty());
    }
}
