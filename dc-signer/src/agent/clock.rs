//! What time it is, when the device's own clock may be wrong.
//!
//! A device without a battery starts in 1970, or where its files say it stopped, and may stay there for
//! hours. What is judged here is only the agent's: nobody sets the system's clock.

use std::fmt;
use std::time::{Duration, Instant};

use pki_types::UnixTime;

use crate::clock;
use crate::human::{Moment, Span};

/// A device's clocks.
pub trait Clock {
    /// Seconds since 1970, as the system has it.
    fn wall(&self) -> u64;

    /// Time since some moment, which no setting of the clock changes.
    fn uptime(&self) -> Duration;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Whose uptime begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> u64 {
        // Before 1970 is as wrong as 1970.
        clock::now().map_or(0, |now| now.as_secs())
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// What is known about the time, apart from the clock.
#[derive(Clone, Debug)]
pub struct Judge {
    /// It is later than this for certain: the program was built, the chain had begun.
    floor: u64,
    /// What the signer said last, in an earlier run perhaps.
    seen: u64,
    anchor: Option<Anchor>,
}

/// What all clocks said when the signer last told the time.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    signer: u64,
    wall: u64,
    uptime: Duration,
}

impl Judge {
    /// Knows when this program was built, and what the signer said in an earlier run; 0 for nothing.
    #[must_use]
    pub fn new(seen: u64) -> Self {
        Self {
            floor: BUILT,
            seen,
            anchor: None,
        }
    }

    /// Learns that it is `moment` or later, as a chain's notBefore shows.
    pub fn learn(&mut self, moment: UnixTime) {
        self.floor = self.floor.max(moment.as_secs());
    }

    /// Learns what an authenticated signer says. Not believed, and false, if that is before what is
    /// known for certain.
    pub fn learn_from_signer(&mut self, signer: u64, clock: &dyn Clock) -> bool {
        if signer < self.floor {
            return false;
        }
        self.seen = signer;
        self.anchor = Some(Anchor {
            signer,
            wall: clock.wall(),
            uptime: clock.uptime(),
        });
        true
    }

    /// What the signer said last; 0 for nothing.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The earliest that it can be.
    #[must_use]
    pub fn earliest(&self) -> u64 {
        self.floor.max(self.seen)
    }

    /// What time it is, as well as is known.
    #[must_use]
    pub fn read(&self, clock: &dyn Clock) -> Reading {
        let wall = clock.wall();
        match self.anchor {
            Some(anchor) => anchor.read(wall, clock.uptime()),
            None => self.read_alone(wall),
        }
    }

    fn read_alone(&self, wall: u64) -> Reading {
        let earliest = self.earliest();
        // Clocks differ by minutes; the signer's last word is no reason to doubt one that is behind.
        if wall + MAX_SKEW < earliest {
            return Reading {
                now: earliest,
                verdict: Verdict::Behind { wall, earliest },
            };
        }
        let verdict = match wall > earliest.saturating_add(LONG_AWAY) {
            true => Verdict::FarAhead { wall, earliest },
            false => Verdict::Plausible,
        };
        Reading { now: wall, verdict }
    }
}

impl Anchor {
    fn read(&self, wall: u64, uptime: Duration) -> Reading {
        let elapsed = uptime.saturating_sub(self.uptime).as_secs();
        let signers = self.signer.saturating_add(elapsed);
        let jumped = wall.abs_diff(self.wall.saturating_add(elapsed)) > MAX_SKEW;
        let agrees = wall.abs_diff(signers) <= MAX_SKEW;
        let (now, verdict) = match (agrees, jumped) {
            (true, _) => (wall, Verdict::Confirmed),
            (false, true) => (signers, Verdict::Jumped { wall, signers }),
            (false, false) => (signers, Verdict::Wrong { wall, signers }),
        };
        Reading { now, verdict }
    }
}

/// What time it is, as well as is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// Seconds since 1970, for every judgement of the agent.
    pub now: u64,
    /// What that rests on.
    pub verdict: Verdict,
}

impl Reading {
    /// The same as rustls and dc-core take it.
    #[must_use]
    pub fn unix_time(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.now))
    }
}

/// What the system's clock is worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is before a moment that is certainly past. The earliest possible moment is used.
    Behind {
        /// What it says.
        wall: u64,
        /// The earliest that it can be.
        earliest: u64,
    },
    /// The signer's time is less than four hours away.
    Confirmed,
    /// It is more than a year after anything that is known. It is used until the signer says otherwise.
    FarAhead {
        /// What it says.
        wall: u64,
        /// The latest that is known to be past.
        earliest: u64,
    },
    /// It was set since the signer told the time, and away from it. The signer's time is used.
    Jumped {
        /// What it says.
        wall: u64,
        /// The signer's time.
        signers: u64,
    },
    /// Nothing speaks against it.
    Plausible,
    /// It was more than four hours off when the signer told the time. The signer's time is used.
    Wrong {
        /// What it says.
        wall: u64,
        /// The signer's time.
        signers: u64,
    },
}

impl Verdict {
    /// Whether the signer should be asked before anything is decided.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        matches!(
            self,
            Self::Behind { .. } | Self::FarAhead { .. } | Self::Jumped { .. }
        )
    }

    /// Whether somebody should look at the device's clock.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Confirmed | Self::Plausible)
    }

    /// Whether it is of the same kind: the times in it move on.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = |seconds| Moment(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        match *self {
            Self::Behind { wall, earliest } => write!(
                f,
                "the clock says {}, but it is {} at least: set it, or check NTP",
                moment(wall),
                moment(earliest)
            ),
            Self::Confirmed => f.write_str("the clock agrees with the signer's"),
            Self::FarAhead { wall, earliest } => write!(
                f,
                "the clock says {}, more than a year after the last that is known, {}: the signer will tell",
                moment(wall),
                moment(earliest)
            ),
            Self::Plausible => f.write_str("nothing speaks against the clock"),
            Self::Jumped { wall, signers } | Self::Wrong { wall, signers } => write!(
                f,
                "the clock says {}, {} off the signer's {}, which is used instead: set it, or check NTP",
                moment(wall),
                Span::new(Duration::from_secs(wall.abs_diff(signers))),
                moment(signers)
            ),
        }
    }
}

/// When this program was built, if whoever builds it says so as reproducible builds do; else when this
/// was written.
const BUILT: u64 = match option_env!("SOURCE_DATE_EPOCH") {
    None => WRITTEN,
    Some(seconds) => match u64::from_str_radix(seconds, 10) {
        Ok(seconds) if seconds > WRITTEN => seconds,
        _ => WRITTEN,
    },
};
/// 2026-11-01.
const WRITTEN: u64 = 1_793_491_200;
/// What issuing 164 hours leaves of the seven days for clocks that are wrong.
const MAX_SKEW: u64 = 4 * 3600;
/// Devices lie in stores for long, but most clocks that are wrong by this are wrong by years.
const LONG_AWAY: u64 = 366 * 86_400;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Default)]
    struct Set {
        wall: Cell<u64>,
        uptime: Cell<u64>,
    }

    impl Set {
        fn at(wall: u64) -> Self {
            Self {
                wall: Cell::new(wall),
                uptime: Cell::new(1000),
            }
        }

        fn pass(&self, seconds: u64) {
            self.wall.set(self.wall.get() + seconds);
            self.uptime.set(self.uptime.get() + seconds);
        }
    }

    impl Clock for Set {
        fn wall(&self) -> u64 {
            self.wall.get()
        }

        fn uptime(&self) -> Duration {
            Duration::from_secs(self.uptime.get())
        }
    }

    const NOW: u64 = WRITTEN + 100 * DAY;
    const DAY: u64 = 86_400;

    #[test]
    fn a_clock_before_the_build_or_the_chain_is_behind() {
        let mut judge = Judge::new(0);
        let reading = judge.read(&Set::at(0));
        assert_eq!(reading.now, WRITTEN);
        assert!(reading.verdict.is_doubtful());
        assert_eq!(judge.read(&Set::at(NOW)).verdict, Verdict::Plausible);
        judge.learn(UnixTime::since_unix_epoch(Duration::from_secs(NOW + DAY)));
        let reading = judge.read(&Set::at(NOW));
        assert_eq!(reading.now, NOW + DAY);
        assert!(matches!(reading.verdict, Verdict::Behind { .. }));
    }

    #[test]
    fn a_clock_ten_years_ahead_is_doubted_and_used_until_the_signer_speaks() {
        let mut judge = Judge::new(NOW);
        let clock = Set::at(NOW + 3650 * DAY);
        let reading = judge.read(&clock);
        assert!(matches!(reading.verdict, Verdict::FarAhead { .. }));
        assert!(judge.learn_from_signer(NOW + 5, &clock));
        clock.pass(60);
        let reading = judge.read(&clock);
        assert_eq!(reading.now, NOW + 65);
        assert!(matches!(reading.verdict, Verdict::Wrong { .. }));
        assert!(!reading.verdict.is_doubtful());
    }

    #[test]
    fn within_four_hours_of_the_signer_the_clock_is_right() {
        let mut judge = Judge::new(0);
        for (off, right) in [(MAX_SKEW, true), (MAX_SKEW + 1, false)] {
            for wall in [NOW - off, NOW + off] {
                let clock = Set::at(wall);
                assert!(judge.learn_from_signer(NOW, &clock));
                let reading = judge.read(&clock);
                assert_eq!(reading.verdict.is_good(), right);
                assert_eq!(reading.now, if right { wall } else { NOW });
            }
        }
    }

    #[test]
    fn a_jump_is_noticed_and_one_that_corrects_the_clock_is_believed() {
        let mut judge = Judge::new(0);
        let clock = Set::at(NOW);
        judge.learn_from_signer(NOW, &clock);
        clock.pass(DAY);
        assert_eq!(judge.read(&clock).verdict, Verdict::Confirmed);
        clock.wall.set(5);
        let reading = judge.read(&clock);
        assert_eq!(reading.now, NOW + DAY);
        assert!(matches!(reading.verdict, Verdict::Jumped { .. }));
        clock.wall.set(NOW + DAY + 60);
        let reading = judge.read(&clock);
        assert_eq!(
            (reading.now, reading.verdict),
            (NOW + DAY + 60, Verdict::Confirmed)
        );
    }

    #[test]
    fn a_signer_that_lives_in_the_past_is_not_believed() {
        let mut judge = Judge::new(0);
        assert!(!judge.learn_from_signer(WRITTEN - 1, &Set::at(NOW)));
        assert_eq!(judge.read(&Set::at(NOW)).verdict, Verdict::Plausible);
    }

    #[test]
    fn a_signer_that_was_wrong_once_is_corrected_by_its_next_word() {
        let mut judge = Judge::new(0);
        let clock = Set::at(NOW);
        judge.learn_from_signer(NOW + 9000 * DAY, &clock);
        assert!(matches!(judge.read(&clock).verdict, Verdict::Wrong { .. }));
        judge.learn_from_signer(NOW, &clock);
        assert_eq!(judge.read(&clock).verdict, Verdict::Confirmed);
        assert_eq!(judge.earliest(), NOW);
    }
}
