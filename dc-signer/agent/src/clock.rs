//! What time it is, when the device's own clock may be wrong.
//!
//! A device without a battery starts in 1970, or where its files say it stopped, and may stay there for
//! hours. What is judged here is only the agent's: nobody sets the system's clock.
//!
//! Three things are known about the time, and each is worth something else. The program's build and the chain
//! that is installed are past for certain: that is the *floor*. What the signer said last is believed, whatever
//! the device's own clock says, and moves on with the machine's uptime; but the signer's clock may have been
//! wrong, or whoever said it may hold an old certificate of the signer. So it is never a reason not to listen to
//! the signer's next word. The device's own clock counts where nothing is known that is better.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use dc_core::{DEFAULT_LIFETIME, MAX_VALIDITY};
use pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use dc_pki::clock;
use dc_pki::time::{Moment, Span};

/// A device's clocks.
pub trait Clock {
    /// Seconds since 1970, as the system has it.
    fn wall(&self) -> u64;

    /// Time since some moment, which no setting of the clock changes: since the machine's start, if
    /// [`boot`](Self::boot) says which one that was.
    fn uptime(&self) -> Duration;

    /// What this start of the machine is called, so that its uptime can be compared after the agent has been
    /// started again; none if that is not known.
    fn boot(&self) -> Option<&str> {
        None
    }
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    /// The name of the machine's start, and the time from then to `started`.
    boot: Option<(String, Duration)>,
}

impl SystemClock {
    /// Whose uptime is the machine's, or begins now if the system does not tell.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            boot: boot(),
        }
    }
}

fn boot() -> Option<(String, Duration)> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let seconds = uptime.split(' ').next()?.parse().ok()?;
    let uptime = Duration::try_from_secs_f64(seconds).ok()?;
    Some((id.trim().to_owned(), uptime))
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
        let before = self.boot.as_ref().map(|(_, before)| *before);
        before.unwrap_or_default() + self.started.elapsed()
    }

    fn boot(&self) -> Option<&str> {
        self.boot.as_ref().map(|(id, _)| id.as_str())
    }
}

/// The signer's last word about the time, and what the device's clocks said then. In seconds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Told {
    /// The signer's time.
    pub signer: u64,
    /// The system's clock.
    pub wall: u64,
    /// The uptime.
    pub uptime: u64,
    /// In which start of the machine.
    pub boot: Option<String>,
}

impl Told {
    /// Whether both were told in one start of the machine and make the same of its clocks.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let Self {
            signer,
            wall,
            uptime,
            boot,
        } = self;
        let later = other.uptime.saturating_sub(*uptime);
        boot.is_some()
            && *boot == other.boot
            && *uptime <= other.uptime
            && other.signer.abs_diff(signer.saturating_add(later)) <= A_MINUTE
            && other.wall.abs_diff(wall.saturating_add(later)) <= A_MINUTE
    }

    /// The time, in the same start of the machine.
    fn read(&self, wall: u64, uptime: u64) -> Reading {
        let elapsed = uptime.saturating_sub(self.uptime);
        let signers = self.signer.saturating_add(elapsed);
        let jump = wall.abs_diff(self.wall.saturating_add(elapsed));
        let agrees = wall.abs_diff(signers) <= MAX_SKEW;
        let (now, verdict) = match (agrees, jump) {
            (true, ..=LITTLE) => (wall, Verdict::Confirmed),
            // Somebody has set it since.
            (true, _) => (wall, Verdict::Plausible),
            (false, ..=MAX_SKEW) => (signers, Verdict::Wrong { wall, signers }),
            (false, _) => (signers, Verdict::Jumped { wall, signers }),
        };
        Reading { now, verdict }
    }
}

/// What is known about the time, apart from the clock.
#[derive(Clone, Debug)]
pub struct Judge {
    /// When the installed chain began; 0 for none.
    chain: u64,
    told: Option<Told>,
    /// Whether that was told in this start of the machine.
    is_fresh: bool,
}

impl Judge {
    /// Knows when this program was built, and what the signer said in an earlier run, if anything.
    #[must_use]
    pub fn new(told: Option<Told>, clock: &dyn Clock) -> Self {
        let is_fresh = told.as_ref().is_some_and(|told| {
            told.boot.is_some()
                && told.boot.as_deref() == clock.boot()
                && told.uptime <= clock.uptime().as_secs()
        });
        Self {
            chain: 0,
            told,
            is_fresh,
        }
    }

    /// Learns when the chain began that is installed now.
    pub fn learn(&mut self, moment: UnixTime) {
        self.chain = moment.as_secs();
    }

    /// Learns what an authenticated signer says, whose certificate is valid then. Not believed, and false, if
    /// that is before the floor; but a chain can be of a signer whose clock was wrong, and counts for nothing if
    /// the device's own clock agrees with the signer's.
    pub fn learn_from_signer(&mut self, signer: u64, clock: &dyn Clock) -> bool {
        let wall = clock.wall();
        let agrees = signer >= BUILT && signer.abs_diff(wall) <= MAX_SKEW;
        if signer < self.floor() && !agrees {
            return false;
        }
        self.told = Some(Told {
            signer,
            wall,
            uptime: clock.uptime().as_secs(),
            boot: clock.boot().map(ToOwned::to_owned),
        });
        self.is_fresh = true;
        true
    }

    /// Whether the signer has spoken since the machine was started.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// What the signer said last.
    #[must_use]
    pub fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// It is later than this, whoever says otherwise.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.chain.max(BUILT)
    }

    /// What the system's clock says, unless it cannot be.
    #[must_use]
    pub fn possible(&self, clock: &dyn Clock) -> Option<u64> {
        Some(clock.wall()).filter(|wall| wall.saturating_add(MAX_SKEW) >= BUILT)
    }

    /// What time it is, as well as is known.
    #[must_use]
    pub fn read(&self, clock: &dyn Clock) -> Reading {
        let (wall, uptime) = (clock.wall(), clock.uptime().as_secs());
        match &self.told {
            Some(told) if self.is_fresh => told.read(wall, uptime),
            _ => self.read_alone(wall, uptime),
        }
    }

    fn read_alone(&self, wall: u64, uptime: u64) -> Reading {
        let told = self.told.as_ref();
        let earliest = told.map_or(0, |told| told.signer).max(self.floor());
        // Clocks differ by minutes; the signer's last word is no reason to doubt one that is behind.
        if wall.saturating_add(MAX_SKEW) < earliest {
            return Reading {
                now: earliest.saturating_add(uptime),
                verdict: Verdict::Behind { wall, earliest },
            };
        }
        // It was ahead before, and has gone on since.
        let known = told
            .filter(|told| wall >= told.wall && told.wall > told.signer.saturating_add(MAX_SKEW));
        let signers = known.map(|told| earliest.max(wall - (told.wall - told.signer)));
        let verdict = match signers {
            _ if wall > earliest.saturating_add(LONG_AWAY) => Verdict::FarAhead { wall, earliest },
            Some(signers) => Verdict::Jumped { wall, signers },
            None => Verdict::Plausible,
        };
        Reading {
            now: signers.unwrap_or(wall),
            verdict,
        }
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
    /// It is before a moment that should be past. That moment is used, and how long the machine has been up.
    Behind {
        /// What it says.
        wall: u64,
        /// The latest that is known to be past.
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
    /// It was set since the signer told the time, and away from it; or it was ahead of it before the machine was started,
    /// and may still be. The signer's time is used.
    Jumped {
        /// What it says.
        wall: u64,
        /// The signer's time.
        signers: u64,
    },
    /// Nothing speaks against it, but since it was last set or the machine was started, the signer has not told the
    /// time.
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
        let moment = Moment::at;
        match *self {
            Self::Behind { wall, earliest } => write!(
                f,
                "the clock says {}, but it should be {} at least: set it, or check NTP",
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
/// The seven days less the 164 hours that are issued, which are left for clocks that are wrong.
const MAX_SKEW: u64 = MAX_VALIDITY.as_secs() - DEFAULT_LIFETIME.as_secs();
/// A clock that is set by more than this has been set by somebody who may be wrong.
const LITTLE: u64 = 600;
const A_MINUTE: u64 = 60;
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
        boot: Option<&'static str>,
    }

    impl Set {
        fn at(wall: u64) -> Self {
            Self {
                wall: Cell::new(wall),
                uptime: Cell::new(1000),
                boot: None,
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

        fn boot(&self) -> Option<&str> {
            self.boot
        }
    }

    const NOW: u64 = WRITTEN + 100 * DAY;
    const DAY: u64 = 86_400;

    #[test]
    fn a_clock_before_the_build_or_the_chain_is_behind_and_time_goes_on() {
        let clock = Set::at(0);
        let mut judge = Judge::new(None, &clock);
        let reading = judge.read(&clock);
        assert_eq!(reading.now, WRITTEN + 1000);
        assert!(reading.verdict.is_doubtful());
        clock.pass(DAY);
        assert_eq!(judge.read(&clock).now, WRITTEN + 1000 + DAY);
        assert_eq!(judge.read(&Set::at(NOW)).verdict, Verdict::Plausible);
        judge.learn(UnixTime::since_unix_epoch(Duration::from_secs(NOW + DAY)));
        let reading = judge.read(&Set::at(NOW));
        assert_eq!(reading.now, NOW + DAY + 1000);
        assert!(matches!(reading.verdict, Verdict::Behind { .. }));
    }

    #[test]
    fn a_clock_ten_years_ahead_is_doubted_and_used_until_the_signer_speaks() {
        let clock = Set::at(NOW + 3650 * DAY);
        let mut judge = Judge::new(Some(told(NOW, NOW)), &clock);
        let reading = judge.read(&clock);
        assert!(matches!(reading.verdict, Verdict::FarAhead { .. }));
        assert_eq!(reading.now, NOW + 3650 * DAY);
        assert!(judge.learn_from_signer(NOW + 5, &clock));
        clock.pass(60);
        let reading = judge.read(&clock);
        assert_eq!(reading.now, NOW + 65);
        assert!(matches!(reading.verdict, Verdict::Wrong { .. }));
        assert!(!reading.verdict.is_doubtful());
        // The same in the next run, which asks nevertheless.
        let next = Judge::new(judge.told().cloned(), &clock).read(&clock);
        assert_eq!(next.now, NOW + 65);
        assert!(next.verdict.is_doubtful());
    }

    #[test]
    fn a_clock_that_was_days_ahead_before_the_start_is_still_ahead_until_the_signer_speaks() {
        let clock = Set::at(NOW + 5 * DAY);
        let mut judge = Judge::new(None, &clock);
        assert!(judge.learn_from_signer(NOW, &clock));
        clock.pass(DAY);
        let read = |clock: &Set| Judge::new(judge.told().cloned(), clock).read(clock);
        let reading = read(&clock);
        assert_eq!(reading.now, NOW + DAY);
        assert!(reading.verdict.is_doubtful());
        let told = reading.verdict.to_string();
        assert!(told.contains("5 d") && told.contains("set it"), "{told}");
        // One that has been set back since is taken at its word.
        let reading = read(&Set::at(NOW + DAY));
        assert_eq!(
            (reading.now, reading.verdict),
            (NOW + DAY, Verdict::Plausible)
        );
    }

    #[test]
    fn within_four_hours_of_the_signer_the_clock_is_right() {
        for (off, right) in [(MAX_SKEW, true), (MAX_SKEW + 1, false)] {
            for wall in [NOW - off, NOW + off] {
                let clock = Set::at(wall);
                let mut judge = Judge::new(None, &clock);
                assert!(judge.learn_from_signer(NOW, &clock));
                let reading = judge.read(&clock);
                assert_eq!(reading.verdict.is_good(), right);
                assert_eq!(reading.now, if right { wall } else { NOW });
            }
        }
    }

    #[test]
    fn a_jump_is_noticed_and_one_that_corrects_the_clock_is_believed() {
        let clock = Set::at(NOW);
        let mut judge = Judge::new(None, &clock);
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
        clock.wall.set(NOW + DAY + 3600);
        let reading = judge.read(&clock);
        assert_eq!(
            (reading.now, reading.verdict),
            (NOW + DAY + 3600, Verdict::Plausible)
        );
    }

    #[test]
    fn a_signer_that_lives_in_the_past_is_not_believed() {
        let clock = Set::at(NOW);
        let mut judge = Judge::new(None, &clock);
        assert!(!judge.learn_from_signer(WRITTEN - 1, &clock));
        assert_eq!(judge.read(&clock).verdict, Verdict::Plausible);
    }

    #[test]
    fn a_chain_from_the_future_is_overruled_by_two_clocks_that_agree_and_by_no_single_one() {
        let clock = Set::at(NOW);
        let mut judge = Judge::new(None, &clock);
        judge.learn(UnixTime::since_unix_epoch(Duration::from_secs(
            NOW + 700 * DAY,
        )));
        assert!(!judge.learn_from_signer(NOW, &Set::at(0)));
        assert!(judge.learn_from_signer(NOW, &clock));
        assert_eq!(judge.read(&clock).verdict, Verdict::Confirmed);
    }

    #[test]
    fn a_signer_that_was_wrong_once_is_corrected_by_its_next_word() {
        let clock = Set::at(NOW);
        let mut judge = Judge::new(None, &clock);
        judge.learn_from_signer(NOW + 9000 * DAY, &clock);
        assert!(matches!(judge.read(&clock).verdict, Verdict::Wrong { .. }));
        assert!(judge.floor() < NOW);
        judge.learn_from_signer(NOW, &clock);
        assert_eq!(judge.read(&clock).verdict, Verdict::Confirmed);
    }

    #[test]
    fn what_was_told_since_the_machine_started_is_good_for_every_run_until_the_next_start() {
        let mut clock = Set::at(NOW);
        clock.boot = Some("one");
        let mut judge = Judge::new(None, &clock);
        judge.learn_from_signer(NOW, &clock);
        clock.pass(DAY);
        let read = |clock: &Set| Judge::new(judge.told().cloned(), clock).read(clock);
        assert_eq!(read(&clock).verdict, Verdict::Confirmed);
        clock.wall.set(0);
        assert_eq!(read(&clock).now, NOW + DAY);
        clock.wall.set(NOW + DAY);
        clock.boot = Some("two");
        assert_eq!(read(&clock).verdict, Verdict::Plausible);
    }

    fn told(signer: u64, wall: u64) -> Told {
        Told {
            signer,
            wall,
            uptime: 0,
            boot: None,
        }
    }
}
