//! One extension block, wire → rustls.
//!
//! **Poison.** A block that does not fit the mapping is overwritten with zeros, from the byte that shows
//! it to the end of the block. No check comes later than the last byte before the signature or before the
//! content of the OCSP response, so zero is the marker, or the first byte of that content, or all of the
//! signature: `unpack` refuses each of them. rustls itself refuses zero as a status type. What may not
//! follow a credential comes after the signature, and there an impossible length says what is wrong.

use super::block::{
    Marker, OCSP, SECOND_CREDENTIAL, STATUS_HEADER_LEN, UNEXPECTED_EXTENSION, status_header,
};
use super::bytes::push_byte;
use super::der::{Progress, SequenceHeader};
use dc_core::Form;

use super::{STATUS_REQUEST, form_of_extension};

/// Maps one extension block, byte by byte: each output byte depends on no later input byte.
#[derive(Debug)]
pub(super) struct BlockToRustls {
    len: usize,
    /// The offset in the block of the next byte.
    at: usize,
    header: [u8; STATUS_HEADER_LEN],
    block: Block,
}

/// The kind of the block, as far as it has shown.
#[derive(Debug)]
enum Block {
    Start,
    /// The first byte of an extension type that may be one of ours.
    Type(u8),
    Credential(Credential),
    Status(Status),
    /// Not ours: rustls judges it.
    Unchanged,
    Poisoned,
}

impl BlockToRustls {
    /// Starts a block of `len` bytes.
    pub(super) fn new(len: usize) -> Self {
        let header = status_header(len);
        Self {
            len,
            at: 0,
            // A shorter block holds nothing that rustls or `unpack` accepts.
            block: header.map_or(Block::Unchanged, |_| Block::Start),
            header: header.unwrap_or_default(),
        }
    }

    /// Maps the next bytes of the block in place.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.step(*byte);
            self.at += 1;
        }
    }

    fn step(&mut self, byte: u8) -> u8 {
        let mapped = match &mut self.block {
            Block::Start => return self.first_type_byte(byte),
            &mut Block::Type(first) => return self.second_type_byte(first, byte),
            Block::Credential(credential) => credential.step(self.at, byte),
            Block::Status(status) => status.step(self.at, byte),
            Block::Unchanged => return byte,
            Block::Poisoned => None,
        };
        match mapped {
            Some(byte) => self.header.get(self.at).copied().unwrap_or(byte),
            None => {
                self.block = Block::Poisoned;
                0
            }
        }
    }

    fn first_type_byte(&mut self, byte: u8) -> u8 {
        if starts_known_type(byte) {
            self.block = Block::Type(byte);
            return 0;
        }
        self.block = Block::Unchanged;
        byte
    }

    fn second_type_byte(&mut self, first: u8, second: u8) -> u8 {
        let [_, status_request] = STATUS_REQUEST.to_be_bytes();
        let kind = u16::from_be_bytes([first, second]);
        if let Some(form) = form_of_extension(kind) {
            self.block = Block::Credential(Credential::new(self.len, form));
            return status_request;
        }
        self.block = match kind {
            STATUS_REQUEST => Block::Status(Status::new(self.len)),
            _ => Block::Unchanged,
        };
        // The first byte has left as zero, so `ff 05` must not leave as a type that rustls knows.
        if first == 0 { second } else { 0xff }
    }
}

/// True if an extension type that begins with `byte` may be `status_request` or a credential.
fn starts_known_type(byte: u8) -> bool {
    let starts = |kind: u16| kind >> 8 == u16::from(byte);
    starts(STATUS_REQUEST)
        || Form::ALL
            .into_iter()
            .any(|form| starts(form.extension_type()))
}

/// A block that begins with `status_request`: its two lengths grow to the end of the block.
///
/// A blob that holds no more than an OCSP response is told from a credential by its first byte, and from
/// one that holds more by its DER length, so both must be true on the wire.
#[derive(Debug)]
struct Status {
    block_len: usize,
    extension_len: usize,
    response_len: usize,
    response: Element,
}

impl Status {
    fn new(block_len: usize) -> Self {
        Self {
            block_len,
            extension_len: 0,
            response_len: 0,
            response: Element::default(),
        }
    }

    /// The byte for offset `at`, or `None` if the block does not fit.
    fn step(&mut self, at: usize, byte: u8) -> Option<u8> {
        let fits = match at {
            ..4 => {
                self.extension_len = push_byte(self.extension_len, byte);
                at < 3 || 4 + self.extension_len <= self.block_len
            }
            4 => byte == OCSP,
            5..STATUS_HEADER_LEN => {
                self.response_len = push_byte(self.response_len, byte);
                at < 7 || 4 + self.response_len == self.extension_len
            }
            _ => self.response.is_sequence_of(self.response_len, byte),
        };
        fits.then_some(byte)
    }
}

/// A block that begins with a credential: redundant lengths give way to the status header.
#[derive(Debug)]
struct Credential {
    form: Form,
    block_len: usize,
    /// Where the extension ends in the block.
    end: usize,
    field: Field,
    /// The bytes of `field` that are still to come.
    left: usize,
    /// The number read so far, where `field` is one.
    value: usize,
    spki_len: usize,
    spki: Element,
    /// The last six bytes: the longest delay is five.
    recent: [u8; 6],
}

/// The fields of a credential, and what may be behind it.
#[derive(Clone, Copy, Debug)]
enum Field {
    ExtensionLength,
    /// `valid_time` and `dc_cert_verify_algorithm`.
    Head,
    SpkiLength,
    Spki,
    NameLength,
    Name,
    Algorithm,
    SignatureLength,
    Signature,
    NextType,
    /// Where the impossible length goes that says what may not be there.
    Refused(u16),
    /// Behind the type of a `status_request`, or behind that length: `unpack` judges it.
    Rest,
}

impl Credential {
    fn new(block_len: usize, form: Form) -> Self {
        Self {
            form,
            block_len,
            end: 0,
            field: Field::ExtensionLength,
            left: 2,
            value: 0,
            spki_len: 0,
            spki: Element::default(),
            recent: [0; 6],
        }
    }

    /// The byte for offset `at`, or `None` if the block does not fit.
    fn step(&mut self, at: usize, byte: u8) -> Option<u8> {
        let field = self.field;
        let [_, a, b, c, d, e] = self.recent;
        self.recent = [a, b, c, d, e, byte];
        self.take(at, byte)?;
        Some(self.emit(at, field))
    }

    /// Reads the byte at offset `at`.
    fn take(&mut self, at: usize, byte: u8) -> Option<()> {
        if at >= SPKI_AT && !self.spki.is_sequence_of(self.spki_len, byte) {
            return None;
        }
        self.value = push_byte(self.value, byte);
        self.left = self.left.saturating_sub(1);
        while self.left == 0 {
            self.finish_field(at + 1)?;
        }
        Some(())
    }

    /// Goes on to the next field, which begins at offset `at`.
    fn finish_field(&mut self, at: usize) -> Option<()> {
        let value = self.value;
        let (field, len) = match self.field {
            Field::ExtensionLength => {
                self.end = at + value;
                (self.end <= self.block_len).then_some((Field::Head, 6))?
            }
            Field::Head => (Field::SpkiLength, 3),
            Field::SpkiLength => {
                self.spki_len = value;
                (Field::Spki, value)
            }
            Field::Spki if self.form == Form::Named => (Field::NameLength, 1),
            Field::NameLength => (Field::Name, value),
            Field::Spki | Field::Name => (Field::Algorithm, 2),
            Field::Algorithm => (Field::SignatureLength, 2),
            Field::SignatureLength => {
                (at + value == self.end).then_some((Field::Signature, value))?
            }
            Field::Signature => (Field::NextType, 2),
            Field::NextType => behind_credential(value),
            Field::Refused(_) | Field::Rest => (Field::Rest, usize::MAX),
        };
        (self.field, self.left, self.value) = (field, len, 0);
        Some(())
    }

    /// The byte for offset `at`, which is part of `field` on the wire.
    fn emit(&self, at: usize, field: Field) -> u8 {
        let [five_ago, _, _, two_ago, _, now] = self.recent;
        let has_more = self.end < self.block_len;
        match (at, field) {
            (STATUS_HEADER_LEN, _) => Marker {
                form: self.form,
                has_more,
            }
            .byte(),
            (..SPKI_IN_RUSTLS_AT, _) => five_ago,
            (_, Field::Signature) if !has_more => now,
            (_, Field::Rest) => now,
            (_, Field::Refused(length)) => {
                let [high, low] = length.to_be_bytes();
                if self.left == 1 { high } else { low }
            }
            _ => two_ago,
        }
    }
}

/// The state behind the extension type `kind` that follows a credential, and how many bytes of it there are.
fn behind_credential(kind: usize) -> (Field, usize) {
    let is = |known: u16| kind == usize::from(known);
    if is(STATUS_REQUEST) {
        (Field::Rest, usize::MAX)
    } else if Form::ALL.into_iter().any(|form| is(form.extension_type())) {
        (Field::Refused(SECOND_CREDENTIAL), 2)
    } else {
        (Field::Refused(UNEXPECTED_EXTENSION), 2)
    }
}

/// The DER element whose length must repeat a length of TLS.
#[derive(Debug, Default)]
struct Element(SequenceHeader);

impl Element {
    /// Takes the next byte; whether it may still be a SEQUENCE of `len` bytes.
    fn is_sequence_of(&mut self, len: usize, byte: u8) -> bool {
        match self.0.push(byte) {
            Progress::Pending => true,
            Progress::Length(found) => found == len,
            Progress::Invalid => false,
        }
    }
}

/// The offset of the SPKI in a block that begins with a credential.
const SPKI_AT: usize = 13;
/// Its offset in the rustls view.
const SPKI_IN_RUSTLS_AT: usize = 15;

#[cfg(test)]
mod tests;
