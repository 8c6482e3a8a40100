//! Moments and spans as people read them.

use std::time::{Duration, SystemTime};

/// A moment in UTC, such as `2026-11-24 11:43`.
pub(crate) fn moment(seconds: u64) -> String {
    // The last moment that the formatter knows is in the year 9999.
    let since = Duration::from_secs(seconds.min(LAST));
    let text = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string();
    text.replace('T', " ").chars().take(MINUTES).collect()
}

/// The two largest units of a span, such as `5 d 3 h`.
pub(crate) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / DAY, seconds / HOUR % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;
const LAST: u64 = 253_402_300_799;
/// How long a moment is with minutes but without seconds.
const MINUTES: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_units_are_enough() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(119), "1 min");
        assert_eq!(span(HOUR), "1 h 0 min");
        assert_eq!(span(5 * DAY + 3 * HOUR + 59), "5 d 3 h");
    }

    #[test]
    fn a_moment_has_no_seconds() {
        assert_eq!(moment(1_800_000_000), "2027-01-15 08:00");
    }

    proptest! {
        #[test]
        fn every_moment_can_be_shown(seconds: u64) {
            prop_assert_eq!(moment(seconds).len(), MINUTES);
        }
    }
}
