//! A client's Certificate message as it arrives at a server, wire → rustls.
//!
//! The layout is in [`presented`](super::presented). The length of the signature goes, and two zeros come at the end of
//! the block, so what has left is at most two bytes behind what has arrived, and never ahead.
//!
//! **Poison.** From the byte that shows that a credential does not fit to the end of its block, zeros leave. No check
//! comes later than the length of the signature, so all of that is zeros, and `unpack_entry` refuses it.

use super::bytes::push_byte;
use super::der::SEQUENCE;
use super::handshake::CERTIFICATE;
use super::presented::{Mark, SHORTEST_BLOCK};
use dc_core::Form;

/// Maps the decrypted handshake bytes of one connection; messages may be cut anywhere between calls.
#[derive(Debug)]
pub(crate) struct FromClient {
    field: Field,
    /// The bytes of `field` that are still to come.
    left: usize,
    /// The number read so far, where `field` is one.
    value: usize,
    /// The bytes of the message behind `field`.
    behind: usize,
    block: Block,
}

/// The place in the stream to which the next byte belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Field {
    Kind,
    MessageLength {
        certificate: bool,
    },
    ContextLength,
    Context,
    ListLength,
    CertLength {
        entry: Entry,
    },
    FirstByte {
        entry: Entry,
        rest: usize,
    },
    Cert,
    BlockLength,
    Block,
    /// A block that is too short to be mapped: rustls refuses it.
    ShortBlock,
    Skipped,
}

/// The end entity, or a certificate behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Entry {
    First,
    Later,
}

impl FromClient {
    /// Starts at the header of a handshake message.
    pub(crate) fn new() -> Self {
        Self {
            field: Field::Kind,
            left: 1,
            value: 0,
            behind: 0,
            block: Block::new(0),
        }
    }

    /// Starts behind the header of a Certificate message with `len` bytes of body.
    fn in_certificate(len: usize) -> Self {
        let mut from_client = Self::new();
        from_client.behind = len;
        from_client.enter(Field::ContextLength, 1);
        from_client
    }

    /// Maps the next bytes of the stream; what leaves is appended to `out`.
    pub(crate) fn apply(&mut self, handshake: &[u8], out: &mut Vec<u8>) {
        for &byte in handshake {
            self.left = self.left.saturating_sub(1);
            self.value = push_byte(self.value, byte);
            match self.field {
                Field::Block => self.block.step(byte, out),
                // The high byte of a length below 6 is zero too.
                Field::BlockLength if self.left == 1 || self.is_mapped() => out.push(0),
                // More than what is behind it: rustls refuses an entry with extensions, or one that is cut.
                Field::BlockLength if self.value > 0xff => out.push(0xff),
                Field::FirstByte {
                    entry: Entry::Later,
                    ..
                } if byte != SEQUENCE => out.push(Mark::Forged.byte()),
                _ => out.push(byte),
            }
            while self.left == 0 {
                self.finish_field(out);
            }
        }
    }

    /// True if the block whose length was just read becomes an entry.
    fn is_mapped(&self) -> bool {
        (SHORTEST_BLOCK..=self.behind).contains(&self.value)
    }

    fn finish_field(&mut self, out: &mut Vec<u8>) {
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
            Field::CertLength { .. } if value == 0 => self.enter(Field::BlockLength, 2),
            Field::CertLength { entry } => {
                let rest = value - 1;
                self.enter(Field::FirstByte { entry, rest }, 1);
            }
            Field::FirstByte { rest, .. } => self.enter(Field::Cert, rest),
            Field::Cert => self.enter(Field::BlockLength, 2),
            Field::BlockLength if self.is_mapped() => {
                self.block = Block::new(value);
                self.enter(Field::Block, value);
            }
            Field::BlockLength => self.enter(Field::ShortBlock, value),
            Field::Block => {
                // The block of the entry that the block has become.
                out.extend([0, 0]);
                self.next_entry(Entry::Later);
            }
            Field::ShortBlock => self.next_entry(Entry::Later),
            Field::Skipped => self.set(Field::Kind, 1),
        }
    }

    fn next_entry(&mut self, entry: Entry) {
        match self.behind {
            0 => self.set(Field::Kind, 1),
            _ => self.enter(Field::CertLength { entry }, 3),
        }
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

/// Maps the body of one Certificate message in place, which was compressed (RFC 8879) and so has no header.
pub(crate) fn certificate_body_from_client(body: &mut [u8]) {
    let mut mapped = Vec::with_capacity(body.len());
    FromClient::in_certificate(body.len()).apply(body, &mut mapped);
    // A body whose lengths contradict each other ends inside a block, and rustls refuses it.
    body.iter_mut()
        .zip(mapped)
        .for_each(|(byte, mapped)| *byte = mapped);
}

/// One extension block, as it becomes an entry.
#[derive(Debug)]
struct Block {
    len: usize,
    /// The offset in the block of the next byte.
    at: usize,
    mark: Mark,
    kind: u16,
    field: Part,
    left: usize,
    value: usize,
}

/// The part of a block to which the next byte belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Type,
    Length,
    /// `valid_time` and `dc_cert_verify_algorithm`.
    Head,
    SpkiLength,
    Spki,
    NameLength,
    Name,
    Algorithm,
    SignatureLength,
    Signature,
    /// Bytes for the verifier to refuse, with its last two bytes left out.
    Refused,
    /// As `Refused`, but zeros.
    Poison,
    /// Zeros, behind the length of the signature that was left out.
    PoisonedSignature,
}

impl Block {
    fn new(len: usize) -> Self {
        Self {
            len,
            at: 0,
            mark: Mark::Foreign,
            kind: 0,
            field: Part::Type,
            left: 2,
            value: 0,
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.value = push_byte(self.value, byte);
        self.left = self.left.saturating_sub(1);
        let (field, at) = (self.field, self.at);
        self.at += 1;
        while self.left == 0 {
            self.finish_part();
        }
        let is_kept = self.at + LEFT_OUT <= self.len;
        match field {
            Part::Type | Part::Length if at == 3 => out.push(self.mark.byte()),
            Part::Type | Part::Length => out.push(self.length_byte(at)),
            Part::SignatureLength => {}
            Part::Refused if is_kept => out.push(byte),
            Part::Poison if is_kept => out.push(0),
            Part::Refused | Part::Poison => {}
            Part::PoisonedSignature => out.push(0),
            _ => out.push(byte),
        }
    }

    /// Byte `at` of the length of the entry, in three bytes.
    fn length_byte(&self, at: usize) -> u8 {
        let length = u32::try_from(self.len.saturating_sub(5)).unwrap_or_default();
        length
            .to_be_bytes()
            .get(at + 1)
            .copied()
            .unwrap_or_default()
    }

    fn finish_part(&mut self) {
        let value = self.value;
        let form = match self.mark {
            Mark::Credential(form) => Some(form),
            _ => None,
        };
        match self.field {
            Part::Type => {
                self.kind = u16::try_from(value).unwrap_or_default();
                self.set(Part::Length, 2);
            }
            Part::Length => {
                self.mark = Mark::of_block(self.len, self.kind, value);
                match self.mark {
                    Mark::Credential(_) => self.enter(Part::Head, 6),
                    _ => self.set(Part::Refused, usize::MAX),
                }
            }
            Part::Head => self.enter(Part::SpkiLength, 3),
            Part::SpkiLength => self.enter(Part::Spki, value),
            Part::Spki if form == Some(Form::Named) => self.enter(Part::NameLength, 1),
            Part::NameLength => self.enter(Part::Name, value),
            Part::Spki | Part::Name => self.enter(Part::Algorithm, 2),
            Part::Algorithm => self.set(Part::SignatureLength, LEFT_OUT),
            Part::SignatureLength if self.at + value == self.len => {
                self.set(Part::Signature, usize::MAX);
            }
            Part::SignatureLength => self.set(Part::PoisonedSignature, usize::MAX),
            Part::Signature | Part::Refused | Part::Poison | Part::PoisonedSignature => {
                self.left = usize::MAX;
            }
        }
    }

    /// Goes on to a part with the length of a signature behind it.
    fn enter(&mut self, part: Part, len: usize) {
        match self.at + len + LEFT_OUT <= self.len {
            true => self.set(part, len),
            false => self.set(Part::Poison, usize::MAX),
        }
    }

    fn set(&mut self, part: Part, len: usize) {
        (self.field, self.left, self.value) = (part, len, 0);
    }
}

/// The bytes of a block that do not leave: the length of a signature.
const LEFT_OUT: usize = 2;

#[cfg(test)]
mod tests;
