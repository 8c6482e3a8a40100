//! SHA-256 of a key, a credential or a certificate.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ring::digest;

use crate::text::Hex;

/// A SHA-256, in lower-case hexadecimal when it is shown.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// All zeros, which precedes the first record of an audit log.
    pub const ZERO: Self = Self([0; 32]);

    /// One that was computed before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(hash)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Sha256 {
    type Err = BadSha256;

    /// Reads 64 hexadecimal digits in lower case. Fails with [`BadSha256`].
    fn from_str(text: &str) -> Result<Self, BadSha256> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(BadSha256)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a SHA-256 is 64 hexadecimal digits in lower case")]
#[non_exhaustive]
pub struct BadSha256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_and_read_as_hexadecimal() {
        let abc = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(abc.to_string(), text);
        assert_eq!(text.parse::<Sha256>().unwrap(), abc);
    }

    #[test]
    fn anything_but_64_lower_case_digits_is_refused() {
        for text in [
            "",
            "ba78",
            &"G".repeat(64),
            &"BA".repeat(32),
            &"a".repeat(66),
        ] {
            assert_eq!(text.parse::<Sha256>().unwrap_err(), BadSha256);
        }
    }
}
