//! Extension blocks next to the certificates of issuers, which say nothing of the peer.
//!
//! RFC 9345 §4.1.1 and §4.1.2 have credentials there ignored, so nothing in them has to be understood, and one that is
//! malformed is no reason to end the connection. What TLS itself asks of a block is asked of these too. In the rustls
//! view such a block is as good as empty. The transcript needs it as it was, and gets it from here.

use super::bytes::{Cursor, put_vector};
use super::certificate::{UnpackError, ocsp_response};
use super::{STATUS_REQUEST, form_of_extension};

/// A block as it was on the wire, with its length in front, and its offset in the Certificate message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Original {
    at: usize,
    bytes: Vec<u8>,
}

/// Puts the blocks of one Certificate message back, which is in the rustls view otherwise or in neither.
pub(crate) fn restore(message: &mut [u8], originals: &[Original]) {
    for Original { at, bytes } in originals {
        let place = message.iter_mut().skip(*at);
        place.zip(bytes).for_each(|(byte, wire)| *byte = *wire);
    }
}

/// The blocks of one Certificate message so far: together at most the message, of which rustls takes 65,535 bytes.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<Original>);

impl Kept {
    /// Keeps a whole block whose first byte has this offset in the message.
    pub(super) fn push(&mut self, at: usize, block: &[u8]) {
        let mut bytes = Vec::with_capacity(BLOCK_LENGTH + block.len());
        // No block is longer: its length was read from two bytes.
        let _ = put_vector(&mut bytes, BLOCK_LENGTH, block);
        let at = at.saturating_sub(BLOCK_LENGTH);
        self.0.push(Original { at, bytes });
    }

    pub(super) fn take(&mut self) -> Vec<Original> {
        std::mem::take(&mut self.0)
    }
}

/// The bytes of a block's length.
const BLOCK_LENGTH: usize = 2;

/// The peer that a block comes from: only a server is asked for the status of its certificates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sender {
    Client,
    Server,
}

/// Fails for what RFC 8446 refuses in any block: broken framing, an extension that is there twice or was not asked for.
pub(super) fn check(block: &[u8], sender: Sender) -> Result<(), UnpackError> {
    let mut cursor = Cursor::new(block);
    let mut seen: Vec<u16> = Vec::new();
    while !cursor.rest().is_empty() {
        let kind = cursor.u16().ok_or(UnpackError::Malformed)?;
        let body = cursor.vector(2).ok_or(UnpackError::Malformed)?;
        // Of those that may be there, there are three.
        if seen.contains(&kind) {
            return Err(UnpackError::DuplicateExtension);
        }
        match form_of_extension(kind) {
            Some(_) => {}
            None if kind == STATUS_REQUEST && sender == Sender::Server => {
                let response = ocsp_response(body).ok_or(UnpackError::Malformed)?;
                (!response.is_empty())
                    .then_some(())
                    .ok_or(UnpackError::Malformed)?;
            }
            None => return Err(UnpackError::UnexpectedExtension),
        }
        seen.push(kind);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{extension, status};

    #[test]
    fn a_credential_may_be_anything() {
        for body in [&[][..], &[0], b"none of this is a credential"] {
            for kind in [34, 0xff22] {
                for sender in [Sender::Client, Sender::Server] {
                    assert_eq!(check(&extension(kind, body), sender), Ok(()));
                }
            }
        }
        let both = [extension(34, &[1]), extension(0xff22, &[1])].concat();
        assert_eq!(check(&both, Sender::Client), Ok(()));
    }

    #[test]
    fn the_rest_of_the_block_is_checked() {
        let own = extension(34, &[1]);
        let ocsp = status(&[0x30, 0]);
        let with = |other: &[u8]| [&own, other].concat();
        for (block, from_server, from_client) in [
            (
                with(&own),
                Err(UnpackError::DuplicateExtension),
                Err(UnpackError::DuplicateExtension),
            ),
            (with(&ocsp), Ok(()), Err(UnpackError::UnexpectedExtension)),
            (
                with(&extension(18, &[])),
                Err(UnpackError::UnexpectedExtension),
                Err(UnpackError::UnexpectedExtension),
            ),
            (
                with(&extension(5, &[1, 0, 0, 0])),
                Err(UnpackError::Malformed),
                Err(UnpackError::UnexpectedExtension),
            ),
            (
                with(&[0]),
                Err(UnpackError::Malformed),
                Err(UnpackError::Malformed),
            ),
            (
                own[..4].to_vec(),
                Err(UnpackError::Malformed),
                Err(UnpackError::Malformed),
            ),
        ] {
            assert_eq!(check(&block, Sender::Server), from_server, "{block:x?}");
            assert_eq!(check(&block, Sender::Client), from_client, "{block:x?}");
        }
    }

    #[test]
    fn what_is_restored_has_its_length() {
        let mut kept = Kept::default();
        kept.push(5, &[7, 8]);
        let mut message = [0; 8];
        restore(&mut message, &kept.take());
        assert_eq!(message, [0, 0, 0, 0, 2, 7, 8, 0]);
        assert_eq!(kept.take(), []);
        // An offset that is not there changes nothing.
        kept.push(900, &[7, 8]);
        restore(&mut message, &kept.take());
        assert_eq!(message, [0, 0, 0, 0, 2, 7, 8, 0]);
    }
}
