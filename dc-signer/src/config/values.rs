//! Readers of single values.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::problem::Wrong;
use super::reader::{Read, type_of};

/// Any text.
pub(super) fn text(value: &DeValue<'_>) -> Read<String> {
    string(value, "a text").map(ToOwned::to_owned)
}

/// A text of 1 to 64 letters, digits, hyphens, dots and underscores.
pub(super) fn word(value: &DeValue<'_>) -> Read<String> {
    let wanted = "1 to 64 letters, digits, '-', '.' and '_'";
    let word = string(value, wanted)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match (1..=64).contains(&word.len()) && word.chars().all(fits) {
        true => Ok(word.to_owned()),
        false => Err(not(word, wanted)),
    }
}

/// A path; a relative one begins at `base`.
pub(super) fn path(base: &Path) -> impl Fn(&DeValue<'_>) -> Read<PathBuf> {
    |value| match string(value, "a path")? {
        "" => Err(not("", "a path")),
        path => Ok(base.join(path)),
    }
}

/// `true` or `false`.
pub(super) fn flag(value: &DeValue<'_>) -> Read<bool> {
    value.as_bool().ok_or_else(|| Wrong::Type {
        wanted: "true or false",
        found: type_of(value),
    })
}

/// A whole number.
pub(super) fn count(allowed: RangeInclusive<usize>) -> impl Fn(&DeValue<'_>) -> Read<usize> {
    move |value| {
        let number = value.as_integer().ok_or_else(|| Wrong::Type {
            wanted: "a whole number",
            found: type_of(value),
        })?;
        usize::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|number| allowed.contains(number))
            .ok_or_else(|| Wrong::OutOfRange {
                given: number.to_string(),
                allowed: allowed.start().to_string()..=allowed.end().to_string(),
            })
    }
}

/// A time such as `5s`, `10m` or `6d20h`.
pub(super) fn duration(
    allowed: RangeInclusive<Duration>,
) -> impl Fn(&DeValue<'_>) -> Read<Duration> {
    let wanted = "a time in quotes, such as \"5s\", \"10m\" or \"6d20h\"";
    move |value| {
        let text = string(value, wanted)?;
        let time = humantime::parse_duration(text).map_err(|_| not(text, wanted))?;
        let show = |time: &Duration| humantime::format_duration(*time).to_string();
        match allowed.contains(&time) {
            true => Ok(time),
            false => Err(Wrong::OutOfRange {
                given: text.to_owned(),
                allowed: show(allowed.start())..=show(allowed.end()),
            }),
        }
    }
}

/// An IP address with a port.
pub(super) fn address(value: &DeValue<'_>) -> Read<SocketAddr> {
    let wanted = "an IP address and a port, such as \"[::]:8443\" or \"192.0.2.1:8443\"";
    let text = string(value, wanted)?;
    text.parse().map_err(|_| not(text, wanted))
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    wanted: &'static str,
    words: &'static [(&'static str, T)],
) -> impl Fn(&DeValue<'_>) -> Read<T> {
    move |value| {
        let text = string(value, wanted)?;
        words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, choice)| *choice)
            .ok_or_else(|| not(text, wanted))
    }
}

fn string<'a>(value: &'a DeValue<'_>, wanted: &'static str) -> Read<&'a str> {
    value.as_str().ok_or_else(|| Wrong::Type {
        wanted,
        found: type_of(value),
    })
}

fn not(given: &str, wanted: &'static str) -> Wrong {
    Wrong::Value {
        given: given.to_owned(),
        wanted,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(toml: &str) -> DeValue<'_> {
        DeValue::parse(toml).unwrap().into_inner()
    }

    const SECONDS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(90);

    #[test]
    fn times_and_counts_have_limits_that_are_named() {
        let read = duration(SECONDS);
        assert_eq!(read(&parse("'1m 30s'")), Ok(Duration::from_secs(90)));
        let error = read(&parse("'91s'")).unwrap_err();
        assert_eq!(error.to_string(), "is 91s: use 1s to 1m 30s");
        assert!(read(&parse("'five'")).is_err());
        let read = count(1..=9);
        assert_eq!(read(&parse("0x9")), Ok(9));
        for wrong in ["0", "10", "-1", "99999999999999999999999"] {
            let error = read(&parse(wrong)).unwrap_err().to_string();
            assert_eq!(error, format!("is {wrong}: use 1 to 9"));
        }
    }

    #[test]
    fn words_have_no_spaces_and_addresses_have_ports() {
        assert!(word(&parse("'signer-1.example'")).is_ok());
        for bad in ["''", "'a b'", "'ä'"] {
            assert!(word(&parse(bad)).is_err(), "{bad}");
        }
        assert!(address(&parse("'[::1]:0'")).is_ok());
        assert!(address(&parse("'localhost:80'")).is_err());
        assert!(address(&parse("'127.0.0.1'")).is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_stands_there_panics(text in "\\PC{0,40}", number: i64) {
            for value in [
                DeValue::String(text.as_str().into()),
                parse(&number.to_string()),
                DeValue::Boolean(number % 2 == 0),
            ] {
                let _ = (duration(SECONDS)(&value), count(1..=9)(&value));
                let _ = (address(&value), word(&value), flag(&value), path("/".as_ref())(&value));
            }
        }
    }
}
