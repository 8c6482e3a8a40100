//! Certificate messages as they cross the boundary of rustls: in pieces, or whole for the transcript.

use std::borrow::Cow;

use super::block::{STATUS_HEADER_LEN, status_header};
use super::certificate::UnpackError;
use super::entries::{Entries, Entry, Piece};
use super::handshake::{CERTIFICATE, is_sequence, messages};
use super::ignored::{self, Originals, Sender};
use super::to_rustls::BlockToRustls;
use super::to_wire::block_to_wire;

/// Client, inbound: the decrypted handshake bytes of one connection, wire → rustls.
///
/// Messages may be cut anywhere between calls. TLS 1.3 only: the Certificate message of TLS 1.2 has no extensions.
///
/// The block of the end entity is mapped. Those behind it are ignored: rustls gets a `status_request` of zeros, which
/// it does not look at, and the transcript the [`Originals`].
#[derive(Debug)]
pub(crate) struct ToRustls {
    entries: Entries,
    block: BlockToRustls,
    /// The bytes so far of a block that is ignored.
    ignored: Vec<u8>,
    kept: Originals,
}

impl ToRustls {
    /// Starts at the header of a handshake message.
    pub(crate) fn new() -> Self {
        Self::at(Entries::new())
    }

    fn at(entries: Entries) -> Self {
        Self {
            entries,
            block: BlockToRustls::new(0),
            ignored: Vec::new(),
            kept: Originals::default(),
        }
    }

    /// Maps the next bytes of the stream in place, keeping their length.
    ///
    /// A block of the end entity that does not fit the mapping is poisoned: either rustls or `unpack` refuses it.
    /// Fails for another block that TLS does not allow, or that is too short for rustls to read one of its length.
    /// After that error the connection cannot go on.
    pub(crate) fn apply(&mut self, mut handshake: &mut [u8]) -> Result<(), UnpackError> {
        while let Some(piece) = self.entries.next_piece(&mut handshake) {
            match piece.entry {
                Entry::First => {
                    if piece.is_first {
                        self.block = BlockToRustls::new(piece.block_len);
                    }
                    self.block.apply(piece.bytes);
                }
                Entry::Later => self.ignore(piece)?,
            }
        }
        Ok(())
    }

    fn ignore(&mut self, piece: Piece<'_>) -> Result<(), UnpackError> {
        let begun = self.ignored.len();
        self.ignored.extend_from_slice(piece.bytes);
        let header = status_header(piece.block_len).unwrap_or_default();
        let rustls = header.into_iter().chain(std::iter::repeat(0)).skip(begun);
        let place = piece.bytes.iter_mut();
        place.zip(rustls).for_each(|(byte, rustls)| *byte = rustls);
        if self.ignored.len() < piece.block_len {
            return Ok(());
        }
        let block = std::mem::take(&mut self.ignored);
        ignored::check(&block, Sender::Server)?;
        // RFC 6066 §8: no response is empty.
        if block.len() <= STATUS_HEADER_LEN {
            return Err(UnpackError::Malformed);
        }
        self.kept.push(piece.at.saturating_sub(begun), &block);
        Ok(())
    }

    /// Takes the blocks that were ignored in a Certificate message, once it has come whole.
    pub(crate) fn take_originals(&mut self) -> Originals {
        match self.entries.is_in_certificate() {
            true => Originals::default(),
            false => self.kept.take(),
        }
    }
}

/// Maps the body of one Certificate message in place, wire → rustls.
///
/// For a message that was compressed (RFC 8879) and so has no header. Fails as [`ToRustls::apply`].
pub(crate) fn certificate_body_to_rustls(body: &mut [u8]) -> Result<(), UnpackError> {
    ToRustls::at(Entries::in_certificate(body.len())).apply(body)
}

/// Maps the body of one Certificate message in place, rustls → wire, before it is compressed.
pub(crate) fn certificate_body_to_wire(body: &mut [u8]) {
    let mut to_wire = ToWire {
        entries: Entries::in_certificate(body.len()),
    };
    // A whole body straddles nothing.
    let _ = to_wire.apply(body);
}

/// Server, outbound: the handshake bytes of one connection before encryption, rustls → wire.
#[derive(Debug)]
pub(crate) struct ToWire {
    entries: Entries,
}

impl ToWire {
    /// Starts at the header of a handshake message.
    pub(crate) fn new() -> Self {
        Self {
            entries: Entries::new(),
        }
    }

    /// Maps the handshake bytes of the next record in place, keeping their length.
    ///
    /// Messages may be cut between calls, except inside an extension block: its mapping needs all of it.
    /// After that error the connection cannot go on, and what is in `handshake` must not be sent.
    pub(crate) fn apply(&mut self, mut handshake: &mut [u8]) -> Result<(), Straddle> {
        while let Some(piece) = self.entries.next_piece(&mut handshake) {
            if piece.bytes.len() != piece.block_len {
                return Err(Straddle {
                    block_len: piece.block_len,
                });
            }
            block_to_wire(piece.bytes);
        }
        Ok(())
    }
}

/// An extension block of `block_len` bytes is not in one record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Straddle {
    /// The bytes of the block.
    pub(crate) block_len: usize,
}

/// Transcript, both roles: whole handshake messages, rustls → wire.
///
/// Anything that is not a sequence of handshake messages is given back as it is. TLS 1.3 only.
pub(crate) fn certificates_to_wire(data: &[u8]) -> Cow<'_, [u8]> {
    let has_certificate = messages(data).any(|message| message.first() == Some(&CERTIFICATE));
    if !has_certificate || !is_sequence(data) {
        return Cow::Borrowed(data);
    }
    let mut wire = data.to_vec();
    match ToWire::new().apply(&mut wire) {
        Ok(()) => Cow::Owned(wire),
        // Not with whole messages.
        Err(Straddle { .. }) => Cow::Borrowed(data),
    }
}

#[cfg(test)]
mod tests;
