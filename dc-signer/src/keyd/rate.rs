//! How many credentials of a zone were issued in the last minute and hour, against its ceilings.

use std::collections::VecDeque;

/// The credentials of a zone in the last hour, by the second, counted by a clock that never jumps.
#[derive(Debug)]
pub(super) struct Rate {
    per_minute: usize,
    per_hour: usize,
    /// Seconds with how many were issued in each, in order.
    seconds: VecDeque<(u64, usize)>,
    /// When it was found out that nobody knows what was issued before: then an hour is full for that.
    lost: Option<u64>,
}

/// The ceiling that is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reached {
    Minute(usize),
    Hour(usize),
    /// As many may have been issued: nobody knows.
    Lost,
}

/// A time in which no more are issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Full {
    pub(super) reached: Reached,
    /// When the last one was counted.
    pub(super) since: u64,
    /// When there is room for the next one.
    pub(super) until: u64,
}

impl Rate {
    pub(super) fn new(per_minute: usize, per_hour: usize) -> Self {
        Self {
            per_minute,
            per_hour,
            seconds: VecDeque::new(),
            lost: None,
        }
    }

    /// Counts one more at this second, or says which ceiling is reached.
    pub(super) fn count(&mut self, now: u64) -> Result<(), Reached> {
        let (minute, hour) = self.last(now);
        if hour >= self.per_hour {
            return Err(self.of_hour(now));
        }
        if minute >= self.per_minute {
            return Err(Reached::Minute(self.per_minute));
        }
        self.add(now);
        Ok(())
    }

    /// The ceiling that is reached longest, if one is; counts nothing.
    pub(super) fn full(&mut self, now: u64) -> Option<Full> {
        let (minute, hour) = self.last(now);
        let of_hour = (hour >= self.per_hour)
            .then(|| (self.of_hour(now), self.room(now, HOUR, self.per_hour)));
        let of_minute = (minute >= self.per_minute).then(|| {
            let until = self.room(now, MINUTE, self.per_minute);
            (Reached::Minute(self.per_minute), until)
        });
        let both = of_minute.into_iter().chain(of_hour);
        let (reached, until) = both.max_by_key(|(_, until)| *until)?;
        let since = self.seconds.back().map_or(now, |(second, _)| *second);
        Some(Full {
            reached,
            since: since.min(now),
            until,
        })
    }

    fn of_hour(&self, now: u64) -> Reached {
        match self.is_of_lost(now) {
            true => Reached::Lost,
            false => Reached::Hour(self.per_hour),
        }
    }

    /// True if the hour is full because nobody knows what was before.
    pub(super) fn is_of_lost(&self, now: u64) -> bool {
        self.lost.is_some_and(|lost| now < lost + HOUR)
    }

    /// When so many of the last ones have left a span that there is room for one more below `most`.
    fn room(&self, now: u64, span: u64, most: usize) -> u64 {
        let mut left = most;
        let mut latest = self.seconds.iter().rev();
        let last_to_leave = latest.find(|(_, count)| {
            left = left.saturating_sub(*count);
            left == 0
        });
        last_to_leave.map_or(now, |(second, _)| *second) + span
    }

    /// True if so many more at this second are below the ceiling of an hour; counts none of them.
    pub(super) fn has_room(&mut self, now: u64, some: usize) -> bool {
        let (_, hour) = self.last(now);
        hour.saturating_add(some) <= self.per_hour
    }

    /// Counts one that was issued before this process began.
    pub(super) fn add(&mut self, at: u64) {
        self.add_some(at, 1);
    }

    /// Counts as many.
    pub(super) fn add_some(&mut self, at: u64, some: usize) {
        if some == 0 {
            return;
        }
        match self.seconds.back_mut() {
            Some((second, count)) if *second >= at => *count = count.saturating_add(some),
            _ => self.seconds.push_back((at, some)),
        }
    }

    /// Counts nothing that was before.
    pub(super) fn forget(&mut self) {
        self.seconds.clear();
    }

    /// Counts as many as there may be in an hour: nobody knows how many there were.
    pub(super) fn fill(&mut self, now: u64) {
        self.add_some(now, self.per_hour);
        self.was_lost(now);
    }

    /// An hour that is full was filled for what was lost then.
    pub(super) fn was_lost(&mut self, at: u64) {
        self.lost = Some(at);
    }

    /// How long ago how many were issued, in minutes that are counted from their last second, the oldest first.
    pub(super) fn minutes(&mut self, now: u64) -> Vec<(u64, usize)> {
        self.last(now);
        let mut minutes: Vec<(u64, usize)> = Vec::new();
        for (second, count) in self.seconds.iter().rev() {
            let ago = now.saturating_sub(*second);
            match minutes.last_mut() {
                Some((last, sum)) if ago < *last + MINUTE => *sum = sum.saturating_add(*count),
                _ => minutes.push((ago, *count)),
            }
        }
        minutes.reverse();
        minutes
    }

    /// How many there were in the last minute and hour.
    pub(super) fn last(&mut self, now: u64) -> (usize, usize) {
        while self
            .seconds
            .front()
            .is_some_and(|(second, _)| second + HOUR <= now)
        {
            self.seconds.pop_front();
        }
        let count = |span: u64| {
            let recent = self.seconds.iter().rev();
            let recent = recent.take_while(|(second, _)| second + span > now);
            recent.fold(0_usize, |sum, (_, count)| sum.saturating_add(*count))
        };
        (count(MINUTE), count(HOUR))
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ceiling_is_reached_exactly() {
        let mut rate = Rate::new(3, 5);
        for _ in 0..3 {
            rate.count(1000).unwrap();
        }
        assert_eq!(rate.count(1000), Err(Reached::Minute(3)));
        assert_eq!(rate.count(1059), Err(Reached::Minute(3)));
        for now in [1060, 1061] {
            rate.count(now).unwrap();
        }
        assert_eq!(rate.last(1061), (2, 5));
        assert_eq!(rate.count(1062), Err(Reached::Hour(5)));
        assert_eq!(rate.count(4599), Err(Reached::Hour(5)));
        // An hour after the first three.
        rate.count(4600).unwrap();
        assert_eq!(rate.last(4600), (1, 3));
    }

    #[test]
    fn an_hour_is_told_in_minutes_that_end_none_too_early() {
        let mut rate = Rate::new(10, 100);
        for at in [10, 3_001, 3_002, 3_059, 3_061, 4_000] {
            rate.add(at);
        }
        assert_eq!(rate.minutes(4_000), [(999, 1), (939, 3), (0, 1)]);
        let mut full = Rate::new(3, 5);
        full.fill(1000);
        assert_eq!(full.minutes(1000), [(0, 5)]);
        assert_eq!(full.count(4599), Err(Reached::Lost));
        full.count(4600).unwrap();
    }

    #[test]
    fn how_long_nothing_is_issued_is_the_time_after_which_the_next_one_is() {
        let mut rate = Rate::new(3, 5);
        for at in [1000, 1010, 1020] {
            assert_eq!(rate.full(at), None);
            rate.count(at).unwrap();
        }
        let full = |reached, since, until| {
            Some(Full {
                reached,
                since,
                until,
            })
        };
        assert_eq!(rate.full(1030), full(Reached::Minute(3), 1020, 1060));
        rate.count(1060).unwrap();
        assert_eq!(rate.full(1061), full(Reached::Minute(3), 1060, 1070));
        rate.count(1070).unwrap();
        // Of an hour that was filled in 70 seconds, until the first one leaves it.
        for now in [1070, 4599] {
            assert_eq!(rate.full(now), full(Reached::Hour(5), 1070, 4600));
        }
        assert_eq!(rate.full(4600), None);
        rate.count(4600).unwrap();
        let mut lost = Rate::new(3, 5);
        lost.add(900);
        lost.fill(1000);
        assert_eq!(lost.full(1000), full(Reached::Lost, 1000, 4600));
        assert_eq!(lost.full(4600), None);
        // Ceilings that let nothing through.
        assert_eq!(Rate::new(0, 0).full(9), full(Reached::Hour(0), 9, 3609));
    }

    #[test]
    fn what_was_issued_before_counts_and_a_refusal_does_not() {
        let mut rate = Rate::new(2, 100);
        rate.add(90);
        rate.add(100);
        assert_eq!(rate.count(100), Err(Reached::Minute(2)));
        rate.count(150).unwrap();
        for _ in 0..10 {
            assert_eq!(rate.count(150), Err(Reached::Minute(2)));
        }
        rate.count(160).unwrap();
    }
}
