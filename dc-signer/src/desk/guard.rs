//! Whether the clock can be right: a signer that believes a wrong one issues credentials that nobody accepts,
//! or that live too long.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pki_types::UnixTime;

use crate::human::{Moment, Span};
use crate::store::{self, Store};

/// Compares the clock with what was recorded, and with how much time has really passed.
#[derive(Debug)]
pub(super) struct Guard {
    /// Seconds of the latest time that anything was recorded at, or that was accepted.
    latest: AtomicU64,
    /// A time that was accepted, and when that was by a clock that nobody can set.
    accepted: Mutex<(UnixTime, Instant)>,
}

impl Guard {
    pub(super) fn new(latest: Option<UnixTime>, now: UnixTime) -> Self {
        Self {
            latest: latest.map_or(0, |latest| latest.as_secs()).into(),
            accepted: Mutex::new((now, Instant::now())),
        }
    }

    /// Takes a time for right.
    pub(super) fn accept(&self, now: UnixTime) {
        self.latest.store(now.as_secs(), Ordering::Relaxed);
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        *accepted = (now, Instant::now());
    }

    /// How far a time is from what was to be expected.
    pub(super) fn skew(&self, now: UnixTime) -> Skew {
        let latest = self.latest.load(Ordering::Relaxed);
        skew(now.as_secs(), self.expected(), latest)
    }

    /// What the clock would say if nobody had set it.
    fn expected(&self) -> u64 {
        let accepted = *self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.0.as_secs() + accepted.1.elapsed().as_secs()
    }

    /// Checks a time of the clock.
    ///
    /// Fails with [`Clock`].
    pub(super) fn check(&self, now: UnixTime) -> Result<(), Clock> {
        let latest = self.latest.load(Ordering::Relaxed);
        judge(now.as_secs(), self.expected(), latest)?;
        self.latest.fetch_max(now.as_secs(), Ordering::Relaxed);
        Ok(())
    }
}

/// How many seconds the clock is ahead, or, below 0, behind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Skew {
    /// Of what it would say if nobody had set it since the signer was started or reloaded.
    pub since_start: i64,
    /// Of the latest time that is on record; never ahead of it.
    pub records: i64,
}

/// Times in seconds since 1970.
fn skew(now: u64, expected: u64, latest: u64) -> Skew {
    let ahead = |of: u64| i64::try_from(i128::from(now) - i128::from(of)).unwrap_or_default();
    Skew {
        since_start: ahead(expected),
        records: ahead(latest).min(0),
    }
}

/// Times in seconds since 1970.
fn judge(now: u64, expected: u64, latest: u64) -> Result<(), Clock> {
    if now < RELEASED {
        return Err(Clock::BeforeRelease { now: at(now) });
    }
    if now.saturating_add(BACK.as_secs()) < latest {
        return Err(Clock::Behind {
            now: at(now),
            latest: at(latest),
        });
    }
    match now.saturating_sub(expected) > AHEAD.as_secs() {
        true => Err(Clock::Jumped {
            now: at(now),
            expected: at(expected),
        }),
        false => Ok(()),
    }
}

/// When the last record of the audit log was made, if there is one.
pub(super) async fn latest(store: &dyn Store) -> Result<Option<UnixTime>, store::Error> {
    let head = store.audit_head().await?;
    let last = store.audit_from(head.seq, 1).await?;
    Ok(last.first().map(|record| record.entry.time))
}

/// Why the clock cannot be right.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Clock {
    /// Something was recorded much later than now.
    Behind {
        /// What the clock says.
        now: UnixTime,
        /// What it has said before.
        latest: UnixTime,
    },
    /// It says a time before this program was written.
    BeforeRelease {
        /// What the clock says.
        now: UnixTime,
    },
    /// It was set forward while the signer ran.
    Jumped {
        /// What the clock says.
        now: UnixTime,
        /// What it would say if nobody had set it.
        expected: UnixTime,
    },
}

impl std::error::Error for Clock {}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind { now, latest } => write!(
                f,
                "the signer's clock says {}, {} before something that is on record: set it, then reload the service",
                Moment(*now),
                Span::about(*now, *latest)
            ),
            Self::BeforeRelease { now } => write!(
                f,
                "the signer's clock says {}, before this program was written: set it",
                Moment(*now)
            ),
            Self::Jumped { now, expected } => write!(
                f,
                "the signer's clock jumped to {}, {} ahead: set it, or, if it is right now, reload the service",
                Moment(*now),
                Span::about(*expected, *now)
            ),
        }
    }
}

const fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// 2026-11-01: no clock is right that says an earlier time.
const RELEASED: u64 = 1_793_491_200;
/// How far apart the clocks of several signers, or one clock before and after it was adjusted, may be.
const BACK: Duration = Duration::from_secs(600);
/// Clients whose clocks are right take credentials from a clock that is four hours ahead.
const AHEAD: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_clock_from_before_the_release_is_wrong() {
        assert_eq!(
            judge(RELEASED - 1, 0, 0),
            Err(Clock::BeforeRelease {
                now: at(RELEASED - 1)
            })
        );
        assert_eq!(judge(RELEASED, RELEASED, 0), Ok(()));
    }

    #[test]
    fn a_clock_that_went_back_is_believed_for_ten_minutes() {
        assert_eq!(judge(NOW - 600, NOW, NOW), Ok(()));
        let behind = judge(NOW - 601, NOW, NOW);
        assert!(matches!(behind, Err(Clock::Behind { .. })), "{behind:?}");
    }

    #[test]
    fn a_clock_that_jumped_ahead_is_believed_for_an_hour() {
        assert_eq!(judge(NOW + 3600, NOW, NOW), Ok(()));
        let jumped = judge(NOW + 3601, NOW, NOW);
        assert!(matches!(jumped, Err(Clock::Jumped { .. })), "{jumped:?}");
    }

    #[test]
    fn skew_has_a_sign_and_no_record_is_too_old() {
        let of = |since_start, records| Skew {
            since_start,
            records,
        };
        assert_eq!(skew(NOW, NOW, NOW - 86_400), of(0, 0));
        assert_eq!(skew(NOW, NOW + 30, NOW + 5), of(-30, -5));
        assert_eq!(skew(NOW, NOW - 7, 0), of(7, 0));
        assert_eq!(skew(0, u64::MAX, NOW).since_start, 0);
    }

    #[test]
    fn a_time_that_was_accepted_is_believed() {
        let guard = Guard::new(Some(at(NOW + 86_400)), at(NOW));
        assert!(guard.check(at(NOW)).is_err());
        guard.accept(at(NOW));
        assert_eq!(guard.check(at(NOW)), Ok(()));
    }

    #[test]
    fn what_was_refused_is_not_remembered() {
        let guard = Guard::new(None, at(NOW));
        assert!(guard.check(at(NOW + 86_400)).is_err());
        assert_eq!(guard.check(at(NOW)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_refused_says_what_to_do() {
        for clock in [
            judge(1, 0, 0),
            judge(NOW, NOW, NOW + 7200),
            judge(NOW + 7200, NOW, 0),
        ] {
            let text = clock.unwrap_err().to_string();
            assert!(text.contains("set it"), "{text}");
        }
    }
}
