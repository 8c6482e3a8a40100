//! Which records of the log were done in this database: those that came with a newer log to a restored backup were not, but for what
//! keeps somebody out. Rows are as the last record says that was done here.

use crate::Error;
use crate::connection::Session;

/// The record behind which a newer log was put, for the record that says so.
pub(super) fn scope(after: u64) -> String {
    format!("{AFTER}{after}")
}

const AFTER: &str = "after=";

/// Where newer logs were put behind the end of this one.
#[derive(Clone, Debug, Default)]
pub(super) struct Replays {
    /// The record behind which each began, and the one that says so; none is within another.
    spans: Vec<(u64, u64)>,
    /// The last record of this kind that does not say where the newer log began; 0 if there is none.
    unknown: u64,
}

/// The place where a record was done, as far as that is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Done {
    /// It was done here.
    Here,
    /// It came with a newer log.
    Elsewhere,
    /// It may have come with a newer log: the record of that is of an older version.
    Unknown,
}

impl Replays {
    pub(super) async fn load(session: &mut Session) -> Result<Self, Error> {
        let sql = "SELECT seq, scope FROM audit WHERE name IS NULL AND action <> 'issue' \
                   AND action = 'replay' ORDER BY seq DESC";
        let rows = session.fetch(sql, Vec::new()).await?;
        let rows = rows.iter().map(|row| {
            let scope = row.maybe_text("scope")?;
            Ok((row.number("seq")?, after(scope.as_deref())))
        });
        Ok(Self::of(&rows.collect::<Result<Vec<_>, Error>>()?))
    }

    /// From the records, the last first, and where each says that the newer log began.
    fn of(records: &[(u64, Option<u64>)]) -> Self {
        let mut replays = Self::default();
        for (seq, after) in records {
            // One that came with a newer log tells of another database.
            if replays.done(*seq) == Done::Elsewhere {
                continue;
            }
            match after {
                Some(after) if after < seq => replays.spans.push((*after, *seq)),
                _ => {
                    replays.unknown = *seq;
                    break;
                }
            }
        }
        replays
    }

    pub(super) fn done(&self, seq: u64) -> Done {
        let is_within = |(after, end): &(u64, u64)| seq > *after && seq < *end;
        match (self.spans.iter().any(is_within), seq <= self.unknown) {
            (true, _) => Done::Elsewhere,
            (false, true) => Done::Unknown,
            (false, false) => Done::Here,
        }
    }

    /// True if a record would keep everything before it from being compared.
    pub(super) fn hides_all_before(&self, seq: u64) -> bool {
        seq == self.unknown
    }

    /// True if a row has to be as this record says, if it is the last one about it that may have been done here.
    pub(super) fn is_here(&self, seq: u64) -> bool {
        self.done(seq) == Done::Here
    }

    /// True if no row is as this record says.
    pub(super) fn is_elsewhere(&self, seq: u64) -> bool {
        self.done(seq) == Done::Elsewhere
    }
}

fn after(scope: Option<&str>) -> Option<u64> {
    scope?.strip_prefix(AFTER)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(records: &[(u64, Option<u64>)]) -> String {
        let replays = Replays::of(records);
        let all = (1..=12).map(|seq| match replays.done(seq) {
            Done::Here => 'h',
            Done::Elsewhere => '-',
            Done::Unknown => '?',
        });
        all.collect()
    }

    #[test]
    fn records_between_were_not_done_here() {
        assert_eq!(done(&[]), "hhhhhhhhhhhh");
        assert_eq!(done(&[(7, Some(3))]), "hhh---hhhhhh");
        assert_eq!(done(&[(11, Some(9)), (7, Some(3))]), "hhh---hhh-hh");
    }

    #[test]
    fn a_replay_of_another_database_says_nothing_of_this_one() {
        // The copy had the records up to 5, and the other one was restored to 3 before.
        assert_eq!(done(&[(11, Some(5)), (7, Some(3))]), "hhhhh-----hh");
    }

    #[test]
    fn without_its_beginning_nothing_is_known_of_what_is_before() {
        assert_eq!(done(&[(7, None)]), "???????hhhhh");
        assert_eq!(done(&[(11, Some(9)), (7, None)]), "???????hh-hh");
        assert_eq!(done(&[(7, Some(7))]), "???????hhhhh");
        let hides = |seq| Replays::of(&[(11, Some(9)), (7, None), (5, None)]).hides_all_before(seq);
        assert_eq!([11, 7, 5].map(hides), [false, true, false]);
        assert_eq!(after(Some("role=admin")), None);
        assert_eq!(after(Some(&scope(3))), Some(3));
    }
}
