//! A client's Certificate message as it arrives at a server, wire → rustls.
//!
//! The layout is in [`presented`](super::presented). The length of the signature goes, and two zeros come at the end of
//! the block, so what has left is at most two bytes behind what has arrived, and never ahead.
//!
//! **Poison.** From the byte that shows that a credential does not fit to the end of its block, zeros leave. No check
//! comes later than the length of the signature, so all of that is zeros, and `unpack_entry` refuses it.

use super::bytes::push_byte;
use super::der::SEQUENCE;
use super::entries::{Entries, Entry, Place};
use super::ignored::{self, Originals, Sender};
use super::presented::{Mark, SHORTEST_BLOCK, verdict};
use dc_core::Form;

/// Maps the decrypted handshake bytes of one connection; messages may be cut anywhere between calls.
#[derive(Debug)]
pub(crate) struct FromClient {
    entries: Entries,
    block: Block,
    /// The bytes so far of a block that is ignored.
    ignored: Vec<u8>,
    kept: Originals,
}

impl FromClient {
    /// Starts at the header of a handshake message.
    pub(crate) fn new() -> Self {
        Self::at(Entries::new())
    }

    fn at(entries: Entries) -> Self {
        Self {
            entries,
            block: Block::new(0),
            ignored: Vec::new(),
            kept: Originals::default(),
        }
    }

    /// Maps the next bytes of the stream; what leaves is appended to `out`.
    pub(crate) fn apply(&mut self, handshake: &[u8], out: &mut Vec<u8>) {
        for &byte in handshake {
            match self.entries.step(byte) {
                Place::Certificate(Entry::Later) if byte != SEQUENCE => {
                    out.push(Mark::Forged.byte());
                }
                // The high byte of a length below 6 is zero too.
                Place::BlockLength => out.push(0),
                Place::BlockLengthEnd { len, fits: true } if len >= SHORTEST_BLOCK => {
                    self.block = Block::new(len);
                    out.push(0);
                }
                // More than what is behind it: rustls refuses an entry with extensions, or one that is cut.
                Place::BlockLengthEnd { len, .. } if len > 0xff => out.push(0xff),
                Place::Block {
                    entry,
                    at,
                    len,
                    is_last,
                } if len >= SHORTEST_BLOCK => {
                    match entry {
                        Entry::First => self.block.step(byte, out),
                        Entry::Later => self.ignore(byte, at, len, out),
                    }
                    if is_last {
                        // The block of the entry that the block has become.
                        out.extend([0, 0]);
                    }
                }
                // A block that is too short to be mapped is among them: rustls refuses it.
                _ => out.push(byte),
            }
        }
    }

    /// Maps a byte of a block that is next to no end entity, to an entry that says at its end whether TLS allows it.
    fn ignore(&mut self, byte: u8, at: usize, len: usize, out: &mut Vec<u8>) {
        let offset = self.ignored.len();
        self.ignored.push(byte);
        match offset {
            0..3 => out.push(entry_length_byte(len, offset)),
            3 | 4 => {}
            _ if offset + 1 < len => out.push(Mark::Ignored.byte()),
            _ => {
                let block = std::mem::take(&mut self.ignored);
                let found = ignored::check(&block, Sender::Client);
                out.push(verdict(found));
                self.kept.push(at - offset, &block);
            }
        }
    }

    /// Takes the blocks that were ignored in a Certificate message, once it has come whole.
    pub(crate) fn take_originals(&mut self) -> Originals {
        match self.entries.is_in_certificate() {
            true => Originals::default(),
            false => self.kept.take(),
        }
    }
}

/// Maps the body of one Certificate message in place, which was compressed (RFC 8879) and so has no header.
pub(crate) fn certificate_body_from_client(body: &mut [u8]) {
    let mut mapped = Vec::with_capacity(body.len());
    FromClient::at(Entries::in_certificate(body.len())).apply(body, &mut mapped);
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
            Part::Type | Part::Length => out.push(entry_length_byte(self.len, at)),
            Part::SignatureLength => {}
            Part::Refused if is_kept => out.push(byte),
            Part::Poison if is_kept => out.push(0),
            Part::Refused | Part::Poison => {}
            Part::PoisonedSignature => out.push(0),
            _ => out.push(byte),
        }
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

/// Byte `at` of the length of the entry that a block becomes, in three bytes.
fn entry_length_byte(block_len: usize, at: usize) -> u8 {
    let length = u32::try_from(block_len.saturating_sub(5)).unwrap_or_default();
    let bytes = length.to_be_bytes();
    bytes.get(at + 1).copied().unwrap_or_default()
}

/// The bytes of a block that do not leave: the length of a signature.
const LEFT_OUT: usize = 2;

#[cfg(test)]
mod tests;
