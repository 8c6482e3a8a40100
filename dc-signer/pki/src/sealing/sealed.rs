//! Sealed bytes, as they are stored.

use super::error::SealError;
use super::key_id::KeyId;
use super::kind::{Kind, Origin};

/// Sealed bytes with what it takes to find their key, and to open them.
///
/// A byte 1 for this format; a byte 1 for a key as it was given, a byte 2 and 16 bytes of salt for one from a passphrase, or a byte 3
/// and 16 bytes of salt for one that a key in a token has made; the id of that key, 16 bytes; the nonce, 12 bytes; the secret encrypted with AES-256-GCM, and the tag, 16 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sealed<'a> {
    /// All in front of the nonce, which is authenticated too.
    pub(super) head: &'a [u8],
    pub(super) origin: Origin,
    pub(super) key: KeyId,
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Fails with [`SealError::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SealError> {
        parse(bytes).ok_or(SealError::Malformed)
    }

    /// The key that it is sealed with.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The kind of that key.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.origin.kind()
    }

    /// The head of what a key seals.
    pub(super) fn head(origin: &Origin, key: KeyId) -> Vec<u8> {
        let mut head = vec![FORMAT];
        match origin {
            Origin::Key => head.push(GIVEN),
            Origin::Passphrase(salt) => {
                head.push(PASSPHRASE);
                head.extend(salt);
            }
            Origin::Token(salt) => {
                head.push(TOKEN);
                head.extend(salt);
            }
        }
        head.extend(key.as_bytes());
        head
    }
}

fn parse(bytes: &[u8]) -> Option<Sealed<'_>> {
    let (format, rest) = bytes.split_first()?;
    let (kind, rest) = rest.split_first()?;
    let (origin, rest) = match (*format, *kind) {
        (FORMAT, GIVEN) => (Origin::Key, rest),
        (FORMAT, PASSPHRASE) => {
            let (salt, rest) = rest.split_first_chunk()?;
            (Origin::Passphrase(*salt), rest)
        }
        (FORMAT, TOKEN) => {
            let (salt, rest) = rest.split_first_chunk()?;
            (Origin::Token(*salt), rest)
        }
        _ => return None,
    };
    let (key, rest) = rest.split_first_chunk()?;
    let head = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
    let (nonce, ciphertext) = rest.split_first_chunk()?;
    (ciphertext.len() >= TAG_LEN).then_some(Sealed {
        head,
        origin,
        key: KeyId::from_bytes(*key),
        nonce: *nonce,
        ciphertext,
    })
}

const FORMAT: u8 = 1;
const GIVEN: u8 = 1;
const PASSPHRASE: u8 = 2;
const TOKEN: u8 = 3;
pub(super) const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_read_is_all_of_it(bytes in proptest::collection::vec(any::<u8>(), 0..90), begin in 0..5_u8) {
            let mut bytes = bytes;
            // Most bytes begin with no format.
            if let [format, kind, ..] = &mut bytes[..] {
                (*format, *kind) = (FORMAT, begin);
            }
            if let Ok(sealed) = Sealed::parse(&bytes) {
                let head = Sealed::head(&sealed.origin, sealed.key);
                prop_assert_eq!(&head, sealed.head);
                prop_assert_eq!([&head, &sealed.nonce[..], sealed.ciphertext].concat(), bytes);
            }
        }
    }
}
