//! The ids of a device: ours, and its vendor's.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use ring::rand::{SystemRandom, generate};

use super::Error;

/// Our own name for a device: 128 random bits, shown as 26 characters of lower-case base32.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DeviceId([u8; 16]);

impl DeviceId {
    /// One that no other device has.
    ///
    /// Fails with [`Randomness`](dc_pki::Error::Randomness).
    pub fn random() -> Result<Self, dc_pki::Error> {
        generate(&SystemRandom::new())
            .map(|random| Self(random.expose()))
            .map_err(|_| dc_pki::Error::Randomness)
    }

    /// One that was made before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for DeviceId {
    type Err = Error;

    /// Reads the one spelling there is. Fails with [`Error::BadDeviceId`].
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Error::BadDeviceId);
        }
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes());
        bytes
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(Error::BadDeviceId)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The vendor's own name for a device or its customer: 1 to 128 printable ASCII characters, no space
/// at either end.
///
/// It may be personal data, so it is in no unique name and in no audit record.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExternalId(String);

impl ExternalId {
    /// The most characters.
    pub const MAX_LEN: usize = 128;

    /// As the vendor wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ExternalId {
    type Err = Error;

    /// Fails with [`Error::BadExternalId`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        match printable && fits && text.trim_matches(' ').len() == text.len() {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::BadExternalId),
        }
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_device_id_has_one_spelling_of_26_characters(bytes: [u8; 16]) {
            let text = DeviceId::from_bytes(bytes).to_string();
            prop_assert_eq!(text.len(), 26);
            prop_assert_eq!(text.parse::<DeviceId>().unwrap(), DeviceId::from_bytes(bytes));
            prop_assert!(text.to_ascii_uppercase() == text || text.to_ascii_uppercase().parse::<DeviceId>().is_err());
        }

        #[test]
        fn what_is_read_as_a_device_id_is_written_the_same(text in "[a-zA-Z2-7=]{0,30}") {
            if let Ok(id) = text.parse::<DeviceId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn no_external_id_has_control_characters_or_more_than_ascii(text in ".{0,140}") {
            if let Ok(id) = text.parse::<ExternalId>() {
                prop_assert!(id.as_str().bytes().all(|byte| (0x20..0x7f).contains(&byte)));
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn an_external_id_has_1_to_128_characters_and_no_space_around_it() {
        assert!("a".repeat(128).parse::<ExternalId>().is_ok());
        assert!("customer 7/2".parse::<ExternalId>().is_ok());
        for text in ["", " a", "a ", "a\n", "\u{e9}", &"a".repeat(129)] {
            assert_eq!(
                text.parse::<ExternalId>().unwrap_err(),
                Error::BadExternalId
            );
        }
    }

    #[test]
    fn two_random_device_ids_differ() {
        assert_ne!(DeviceId::random().unwrap(), DeviceId::random().unwrap());
    }
}
