//! How many may begin now, and how many a second are really done.

use std::time::Duration;

/// A bucket of tokens, one for each that begins, and the pace that shows when all places are busy.
#[derive(Debug)]
pub(crate) struct Pace {
    tokens: f64,
    /// The most of them that there can be.
    most: f64,
    at: Duration,
    /// Those that are done a second, as far as known: the configured rate, unless that is more than can be done.
    measured: f64,
    window: Window,
}

/// The time over which it is measured.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Duration,
    done: u32,
    /// How much of it all places were busy and somebody waited.
    blocked: Duration,
    /// They are now.
    is_blocked: bool,
}

impl Pace {
    /// A full bucket, and nothing measured yet.
    pub(crate) fn new(rate: f64, wait: Duration, now: Duration) -> Self {
        Self {
            tokens: most(rate, wait),
            most: most(rate, wait),
            at: now,
            measured: rate,
            window: Window {
                from: now,
                done: 0,
                blocked: Duration::ZERO,
                is_blocked: false,
            },
        }
    }

    /// Time has passed; somebody waits so long at most.
    pub(crate) fn pass(&mut self, rate: f64, wait: Duration, now: Duration) {
        let passed = now.saturating_sub(self.at);
        self.most = most(rate, wait);
        self.tokens = (self.tokens + passed.as_secs_f64() * rate).min(self.most);
        if self.window.is_blocked {
            self.window.blocked += passed;
        }
        self.at = self.at.max(now);
        let whole = now.saturating_sub(self.window.from);
        if whole >= WINDOW {
            self.measure(rate, whole);
        }
    }

    fn measure(&mut self, rate: f64, whole: Duration) {
        let done = f64::from(self.window.done) / whole.as_secs_f64();
        self.measured = match self.window.blocked * 2 > whole {
            true => f64::midpoint(self.measured, done).max(rate / LEAST),
            // Nobody had to wait for a place, so it may be more.
            false => self.measured + rate / 10.0,
        }
        .min(rate);
        self.window = Window {
            from: self.at,
            done: 0,
            blocked: Duration::ZERO,
            is_blocked: self.window.is_blocked,
        };
    }

    /// Somebody waits although there are tokens, because all places are busy; or not.
    pub(crate) fn set_blocked(&mut self, is_blocked: bool) {
        self.window.is_blocked = is_blocked;
    }

    /// One is done.
    pub(crate) fn done(&mut self) {
        self.window.done = self.window.done.saturating_add(1);
    }

    /// There is a token.
    pub(crate) fn has_token(&self) -> bool {
        self.tokens >= 1.0
    }

    /// At least half of the tokens that there can be are there.
    pub(crate) fn is_at_ease(&self) -> bool {
        self.tokens >= (self.most / 2.0).max(1.0)
    }

    /// Takes a token.
    pub(crate) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// When there is a token.
    pub(crate) fn next_token(&self, rate: f64) -> Duration {
        let missing = (1.0 - self.tokens).max(0.0) / rate.max(f64::MIN_POSITIVE);
        let wait = Duration::try_from_secs_f64(missing).unwrap_or(Duration::MAX);
        // A little more, so that rounding does not make it one moment too early.
        self.at.saturating_add(wait) + Duration::from_nanos(1)
    }

    /// Those that are done a second.
    pub(crate) fn measured(&self) -> f64 {
        self.measured
    }
}

/// The tokens of an eighth of the longest wait, so that those who come together are not kept waiting for nothing, and what a timer is
/// late is not lost.
fn most(rate: f64, wait: Duration) -> f64 {
    (rate * wait.as_secs_f64() / 8.0).max(1.0)
}

const WINDOW: Duration = Duration::from_secs(5);
/// The measured pace is never less than this part of the configured one, so that one standstill does not put everybody off for days.
const LEAST: f64 = 100.0;
