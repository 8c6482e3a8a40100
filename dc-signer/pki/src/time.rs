//! Conversions of times and spans: RFC 3339 in and out, and what HTTP calls an HTTP-date.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use der::DateTime;
use pki_types::UnixTime;

/// The moment so many seconds after 1970.
#[must_use]
pub fn from_seconds(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// The seconds after 1970 of an HTTP-date (RFC 9110 §5.6.7); none if it is none, or earlier.
#[must_use]
pub fn from_http_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// A moment as an HTTP-date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn to_http_date(at: UnixTime) -> String {
    // What is written has four digits for the year.
    let seconds = at.as_secs().min(LAST_OF_9999);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The duration that a text such as `6d20h` or `90s` means; none if it means none.
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

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

impl Moment {
    /// So many seconds after 1970.
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        Self(from_seconds(seconds))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match DateTime::from_unix_duration(Duration::from_secs(seconds)) {
            Ok(date) => fmt::Display::fmt(&date, f),
            Err(_) => write!(f, "{seconds} s after 1970"),
        }
    }
}

impl FromStr for Moment {
    type Err = BadMoment;

    /// Reads RFC 3339 (`2026-11-24T08:00:00Z`, `2026-11-24 10:00:00+02:00`) or seconds since 1970.
    ///
    /// Fails with [`BadMoment`] for anything else, and before 1970.
    fn from_str(text: &str) -> Result<Self, BadMoment> {
        if let Ok(seconds) = text.parse() {
            return Ok(Self::at(seconds));
        }
        let (local, offset) = split_offset(text).ok_or(BadMoment)?;
        let local = humantime::parse_rfc3339_weak(local).map_err(|_| BadMoment)?;
        let local = local.duration_since(UNIX_EPOCH).map_err(|_| BadMoment)?;
        let seconds = local.as_secs().checked_add_signed(-offset);
        seconds.map(Self::at).ok_or(BadMoment)
    }
}

/// The date and time, and how many seconds it is ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if text.ends_with(['Z', 'z']) {
        return Some((text.trim_end_matches(['Z', 'z']), 0));
    }
    // The hyphens of the date come first.
    let sign_at = text.len().checked_sub("+00:00".len())?;
    let (local, offset) = text.split_at_checked(sign_at)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    match offset.as_bytes().first()? {
        b'+' => Some((local, seconds)),
        b'-' => Some((local, -seconds)),
        _ => None,
    }
}

/// A text is no moment after 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BadMoment;

impl fmt::Display for BadMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("give a moment after 1970 as 2026-11-24T08:00:00Z, with an offset in place of Z, or as seconds since 1970")
    }
}

impl std::error::Error for BadMoment {}

const LAST_OF_9999: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::from_seconds as at;
    use super::*;

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

    #[test]
    fn a_moment_is_read_as_rfc_3339_or_in_seconds() {
        for (text, seconds) in [
            ("1767225600", 1_767_225_600),
            ("2026-01-01T00:00:00Z", 1_767_225_600),
            ("2026-01-01 00:00:00z", 1_767_225_600),
            ("2026-01-01T02:30:00+02:30", 1_767_225_600),
            ("2025-12-31T23:00:00-01:00", 1_767_225_600),
            ("0", 0),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.0, at(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "soon",
            "-1",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00++1:00",
            "99999999999999999999",
        ] {
            assert_eq!(text.parse::<Moment>().unwrap_err(), BadMoment, "{text}");
        }
    }

    #[test]
    fn an_http_date_is_after_1970_or_none() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(from_http_date(date), Some(784_111_777));
        assert_eq!(to_http_date(from_seconds(784_111_777)), date);
        let last = to_http_date(from_seconds(u64::MAX));
        assert_eq!(last, "Fri, 31 Dec 9999 23:59:59 GMT");
        for text in ["", "soon", "Sun, 06 Nov 1904 08:49:37 GMT"] {
            assert_eq!(from_http_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_moment_or_not(text: String) {
            let _ = text.parse::<Moment>();
        }

        #[test]
        fn a_moment_that_is_shown_can_be_read(seconds in 0u64..=4_102_444_800) {
            prop_assert_eq!(Moment(at(seconds)).to_string().parse::<Moment>().unwrap().0, at(seconds));
        }
    }
}
