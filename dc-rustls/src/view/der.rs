//! The header of a DER SEQUENCE: all that the mapping needs to know of an SPKI or an OCSP response.

use super::bytes::push_byte;

/// The tag of a SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;

/// Splits `bytes` behind the SEQUENCE that they begin with.
///
/// `None` if they begin with anything else, if its length is not DER or if it is cut.
pub(super) fn split_sequence(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, len) = lengths(bytes)?;
    bytes.split_at_checked(len)
}

/// The contents of the SEQUENCE that `bytes` begin with, as far as they are there.
pub(super) fn content(bytes: &[u8]) -> Option<&[u8]> {
    let (header_len, _) = lengths(bytes)?;
    bytes.get(header_len..)
}

/// The lengths of the header and of the whole element.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut header = SequenceHeader::default();
    for (at, &byte) in bytes.iter().enumerate() {
        match header.push(byte) {
            Progress::Pending => {}
            Progress::Length(len) => return Some((at + 1, len)),
            Progress::Invalid => return None,
        }
    }
    None
}

/// Reads the header of a SEQUENCE of at most 65,539 bytes, one byte at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum SequenceHeader {
    #[default]
    Tag,
    Length,
    /// The long form (X.690 §8.1.3.5) with one length byte.
    Long1,
    /// The long form with two length bytes.
    Long2,
    /// Its second byte, after the first.
    Long2Low(u8),
    Content,
}

impl SequenceHeader {
    /// Takes the next byte of the element.
    pub(super) fn push(&mut self, byte: u8) -> Progress {
        let (next, progress) = self.step(byte);
        *self = next;
        progress
    }

    fn step(self, byte: u8) -> (Self, Progress) {
        let value = usize::from(byte);
        match (self, byte) {
            (Self::Tag, SEQUENCE) => (Self::Length, Progress::Pending),
            (Self::Length, ..=0x7f) => (Self::Content, Progress::Length(2 + value)),
            (Self::Length, 0x81) => (Self::Long1, Progress::Pending),
            (Self::Length, 0x82) => (Self::Long2, Progress::Pending),
            // DER: the long form only where the shorter one cannot hold the length.
            (Self::Long1, 0x80..) => (Self::Content, Progress::Length(3 + value)),
            (Self::Long2, 1..) => (Self::Long2Low(byte), Progress::Pending),
            (Self::Long2Low(high), _) => {
                let content = push_byte(usize::from(high), byte);
                (Self::Content, Progress::Length(4 + content))
            }
            (Self::Content, _) => (Self::Content, Progress::Pending),
            _ => (self, Progress::Invalid),
        }
    }
}

/// The state after one more byte of the element.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    /// Nothing new.
    Pending,
    /// The whole element, header included, has this many bytes. Said once.
    Length(usize),
    /// It is not a SEQUENCE with a DER length.
    Invalid,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::sequence;

    #[test]
    fn finds_the_end_of_each_length_form() {
        for content in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let element = sequence(&vec![7; content]);
            let bytes = [element.as_slice(), &[1, 2, 3]].concat();
            assert_eq!(
                split_sequence(&bytes),
                Some((element.as_slice(), [1, 2, 3].as_slice()))
            );
        }
    }

    #[test]
    fn rejects_lengths_that_are_not_der() {
        for header in [
            [0x31, 1, 0, 0, 0],
            [0x30, 0x80, 0, 0, 0],
            [0x30, 0x81, 0x01, 0, 0],
            [0x30, 0x82, 0x00, 0xff, 0],
            [0x30, 0x83, 0x00, 0x00, 0x01],
        ] {
            assert_eq!(split_sequence(&header), None, "{header:02x?}");
        }
    }

    #[test]
    fn rejects_a_cut_element() {
        assert_eq!(split_sequence(&[0x30, 2, 0]), None);
        assert_eq!(split_sequence(&[0x30, 0x82, 1]), None);
        assert_eq!(split_sequence(&[]), None);
    }
}
