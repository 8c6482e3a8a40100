//! The entry that stands for a client's credential in the rustls view.
//!
//! A server's rustls refuses every extension next to a client's certificate, and a client's rustls sends none. So
//! the credential is an entry of its own there, behind the one that it belongs to, and the message keeps its length:
//!
//! ```text
//! wire    cert | u16 E | 00 22 | u16 N   | valid_time alg u24 S | SPKI(S) | alg u16 G | signature(G)
//! rustls  cert | 00 00 | u24 E-5 | 22    | valid_time alg u24 S | SPKI(S) | alg       | signature(G) | 00 00
//! ```
//!
//! `E` is the length of the extension block, which holds nothing else. A certificate is DER and begins with `30`, so
//! no entry of this kind can be taken for one. What does not fit has another first byte and no wire view; the verifier
//! refuses it. A block that is next to no end entity becomes such an entry too, of which nothing but its length is left:
//! [`ignored`](super::ignored) keeps the rest.

use super::bytes::{Cursor, put_vector};
use super::certificate::UnpackError;
use super::der::SEQUENCE;
use super::{form_of_extension, form_of_marker, marker_of};
use dc_core::Form;

/// The bytes of the shortest block that becomes an entry: an extension's header, and the two bytes that go.
pub(super) const SHORTEST_BLOCK: usize = 6;

/// The first byte of an entry that is no certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mark {
    /// The block is one credential.
    Credential(Form),
    /// The block goes on behind a credential. Its last two bytes are lost.
    Followed(Form),
    /// The block ends before its credential does.
    Cut(Form),
    /// The block begins with another extension.
    Foreign,
    /// The entry was on the wire, and is no certificate.
    Forged,
    /// The block is next to no end entity. The entry's last byte is a [`verdict`].
    Ignored,
}

impl Mark {
    /// The mark of a block of `block_len` bytes that begins with this extension header.
    pub(super) fn of_block(block_len: usize, kind: u16, extension_len: usize) -> Self {
        let Some(form) = form_of_extension(kind) else {
            return Self::Foreign;
        };
        match (4 + extension_len).cmp(&block_len) {
            std::cmp::Ordering::Equal => Self::Credential(form),
            std::cmp::Ordering::Less => Self::Followed(form),
            std::cmp::Ordering::Greater => Self::Cut(form),
        }
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Foreign => 0,
            Self::Forged => 1,
            Self::Ignored => 2,
            Self::Credential(form) => marker_of(form),
            Self::Followed(form) => marker_of(form) + 2,
            Self::Cut(form) => marker_of(form) + 4,
        }
    }

    fn from_byte(byte: u8) -> Self {
        let form = |less: u8| form_of_marker(byte.wrapping_sub(less));
        match (byte, form(0), form(2), form(4)) {
            (0, ..) => Self::Foreign,
            // A short entry is nothing but its verdict.
            (2..=5, ..) => Self::Ignored,
            (_, Some(form), ..) => Self::Credential(form),
            (_, _, Some(form), _) => Self::Followed(form),
            (_, _, _, Some(form)) => Self::Cut(form),
            _ => Self::Forged,
        }
    }
}

/// True if an entry of a client's Certificate is no certificate, but stands for what was next to one.
pub(crate) fn is_extension_entry(entry: &[u8]) -> bool {
    entry.first().is_some_and(|&byte| byte != SEQUENCE)
}

/// The entry that makes a client's rustls send `credential`, to be put behind the end-entity certificate.
///
/// `None` if a length in the credential is wrong, or if it is too long for an extension block of 65,535 bytes.
pub(crate) fn pack_entry(form: Form, credential: &[u8]) -> Option<Vec<u8>> {
    let (head, signature) = split_signature(form, credential)?;
    let mut cursor = Cursor::new(signature);
    let signature = cursor.vector(2)?;
    let entry = [&[marker_of(form)], head, signature].concat();
    let is_inverse = cursor.rest().is_empty()
        && wire_block(&entry).is_some()
        && unpack_entry(&entry) == Ok((form, credential.to_vec()));
    is_inverse.then_some(entry)
}

/// The credential in an entry that is none of a certificate, as it was on the wire.
///
/// Fails if what it stands for was anything but one credential; only the credential's lengths are checked.
pub(crate) fn unpack_entry(entry: &[u8]) -> Result<(Form, Vec<u8>), UnpackError> {
    let (&mark, rest) = entry.split_first().ok_or(UnpackError::Malformed)?;
    match Mark::from_byte(mark) {
        Mark::Credential(form) => {
            let malformed = UnpackError::MalformedCredential { form };
            let (_, signature) = split_signature(form, rest).ok_or(malformed)?;
            // No signature algorithm has such a signature: it is poison (see `from_client`).
            if signature.iter().all(|&byte| byte == 0) {
                return Err(malformed);
            }
            Ok((form, credential(form, rest).ok_or(malformed)?))
        }
        Mark::Followed(form) => {
            Err(behind_credential(form, rest).unwrap_or(UnpackError::MalformedCredential { form }))
        }
        Mark::Cut(form) => Err(UnpackError::MalformedCredential { form }),
        Mark::Foreign => Err(UnpackError::UnexpectedExtension),
        Mark::Forged | Mark::Ignored => Err(UnpackError::Malformed),
    }
}

/// The last byte of an entry that stands for a block next to no end entity.
pub(super) fn verdict(found: Result<(), UnpackError>) -> u8 {
    match found {
        Ok(()) => Mark::Ignored.byte(),
        Err(UnpackError::DuplicateExtension) => 3,
        Err(UnpackError::Malformed | UnpackError::MalformedCredential { .. }) => 4,
        Err(UnpackError::UnexpectedExtension) => 5,
    }
}

/// Fails for an entry that is behind another's, unless it stands for a block that may be ignored.
pub(crate) fn check_ignored(entry: &[u8]) -> Result<(), UnpackError> {
    let mark = entry.first().copied().map(Mark::from_byte);
    match (mark, entry.last()) {
        (Some(Mark::Ignored), Some(2)) => Ok(()),
        (Some(Mark::Ignored), Some(3)) => Err(UnpackError::DuplicateExtension),
        (Some(Mark::Ignored), Some(5)) => Err(UnpackError::UnexpectedExtension),
        _ => Err(UnpackError::Malformed),
    }
}

/// The fault of a block with more than a credential.
fn behind_credential(form: Form, rest: &[u8]) -> Option<UnpackError> {
    let (_, signature) = split_signature(form, rest)?;
    let mut cursor = Cursor::new(signature);
    cursor.vector(2)?;
    Some(match form_of_extension(cursor.u16()?) {
        Some(_) => UnpackError::DuplicateExtension,
        None => UnpackError::UnexpectedExtension,
    })
}

/// The extension block that `entry` stands for, or `None` if it has no wire view.
pub(super) fn wire_block(entry: &[u8]) -> Option<Vec<u8>> {
    let (&mark, rest) = entry.split_first()?;
    let Mark::Credential(form) = Mark::from_byte(mark) else {
        return None;
    };
    let mut block = form.extension_type().to_be_bytes().to_vec();
    put_vector(&mut block, 2, &credential(form, rest)?)?;
    u16::try_from(block.len()).is_ok().then_some(block)
}

/// The credential, with the length of its signature.
fn credential(form: Form, rest: &[u8]) -> Option<Vec<u8>> {
    let (head, signature) = split_signature(form, rest)?;
    let mut credential = head.to_vec();
    put_vector(&mut credential, 2, signature)?;
    Some(credential)
}

/// Splits a credential in front of its signature, or of the signature's length.
fn split_signature(form: Form, credential: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(credential);
    cursor.take(6)?;
    cursor.vector(3)?;
    if form == Form::Named {
        cursor.vector(1)?;
    }
    cursor.take(2)?;
    let signature = cursor.rest();
    credential.split_at_checked(credential.len() - signature.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::credential as any;

    #[test]
    fn each_mark_has_a_byte_of_its_own() {
        for form in Form::ALL {
            for mark in [
                Mark::Credential(form),
                Mark::Followed(form),
                Mark::Cut(form),
                Mark::Foreign,
                Mark::Forged,
                Mark::Ignored,
            ] {
                assert_eq!(Mark::from_byte(mark.byte()), mark);
                assert_ne!(mark.byte(), SEQUENCE);
            }
        }
    }

    #[test]
    fn gives_back_what_was_put_in() {
        for form in Form::ALL {
            let credential = any(form, b"\x30\x01k", b"a.example", b"signature");
            let entry = pack_entry(form, &credential).unwrap();
            assert!(is_extension_entry(&entry));
            assert_eq!(unpack_entry(&entry), Ok((form, credential)));
        }
    }

    #[test]
    fn a_length_that_is_wrong_does_not_fit() {
        for form in Form::ALL {
            let credential = any(form, b"\x30\x01k", b"a.example", b"signature");
            assert_eq!(pack_entry(form, &credential[..credential.len() - 1]), None);
            assert_eq!(pack_entry(form, &[&credential, &[0][..]].concat()), None);
            assert_eq!(pack_entry(form, &[]), None);
        }
    }
}
