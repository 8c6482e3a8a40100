//! When a CA renews by itself, and how long each certificate lives: RFC 8739 §3.1.1 and §3.5.

use crate::acme::objects::{AutoRenewal, from_date};
use crate::acme::problem::Problem;
use crate::ca::Validity;

/// The certificates of one order, by their number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    start: u64,
    /// No certificate is valid after it.
    end: u64,
    /// From one nominal begin to the next.
    lifetime: u64,
    /// How much earlier than its nominal begin each is valid.
    adjust: u64,
}

impl Schedule {
    /// Fails, as `malformed`, if the CA does not do that.
    pub(super) fn new(wanted: &AutoRenewal, now: u64) -> Result<Self, Problem> {
        let refuse = |detail: String| Problem::new(400, "malformed", detail);
        let date = |date: &str| from_date(date).map_err(|error| refuse(error.to_string()));
        let start = match &wanted.start_date {
            Some(start) => date(start)?,
            None => now,
        };
        let end = date(&wanted.end_date)?;
        if start < now || end <= start {
            return Err(refuse(
                "the renewal has to begin from now on, and end after that".into(),
            ));
        }
        if end - start > LONGEST {
            return Err(refuse(format!("renewal may go on for {LONGEST} s at most")));
        }
        if wanted.lifetime < SHORTEST {
            return Err(refuse(format!("a lifetime is at least {SHORTEST} s")));
        }
        if wanted.lifetime_adjust > wanted.lifetime {
            // Two certificates would begin before the first of three ends.
            return Err(refuse("the adjustment is longer than the lifetime".into()));
        }
        Ok(Self {
            start,
            end,
            lifetime: wanted.lifetime,
            adjust: wanted.lifetime_adjust,
        })
    }

    /// The certificate of this number; nothing if renewal has ended before.
    pub(super) fn validity(&self, number: u64) -> Option<Validity> {
        let nominal = self.start + number.checked_mul(self.lifetime)?;
        if nominal >= self.end {
            return None;
        }
        Some(Validity {
            first: nominal.saturating_sub(self.adjust).max(self.start),
            last: (nominal + self.lifetime).min(self.end) - 1,
        })
    }

    /// From when on this certificate can be fetched; nothing if there is none.
    pub(super) fn available(&self, number: u64) -> Option<u64> {
        let Some(before) = number.checked_sub(1) else {
            return self.validity(number).map(|validity| validity.first);
        };
        // As soon as it is valid, and, as RFC 8739 §3.3 wants, at the latest halfway through the life of the one before.
        let halfway = self.validity(before)?.halfway();
        Some(halfway.min(self.validity(number)?.first))
    }

    /// The newest certificate that can be fetched; nothing before the first.
    pub(super) fn current(&self, now: u64) -> Option<u64> {
        let guess = now.checked_sub(self.start)? / self.lifetime;
        let available = |number| self.available(number).is_some_and(|from| from <= now);
        // A certificate can be fetched at most one lifetime before its nominal begin.
        (0..=guess + 1).rev().find(|number| available(*number))
    }

    /// Whether no certificate is valid any more.
    pub(super) fn is_over(&self, now: u64) -> bool {
        now >= self.end
    }
}

/// A lifetime of less than this, in seconds, is refused.
pub(super) const SHORTEST: u64 = 86_400;
/// Renewal for longer than this, in seconds, is refused: a year.
pub(super) const LONGEST: u64 = 365 * 86_400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::acme::objects::to_date;

    const DAY: u64 = 86_400;
    /// 2019-01-10.
    const START: u64 = 1_547_078_400;

    fn schedule(days: u64, lifetime: u64, adjust: u64) -> Schedule {
        let wanted = AutoRenewal {
            end_date: to_date(START + days * DAY),
            lifetime,
            lifetime_adjust: adjust,
            ..AutoRenewal::default()
        };
        Schedule::new(&wanted, START).unwrap()
    }

    fn days(validity: Option<Validity>) -> Option<(u64, u64)> {
        validity.map(|Validity { first, last }| ((first - START) / DAY, (last + 1 - START) / DAY))
    }

    /// Four days each, three days early, for ten days: the example of RFC 8739 §3.5.1.
    #[test]
    fn certificates_begin_early_and_stop_at_the_end() {
        let schedule = schedule(10, 4 * DAY, 3 * DAY);
        let all: Vec<_> = (0..4)
            .map(|number| days(schedule.validity(number)))
            .collect();
        assert_eq!(all, [Some((0, 4)), Some((1, 8)), Some((5, 10)), None]);
    }

    #[test]
    fn an_adjustment_as_long_as_the_lifetime_makes_the_next_one_valid_when_it_can_be_fetched() {
        let schedule = schedule(365, 7 * DAY / 2, 7 * DAY / 2);
        for number in 1..100 {
            let validity = schedule.validity(number).unwrap();
            assert_eq!(Some(validity.first), schedule.available(number));
            assert_eq!(validity.last + 1 - validity.first, 7 * DAY);
        }
        assert_eq!(schedule.current(START), Some(1));
    }

    #[test]
    fn refuses_a_short_lifetime_a_long_duration_and_the_past() {
        let good = AutoRenewal {
            end_date: to_date(START + LONGEST),
            lifetime: SHORTEST,
            ..AutoRenewal::default()
        };
        Schedule::new(&good, START).unwrap();
        for bad in [
            AutoRenewal {
                lifetime: SHORTEST - 1,
                ..good.clone()
            },
            AutoRenewal {
                lifetime_adjust: SHORTEST + 1,
                ..good.clone()
            },
            AutoRenewal {
                end_date: to_date(START + LONGEST + 1),
                ..good.clone()
            },
            AutoRenewal {
                end_date: to_date(START),
                ..good.clone()
            },
            AutoRenewal {
                end_date: "soon".into(),
                ..good.clone()
            },
            AutoRenewal {
                start_date: Some(to_date(START - 1)),
                ..good.clone()
            },
        ] {
            assert_eq!(Schedule::new(&bad, START).unwrap_err().name(), "malformed");
        }
    }

    proptest! {
        #[test]
        fn somebody_who_fetches_halfway_is_never_without_a_certificate(
            lifetime in SHORTEST..30 * DAY,
            adjust in 0..30 * DAY,
            age in 0..LONGEST,
        ) {
            let schedule = schedule(365, lifetime, adjust.min(lifetime));
            let number = schedule.current(START + age).unwrap();
            prop_assert!(schedule.available(number).unwrap() <= START + age);
            if let Some(next) = schedule.available(number + 1) {
                prop_assert!(next > START + age);
                prop_assert!(next <= schedule.validity(number).unwrap().last);
            }
        }
    }
}
