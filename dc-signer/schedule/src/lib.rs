#![doc = include_str!("../README.md")]
//!
//! Moments are whole seconds since 1970, and as far as known the signer's time.

use dc_protocol::RenewalWindow;
use serde::{Deserialize, Serialize};

/// A wait, measured with the device's own clock.
///
/// It is over when that clock is set to before its beginning or after its end, so no wrong clock makes it longer: not
/// the one by which it was begun, and none after it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Wait {
    /// When it is over, as far as the time is known.
    pub at: u64,
    /// The time by the device's own clock at its beginning.
    from: u64,
    /// And at its end.
    until: u64,
}

impl Wait {
    /// From `now` until `at`, while the device's own clock says `wall`.
    #[must_use]
    pub fn new(now: u64, at: u64, wall: u64) -> Self {
        let until = wall.saturating_add(at.saturating_sub(now));
        Self {
            at,
            from: wall,
            until,
        }
    }

    /// How long it still is, in seconds.
    #[must_use]
    pub fn left(&self, wall: u64) -> u64 {
        // A clock that is kept right goes back by a little now and then.
        match wall.saturating_add(10 * MINUTE) < self.from {
            true => 0,
            false => self.until.saturating_sub(wall.max(self.from)),
        }
    }
}

/// A number that is drawn once: the part of a span that a moment is at, from 0 to just below 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Draw(pub u32);

impl Draw {
    /// A moment in a span, or its beginning if it ends before it begins.
    #[must_use]
    pub fn between(self, from: u64, until: u64) -> u64 {
        let span = u128::from(until.saturating_sub(from));
        let part = (span * u128::from(self.0)) >> u32::BITS;
        from.saturating_add(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

/// The life of a credential, and when its signer wants to be asked for the next one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    /// When it was issued.
    pub issued: u64,
    /// When it ends.
    pub expires: u64,
    /// `renew_from` and `renew_until`, as the signer said.
    pub window: RenewalWindow,
}

impl Life {
    /// When to renew. Draw this once and keep it: who draws again and again ends up with the earliest
    /// moment of the window, at which everybody else is as well.
    ///
    /// The signer's window counts unless it is backwards, or in the first twentieth or the last tenth of
    /// the life, as a mistake would be; then it is from 40 to 55 % of the life. Never within a minute.
    #[must_use]
    pub fn renew_at(&self, draw: Draw) -> u64 {
        let window = match self.window.fits(self.issued, self.expires) {
            true => self.window,
            false => RenewalWindow::of_life(self.issued, self.expires),
        };
        draw.between(window.from, window.until)
            .max(self.issued.saturating_add(MINUTE))
    }
}

/// How a request failed, as far as the next one is concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The signer keeps a time for this device alone.
    Reserved {
        /// After how many seconds.
        after: u64,
    },
    /// It may well succeed later.
    Transient {
        /// Retry-After, in seconds, if the signer said so.
        retry_after: Option<u64>,
    },
    /// It will fail until somebody does something.
    Permanent,
}

/// When to try again after the latest of so many `failures` in a row.
///
/// `expires` is the end of the credential that the device has; none if it has none. Waits at least a
/// minute, less and less towards the end of the credential, and never more than a day and six hours.
#[must_use]
pub fn try_again_at(
    now: u64,
    expires: Option<u64>,
    failures: u32,
    failure: Failure,
    draw: Draw,
) -> u64 {
    let remaining = expires.map(|expires| expires.saturating_sub(now));
    let (shortest, longest) = match failure {
        Failure::Permanent => (18 * HOUR, 30 * HOUR),
        Failure::Reserved { after } => {
            // No earlier, because it is kept from then on; and hardly later, because others have the time after it.
            let wanted = after.clamp(MINUTE, longest_reservation(remaining));
            (wanted, wanted + (wanted / 10).min(A_MOMENT))
        }
        Failure::Transient { retry_after: None } => {
            let doubled = FIRST_CAP.saturating_mul(1 << failures.saturating_sub(1).min(16));
            (MINUTE, MINUTE + doubled.min(cap(remaining)))
        }
        Failure::Transient {
            retry_after: Some(wanted),
        } => {
            // A tenth more at most: not every server hands out a moment of its own to each.
            let wanted = wanted.clamp(MINUTE, longest_wait(remaining));
            (wanted, wanted + wanted / 10)
        }
    };
    draw.between(now.saturating_add(shortest), now.saturating_add(longest))
}

/// The most by which a minute is exceeded.
fn cap(remaining: Option<u64>) -> u64 {
    match remaining {
        // Who has never been in is as lost as who has been put out.
        None | Some(0) => EXPIRED_CAP,
        Some(remaining) => (remaining / 12).clamp(FIRST_CAP, LAST_CAP),
    }
}

/// The longest Retry-After that is obeyed: a signer that is wrong must not cost the credential.
fn longest_wait(remaining: Option<u64>) -> u64 {
    match remaining {
        None => LAST_CAP,
        Some(0) => EXPIRED_CAP,
        Some(remaining) => (remaining / 2).clamp(FIRST_CAP, DAY),
    }
}

/// The same where the signer keeps the time: whoever has lost everything already does not lose more by it.
fn longest_reservation(remaining: Option<u64>) -> u64 {
    match remaining {
        Some(0) => LAST_CAP,
        remaining => longest_wait(remaining),
    }
}

/// When to do what is due at `due` after a start at `now`.
///
/// Nothing is due because of a start; but when the power comes back, a whole town starts in one
/// minute, so what is due anyway is spread over `delay` seconds.
#[must_use]
pub fn after_start(now: u64, due: u64, delay: u64, draw: Draw) -> u64 {
    due.max(draw.between(now, now.saturating_add(delay)))
}

/// A moment on the disk, unless the clock was wrong when it was written.
///
/// Nothing is ever put off by more than `longest`, so what is further away than that is due now.
#[must_use]
pub fn believable(at: u64, now: u64, longest: u64) -> u64 {
    match at > now.saturating_add(longest) {
        true => now,
        false => at,
    }
}

/// When to ask again whether the zone's renewals are pulled forward: after what the signer says, give
/// or take a sixth.
#[must_use]
pub fn poll_again_at(now: u64, poll_after: Option<u64>, draw: Draw) -> u64 {
    about(now, poll_after.unwrap_or(12 * HOUR).clamp(HOUR, DAY), draw)
}

/// A moment after so many seconds, give or take a sixth: a whole fleet must not ask in one second.
#[must_use]
pub fn about(now: u64, after: u64, draw: Draw) -> u64 {
    let middle = now.saturating_add(after);
    draw.between(
        middle.saturating_sub(after / 6),
        middle.saturating_add(after / 6),
    )
}

/// How long to wait, in seconds, before the signer is asked again what time it is, after so many questions in vain.
///
/// A device that may be in danger asks every quarter of an hour at last, as often as it looks at its clock; one whose clock nothing
/// speaks against every hour.
#[must_use]
pub fn ask_again_after(questions: u32, is_in_danger: bool) -> u64 {
    let most = match is_in_danger {
        true => FEW,
        false => HOURLY,
    };
    MINUTE << questions.min(most)
}

/// When to renew if the zone's renewals are pulled forward over `spread` seconds: at least half of what
/// is left stays for what goes wrong.
#[must_use]
pub fn pulled_to(now: u64, spread: u64, expires: u64, draw: Draw) -> u64 {
    let spread = spread.min(expires.saturating_sub(now) / 2);
    draw.between(now, now.saturating_add(spread))
}

/// The longest wait for anything but a renewal.
pub const LONGEST_WAIT: u64 = 30 * HOUR;

/// After so many questions a quarter of an hour is reached, and an hour.
const FEW: u32 = 4;
const HOURLY: u32 = 6;
const A_MOMENT: u64 = 5;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const FIRST_CAP: u64 = 5 * MINUTE;
const LAST_CAP: u64 = 4 * HOUR;
const EXPIRED_CAP: u64 = 30 * MINUTE;

#[cfg(test)]
mod tests;
