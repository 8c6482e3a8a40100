//! The times of records in their order: a clock that was wrong shows there, and nothing is missing or changed because of it.

use std::time::Duration;

use pki_types::UnixTime;

use crate::registry::{Action, Record};
use crate::{Error, Store};

/// The places of a log where time goes back, by more than the clocks of signers may be apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StepsBack {
    /// How many there are.
    pub count: u64,
    /// The first: the record, and how long before the record in front of it it is.
    pub first: Option<(u64, Duration)>,
}

/// A record whose time has not come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ahead {
    /// Its number.
    pub record: u64,
    /// The time that it has.
    pub time: UnixTime,
    /// The act.
    pub action: Action,
}

impl Store {
    /// The records that are more than ten minutes later than a time, among the last 10,000 and those about delegation certificates; the
    /// first 20, by their numbers. A signer's clock was ahead, or whoever has the database wrote them.
    pub async fn records_ahead_of(&self, now: UnixTime) -> Result<Vec<Ahead>, Error> {
        self.read("records_ahead_of", async |session| {
            // Word for word the condition of the index.
            let sql = "SELECT seq, time, action FROM audit WHERE action IN ('activate-slot', \
                       'drain-slot', 'end-slot') AND time > $1 UNION SELECT seq, time, action FROM \
                       (SELECT seq, time, action FROM audit ORDER BY seq DESC LIMIT 10000) AS newest \
                       WHERE time > $1 ORDER BY seq LIMIT 20";
            let latest = now.as_secs().saturating_add(APART.as_secs());
            let latest = UnixTime::since_unix_epoch(Duration::from_secs(latest));
            let rows = session.fetch(sql, vec![latest.into()]).await?;
            let ahead = rows.iter().map(|row| {
                Ok(Ahead {
                    record: row.number("seq")?,
                    time: row.time("time")?,
                    action: row.parse("action")?,
                })
            });
            ahead.collect()
        })
        .await
    }
}

/// A walk that looks at times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    last: Option<UnixTime>,
    back: StepsBack,
}

impl Times {
    pub(crate) fn follow(&mut self, record: &Record) {
        let now = record.entry.time;
        let before = self.last.replace(now).unwrap_or(now);
        let back = Duration::from_secs(before.as_secs().saturating_sub(now.as_secs()));
        if back > APART {
            self.back.count = self.back.count.saturating_add(1);
            self.back.first.get_or_insert((record.seq, back));
        }
    }

    pub(crate) const fn end(self) -> StepsBack {
        self.back
    }
}

/// By so much two signers' clocks may be apart, and both be right.
const APART: Duration = Duration::from_secs(600);
