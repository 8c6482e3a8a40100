//! The times of records in their order: a clock that was wrong shows there, and nothing is missing or changed because of it.

use std::time::Duration;

use pki_types::UnixTime;

use crate::registry::Record;

/// The places of a log where time goes back, by more than the clocks of signers may be apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StepsBack {
    /// How many there are.
    pub count: u64,
    /// The first: the record, and how long before the record in front of it it is.
    pub first: Option<(u64, Duration)>,
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
