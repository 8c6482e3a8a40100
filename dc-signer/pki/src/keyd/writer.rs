//! The parts of a message, written.

use super::frame::MAX_FRAME;
use super::malformed::VERSION;

/// Writes the parts of a message, one after the other.
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(vec![VERSION])
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn u8(&mut self, number: u8) -> &mut Self {
        self.raw(&[number])
    }

    pub(super) fn u32(&mut self, number: u32) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    /// The number of hashes and one more, or 0 if there is no proof, and the hashes.
    pub(super) fn proof(&mut self, proof: Option<&[[u8; 32]]>) -> &mut Self {
        let count = proof.map_or(0, |proof| proof.len() + 1);
        self.u8(u8::try_from(count).unwrap_or(u8::MAX));
        for hash in proof.into_iter().flatten() {
            self.raw(hash);
        }
        self
    }

    pub(super) fn chain(&mut self, chain: &[Vec<u8>]) -> &mut Self {
        self.u8(u8::try_from(chain.len()).unwrap_or(u8::MAX));
        for certificate in chain {
            self.octets(certificate);
        }
        self
    }

    /// Octets that are too long make the message longer than a frame may be, and is not sent.
    pub(super) fn octets(&mut self, bytes: &[u8]) -> &mut Self {
        match u16::try_from(bytes.len()) {
            Ok(length) => self.raw(&length.to_be_bytes()).raw(bytes),
            Err(_) => self.raw(&vec![0; MAX_FRAME + 1]),
        }
    }
}
