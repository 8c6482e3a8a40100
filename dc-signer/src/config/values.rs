//! Readers of single values, for `deserialize_with`. What they expect is what a file has to have there.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use dc_evidence::{VerifyingKey, WitnessKey};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::networks::Networks;

/// Any text.
pub(super) fn text<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    read(value, "a text", |text| Some(text.to_owned()))
}

/// A text of 1 to 64 letters, digits, hyphens, dots and underscores.
pub(super) fn word<'de, D: Deserializer<'de>, T: From<String>>(value: D) -> Result<T, D::Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    read(value, "1 to 64 letters, digits, '-', '.' and '_'", |text| {
        let is_word = (1..=64).contains(&text.len()) && text.chars().all(fits);
        is_word.then(|| text.to_owned().into())
    })
}

/// A path, which is joined to its folder later.
pub(super) fn path<'de, D: Deserializer<'de>, T: From<PathBuf>>(value: D) -> Result<T, D::Error> {
    read(value, "a path", |text| {
        (!text.is_empty()).then(|| PathBuf::from(text).into())
    })
}

/// A time such as `5s`, `10m` or `6d20h`, between two that are given in milliseconds.
pub(super) fn time<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(
    value: D,
) -> Result<Duration, D::Error> {
    let wanted = "a time in quotes, such as \"5s\", \"10m\" or \"6d20h\"";
    let parse = |text: &str| {
        let time = humantime::parse_duration(text).ok();
        time.map(|time| (time, text.to_owned()))
    };
    let (time, given) = read(value, wanted, parse)?;
    let [min, max] = [MIN, MAX].map(Duration::from_millis);
    if (min..=max).contains(&time) {
        return Ok(time);
    }
    let [min, max] = [min, max].map(in_words);
    Err(Error::custom(format!("is {given}: use {min} to {max}")))
}

/// Whole days as days: months and years have no fixed length.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds >= 2 * DAY && time == Duration::from_secs(seconds / DAY * DAY) {
        true => format!("{}days", seconds / DAY),
        false => humantime::format_duration(time).to_string(),
    }
}

/// A whole number between two.
pub(super) fn count<'de, D: Deserializer<'de>, const MIN: u32, const MAX: u32>(
    value: D,
) -> Result<usize, D::Error> {
    value.deserialize_u32(Count::<MIN, MAX>)
}

/// A program with its arguments.
pub(super) fn argv<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<String>>, D::Error> {
    value.deserialize_seq(Argv).map(Some)
}

/// The same, as a rate.
pub(super) fn rate<'de, D: Deserializer<'de>>(value: D) -> Result<NonZeroU32, D::Error> {
    let number = u32::try_from(count::<D, 1, 100_000>(value)?).ok();
    let number = number.and_then(NonZeroU32::new);
    number.ok_or_else(|| D::Error::custom("it is too large"))
}

/// An IP address with a port.
pub(super) fn address<'de, D: Deserializer<'de>>(value: D) -> Result<SocketAddr, D::Error> {
    let wanted = "an IP address and a port, such as \"[::]:8443\" or \"192.0.2.1:8443\"";
    read(value, wanted, |text| text.parse().ok())
}

/// Networks, such as 10.0.0.0/8; an address alone is one too.
pub(super) fn networks<'de, D: Deserializer<'de>>(value: D) -> Result<Networks, D::Error> {
    value.deserialize_seq(NetworkList)
}

/// The name of a log: 1 to 255 characters without spaces and plus signs.
pub(super) fn log_name<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    let wanted = "1 to 255 characters without spaces and '+', such as \"signer.example.com/audit\"";
    read(value, wanted, |text| {
        let fits = (1..=255).contains(&text.len()) && !text.contains(is_bad);
        fits.then(|| text.to_owned())
    })
}

/// The URL of a server, without a query.
pub(super) fn https<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let wanted =
        "a URL such as \"https://audit.example.com/checkpoints\", without a query and a user";
    read(value, wanted, |text| {
        let uri: Uri = text.parse().ok()?;
        let host = uri.authority()?.as_str();
        let fits =
            uri.scheme_str() == Some("https") && uri.query().is_none() && !host.contains('@');
        fits.then(|| text.to_owned())
    })
    .map(Some)
}

/// The key that a log's checkpoints are verified with.
pub(super) fn log_key<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<VerifyingKey>, D::Error> {
    let wanted = "a log's key, name+id+key";
    read(value, wanted, |text| text.parse().ok()).map(Some)
}

/// The key of a witness.
pub(super) fn witness<'de, D: Deserializer<'de>>(value: D) -> Result<Option<WitnessKey>, D::Error> {
    let wanted = "a witness's key, name+id+key";
    read(value, wanted, |text| text.parse().ok()).map(Some)
}

/// The URL of a PostgreSQL server, which is never shown: there may be a password in it.
pub(super) fn postgres<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<Zeroizing<String>>, D::Error> {
    let url = Zeroizing::new(text(value)?);
    let schemes = ["postgres://", "postgresql://"];
    if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Error::custom(
            "is \"…\": it has to be a URL that begins with postgres://",
        ));
    }
    match dc_store::check_url(&url) {
        Ok(_) => Ok(Some(url)),
        Err(fault) => Err(Error::custom(fault)),
    }
}

fn read<'de, D: Deserializer<'de>, T>(
    value: D,
    wanted: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    value.deserialize_str(Text { wanted, parse })
}

/// A text that says something.
struct Text<F> {
    wanted: &'static str,
    parse: F,
}

impl<T, F: FnOnce(&str) -> Option<T>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wanted)
    }

    fn visit_str<E: Error>(self, given: &str) -> Result<T, E> {
        let Self { wanted, parse } = self;
        parse(given).ok_or_else(|| E::custom(format!("is {given:?}: it has to be {wanted}")))
    }
}

/// A list of texts, the first of which is not empty.
struct Argv;

impl<'de> Visitor<'de> for Argv {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts, a program and its arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
        let mut argv: Vec<String> = Vec::new();
        while let Some(item) = items.next_element()? {
            argv.push(item);
        }
        match argv.first().is_some_and(|program| !program.is_empty()) {
            true => Ok(argv),
            false => Err(A::Error::custom("has no program in it: put it first")),
        }
    }
}

/// A list of networks.
struct NetworkList;

impl<'de> Visitor<'de> for NetworkList {
    type Value = Networks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of networks, such as [\"10.0.0.0/8\", \"2001:db8::7\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Networks, A::Error> {
        let mut networks = Vec::new();
        while let Some(item) = items.next_element::<String>()? {
            let network = item.parse().or_else(|_| item.parse().map(IpAddr::into));
            networks.push(network.map_err(|_| {
                A::Error::custom(format!(
                    "has '{item}' in it: give networks, such as \"10.0.0.0/8\", or addresses"
                ))
            })?);
        }
        Ok(Networks::new(networks))
    }
}

/// A whole number.
struct Count<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Visitor<'_> for Count<MIN, MAX> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<usize, E> {
        match usize::try_from(number) {
            Ok(count) if (i128::from(MIN)..=i128::from(MAX)).contains(&number) => Ok(count),
            _ => Err(E::custom(format!("is {number}: use {MIN} to {MAX}"))),
        }
    }
}

const DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::DeValue;

    use super::super::error::KeyErrorKind;
    use super::super::node::Node;
    use super::*;

    type Read<T> = Result<T, KeyErrorKind>;

    /// Reads a value, or says what is wrong with it.
    fn said<'t, T>(
        value: &'t DeValue<'t>,
        read: impl FnOnce(Node<'t>) -> Read<T>,
    ) -> Result<T, String> {
        read(Node(value)).map_err(|error| error.to_string())
    }

    fn parse(toml: &str) -> DeValue<'_> {
        DeValue::parse(toml).unwrap().into_inner()
    }

    fn seconds(value: Node<'_>) -> Read<Duration> {
        time::<_, 1_000, 90_000>(value)
    }

    fn digit(value: Node<'_>) -> Read<usize> {
        count::<_, 1, 9>(value)
    }

    #[test]
    fn times_and_counts_have_limits_that_are_named() {
        assert_eq!(
            said(&parse("'1m 30s'"), seconds),
            Ok(Duration::from_secs(90))
        );
        let error = said(&parse("'91s'"), seconds).unwrap_err();
        assert_eq!(error, "is 91s: use 1s to 1m 30s");
        assert!(said(&parse("'five'"), seconds).is_err());
        assert_eq!(said(&parse("0x9"), digit), Ok(9));
        for wrong in ["0", "10", "-1", "99999999999999999999999"] {
            let error = said(&parse(wrong), digit).unwrap_err();
            assert_eq!(error, format!("is {wrong}: use 1 to 9"));
        }
    }

    #[test]
    fn words_have_no_spaces_and_addresses_have_ports() {
        assert!(said(&parse("'signer-1.example'"), word::<_, String>).is_ok());
        for bad in ["''", "'a b'", "'ä'"] {
            assert!(said(&parse(bad), word::<_, String>).is_err(), "{bad}");
        }
        assert!(said(&parse("'[::1]:0'"), address).is_ok());
        assert!(said(&parse("'localhost:80'"), address).is_err());
        assert!(said(&parse("'127.0.0.1'"), address).is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_stands_there_panics(text in "\\PC{0,40}", number: i64) {
            for value in [
                DeValue::String(text.as_str().into()),
                parse(&number.to_string()),
                DeValue::Boolean(number % 2 == 0),
            ] {
                let _ = (said(&value, seconds), said(&value, digit));
                let _ = (said(&value, address), said(&value, word::<_, String>));
                let _ = (said(&value, path::<_, PathBuf>), said(&value, rate));
            }
        }
    }
}
