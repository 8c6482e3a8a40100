//! Times as people read them.

use std::fmt;
use std::time::Duration;

use der::DateTime;
use pki_types::UnixTime;

/// A length of time, such as `6 d 20 h`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    seconds: u64,
    units: usize,
}

impl Span {
    /// To the second.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        Self {
            seconds: duration.as_secs(),
            units: 4,
        }
    }

    /// From one moment to a later one, in the two greatest units; the rest is cut off.
    #[must_use]
    pub fn about(from: UnixTime, to: UnixTime) -> Self {
        Self {
            seconds: to.as_secs().saturating_sub(from.as_secs()),
            units: 2,
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, units } = *self;
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3600 % 24, "h"),
            (seconds / 60 % 60, "min"),
            (seconds % 60, "s"),
        ];
        let first = parts.iter().position(|part| part.0 > 0).unwrap_or(3);
        let text: Vec<String> = parts
            .iter()
            .skip(first)
            .take(units)
            .enumerate()
            .filter(|(position, part)| *position == 0 || part.0 > 0)
            .map(|(_, (count, unit))| format!("{count} {unit}"))
            .collect();
        f.write_str(&text.join(" "))
    }
}

/// A moment in UTC, as RFC 3339 writes it.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub UnixTime);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match DateTime::from_unix_duration(Duration::from_secs(seconds)) {
            Ok(date) => fmt::Display::fmt(&date, f),
            Err(_) => write!(f, "{seconds} s after 1970"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_span_names_its_units_and_skips_zeros() {
        for (seconds, text) in [
            (164 * 3600, "6 d 20 h"),
            (7 * 86_400 + 1, "7 d 1 s"),
            (90 * 60, "1 h 30 min"),
            (3600, "1 h"),
            (59, "59 s"),
            (0, "0 s"),
        ] {
            assert_eq!(Span::new(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    #[test]
    fn a_rough_span_has_two_units_that_follow_each_other() {
        assert_eq!(
            Span::about(at(5), at(5 + 164 * 3600 - 1)).to_string(),
            "6 d 19 h"
        );
        assert_eq!(Span::about(at(0), at(86_400 + 59)).to_string(), "1 d");
        assert_eq!(Span::about(at(9), at(0)).to_string(), "0 s");
    }

    #[test]
    fn a_moment_is_in_utc_and_never_fails() {
        assert_eq!(
            Moment(at(1_767_225_600)).to_string(),
            "2026-01-01T00:00:00Z"
        );
        assert!(Moment(at(u64::MAX)).to_string().ends_with("after 1970"));
    }
}
