//! Unique names: reading them, and making one up for a device that has none yet.

use std::fmt;

use dc_core::{DelegationCertificate, UniqueName};

use crate::error::Error;
use crate::random::random;

/// Reads a unique name that somebody typed.
///
/// Fails with [`Error::NameSpelling`], which says the valid spelling, if only upper case or a final
/// dot is wrong, and else with [`Error::BadName`].
pub fn parse(name: &str) -> Result<UniqueName<'static>, Error> {
    let source = match UniqueName::try_from(name) {
        Ok(name) => return Ok(name.into_owned()),
        Err(source) => source,
    };
    let lower = name.to_ascii_lowercase();
    let given = name.to_owned();
    match UniqueName::try_from(lower.strip_suffix('.').unwrap_or(&lower)) {
        Ok(valid) => Err(Error::NameSpelling {
            given,
            valid: valid.into_owned(),
        }),
        Err(_) => Err(Error::BadName { given, source }),
    }
}

/// The part that all names under one wildcard share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneName(UniqueName<'static>);

impl ZoneName {
    /// The most octets that leave room for the label in front.
    pub const MAX_LEN: usize = UniqueName::MAX_LEN - LABEL_LEN - 1;

    /// Reads a zone that somebody typed, such as `cpe.example.com`.
    ///
    /// Fails as [`parse`] does, with [`Error::ZoneTooLong`] if no name would fit under it, and with
    /// [`Error::ZoneTooShort`] if it has one label only: clients take no wildcard for a whole
    /// top-level domain.
    pub fn parse(zone: &str) -> Result<Self, Error> {
        let zone = parse(zone.strip_prefix("*.").unwrap_or(zone))?;
        if zone.as_str().len() > Self::MAX_LEN {
            return Err(Error::ZoneTooLong { zone });
        }
        if !zone.as_str().contains('.') {
            return Err(Error::ZoneTooShort { zone });
        }
        Ok(Self(zone))
    }

    /// The zone of the first wildcard among a certificate's dNSNames that names fit under.
    #[must_use]
    pub fn of(certificate: &DelegationCertificate<'_>) -> Option<Self> {
        certificate
            .dns_names()
            .iter()
            .filter(|name| name.starts_with("*."))
            .find_map(|name| Self::parse(&name.to_ascii_lowercase()).ok())
    }

    /// The dNSName that covers every name of the zone.
    #[must_use]
    pub fn wildcard(&self) -> String {
        format!("*.{}", self.0)
    }

    /// A name that nobody has had before: 130 random bits as its first label.
    ///
    /// Fails with [`Error::Randomness`] if the system has no random numbers.
    pub fn fresh_name(&self) -> Result<UniqueName<'static>, Error> {
        parse(&format!("{}.{}", label(random()?), self.0))
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Base32 (RFC 4648) in lower case of the low five bits of each byte.
fn label(random: [u8; LABEL_LEN]) -> String {
    random
        .map(|byte| match byte & 0x1f {
            letter @ 0..26 => char::from(b'a' + letter),
            digit => char::from(b'2' + (digit - 26)),
        })
        .iter()
        .collect()
}

/// Five bits a character: 130 bits.
const LABEL_LEN: usize = 26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_spelling_is_refused_with_the_right_one() {
        for given in ["K3V.cpe.Example.com", "k3v.cpe.example.com."] {
            let error = parse(given).unwrap_err();
            assert!(
                matches!(&error, Error::NameSpelling { valid, .. } if valid.as_str() == "k3v.cpe.example.com"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_no_name_in_any_spelling_is_refused() {
        for given in [
            "",
            "a_b.example.com",
            "*.cpe.example.com",
            "192.0.2.1",
            "B\u{fc}cher.de",
        ] {
            let error = parse(given).unwrap_err();
            assert!(matches!(error, Error::BadName { .. }), "{given}: {error}");
        }
    }

    #[test]
    fn a_zone_may_be_written_as_its_wildcard() {
        let zone = ZoneName::parse("*.cpe.example.com").unwrap();
        assert_eq!(zone, ZoneName::parse("cpe.example.com").unwrap());
        assert_eq!(zone.wildcard(), "*.cpe.example.com");
    }

    #[test]
    fn a_zone_has_two_labels_and_leaves_room_for_a_name() {
        assert!(matches!(
            ZoneName::parse("com").unwrap_err(),
            Error::ZoneTooShort { .. }
        ));
        let labels = ["a".repeat(63), "b".repeat(63), "c".repeat(63)].join(".");
        let longest = format!("{labels}.{}", "d".repeat(34));
        assert_eq!(longest.len(), ZoneName::MAX_LEN);
        let name = ZoneName::parse(&longest).unwrap().fresh_name().unwrap();
        assert_eq!(name.as_str().len(), UniqueName::MAX_LEN);
        assert!(matches!(
            ZoneName::parse(&format!("{longest}e")).unwrap_err(),
            Error::ZoneTooLong { .. }
        ));
    }

    #[test]
    fn fresh_names_are_in_the_zone_and_differ() {
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        let (a, b) = (zone.fresh_name().unwrap(), zone.fresh_name().unwrap());
        assert!(a.covered_by(&zone.wildcard()));
        assert_eq!(a.as_str().find('.'), Some(26));
        assert_ne!(a, b);
    }

    #[test]
    fn a_label_is_lower_case_base32_of_the_low_bits() {
        let bytes = std::array::from_fn(|i| 0xe0 | u8::try_from(i).unwrap());
        assert_eq!(label(bytes), "abcdefghijklmnopqrstuvwxyz");
        assert_eq!(label([0xff; LABEL_LEN]), "7".repeat(26));
        assert_eq!(label([26; LABEL_LEN]), "2".repeat(26));
    }
}
