//! Finding the extension blocks of Certificate messages in a stream of handshake bytes.

use super::bytes::push_byte;
use super::handshake::{CERTIFICATE, HEADER_LEN};

/// Walks over handshake bytes, cut anywhere, and stops at each piece of a CertificateEntry's
/// extension block (RFC 8446 §4.4.2).
///
/// A Certificate message whose lengths contradict each other has no blocks from there on; rustls refuses it.
#[derive(Debug)]
pub(super) struct Entries {
    field: Field,
    /// The bytes of `field` that are still to come.
    left: usize,
    /// The number read so far, where `field` is one.
    value: usize,
    /// The bytes of the message behind `field`.
    behind: usize,
    /// The offset of the next byte in its message.
    at: usize,
    entry: Entry,
}

/// The end entity, or a certificate behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    First,
    Later,
}

/// The place in the stream to which the next byte belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Field {
    Kind,
    MessageLength { certificate: bool },
    ContextLength,
    Context,
    ListLength,
    CertLength,
    Cert { len: usize },
    BlockLength,
    Block { len: usize },
    Skipped,
}

/// Consecutive bytes of one extension block.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// The certificate that the block is next to.
    pub(super) entry: Entry,
    /// The offset of these bytes in their message.
    pub(super) at: usize,
    /// The length of the whole block.
    pub(super) block_len: usize,
    /// True if the block begins with these bytes.
    pub(super) is_first: bool,
    pub(super) bytes: &'a mut [u8],
}

/// The place of one byte.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The first byte of a certificate.
    Certificate(Entry),
    /// The first byte of a block's length.
    BlockLength,
    /// The second byte of the length of a block that ends in its message, or does not.
    BlockLengthEnd { len: usize, fits: bool },
    /// The byte at this offset in its message, which belongs to a block of `len` bytes.
    Block {
        entry: Entry,
        at: usize,
        len: usize,
        is_last: bool,
    },
    /// Anything else.
    Other,
}

impl Entries {
    /// Starts at a handshake header.
    pub(super) fn new() -> Self {
        Self {
            field: Field::Kind,
            left: 1,
            value: 0,
            behind: 0,
            at: 0,
            entry: Entry::First,
        }
    }

    /// Starts behind the header of a Certificate message with `len` bytes of body.
    pub(super) fn in_certificate(len: usize) -> Self {
        let mut entries = Self {
            behind: len,
            at: HEADER_LEN,
            ..Self::new()
        };
        entries.enter(Field::ContextLength, 1);
        entries.finish_fields();
        entries
    }

    /// Takes bytes from the front of `data`, up to and including the next piece of a block.
    ///
    /// `None` once all of `data` is taken.
    pub(super) fn next_piece<'a>(&mut self, data: &mut &'a mut [u8]) -> Option<Piece<'a>> {
        while !data.is_empty() {
            let taken = data.split_off_mut(..self.left.min(data.len()))?;
            let Self {
                field, entry, at, ..
            } = *self;
            let is_first = matches!(field, Field::Block { len } if len == self.left);
            self.take(taken);
            if let Field::Block { len: block_len } = field {
                return Some(Piece {
                    entry,
                    at,
                    block_len,
                    is_first,
                    bytes: taken,
                });
            }
        }
        None
    }

    /// Takes one byte.
    pub(super) fn step(&mut self, byte: u8) -> Place {
        let Self {
            field,
            entry,
            at,
            left,
            value,
            behind,
        } = *self;
        self.take(&[byte]);
        match field {
            Field::Cert { len } if len == left => Place::Certificate(entry),
            Field::BlockLength if left > 1 => Place::BlockLength,
            Field::BlockLength => {
                let len = push_byte(value, byte);
                Place::BlockLengthEnd {
                    len,
                    fits: len <= behind,
                }
            }
            Field::Block { len } => Place::Block {
                entry,
                at,
                len,
                is_last: left == 1,
            },
            _ => Place::Other,
        }
    }

    /// True from the header of a Certificate message to its end.
    pub(super) fn is_in_certificate(&self) -> bool {
        !matches!(
            self.field,
            Field::Kind | Field::MessageLength { .. } | Field::Skipped
        )
    }

    fn take(&mut self, bytes: &[u8]) {
        // No number is longer, and a certificate is no number.
        let last = bytes.get(bytes.len().saturating_sub(3)..);
        self.value = last
            .unwrap_or_default()
            .iter()
            .fold(self.value, |value, &byte| push_byte(value, byte));
        self.left = self.left.saturating_sub(bytes.len());
        self.at += bytes.len();
        self.finish_fields();
    }

    /// Leaves the current field if it is complete, and those behind it that are empty.
    fn finish_fields(&mut self) {
        while self.left == 0 {
            self.finish_field();
        }
    }

    fn finish_field(&mut self) {
        let value = self.value;
        match self.field {
            Field::Kind => {
                let certificate = value == usize::from(CERTIFICATE);
                self.set(Field::MessageLength { certificate }, 3);
            }
            Field::MessageLength { certificate } => {
                self.behind = value;
                match certificate {
                    true => self.enter(Field::ContextLength, 1),
                    false => self.skip_message(),
                }
            }
            Field::ContextLength => self.enter(Field::Context, value),
            Field::Context => self.enter(Field::ListLength, 3),
            Field::ListLength if value == self.behind => self.next_entry(Entry::First),
            Field::ListLength => self.skip_message(),
            Field::CertLength => self.enter(Field::Cert { len: value }, value),
            Field::Cert { .. } => self.enter(Field::BlockLength, 2),
            Field::BlockLength => self.enter(Field::Block { len: value }, value),
            Field::Block { .. } => self.next_entry(Entry::Later),
            Field::Skipped => self.next_message(),
        }
    }

    fn next_entry(&mut self, entry: Entry) {
        self.entry = entry;
        match self.behind {
            0 => self.next_message(),
            _ => self.enter(Field::CertLength, 3),
        }
    }

    fn next_message(&mut self) {
        self.at = 0;
        self.set(Field::Kind, 1);
    }

    /// Goes on to a field inside the message, or skips the message if it is too short for it.
    fn enter(&mut self, field: Field, len: usize) {
        match self.behind.checked_sub(len) {
            Some(behind) => {
                self.behind = behind;
                self.set(field, len);
            }
            None => self.skip_message(),
        }
    }

    fn skip_message(&mut self) {
        let len = std::mem::take(&mut self.behind);
        self.set(Field::Skipped, len);
    }

    fn set(&mut self, field: Field, len: usize) {
        self.field = field;
        self.left = len;
        self.value = 0;
    }
}
