//! Extension blocks next to the certificates of issuers, which say nothing of the peer.
//!
//! RFC 9345 §4.1.1 and §4.1.2 have credentials there ignored, so nothing in them has to be understood, and one that is
//! malformed is no reason to end the connection. What TLS itself asks of a block is asked of these too. In the rustls
//! view such a block is as good as empty. The transcript needs it as it was, and gets it from here.

use super::bytes::{Cursor, put_length, put_vector};
use super::certificate::{UnpackError, ocsp_response};
use super::{STATUS_REQUEST, form_of_extension};

/// The blocks of one Certificate message as they were on the wire.
///
/// In one piece, because a stranger decides how many there are: each is behind its offset in the message, and with its
/// length in front. rustls takes 65,535 bytes of a message, and the smallest entry with a block, of 12 bytes, becomes 11 here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Originals(Vec<u8>);

impl Originals {
    /// Keeps a whole block whose first byte has this offset in the message.
    pub(super) fn push(&mut self, at: usize, block: &[u8]) {
        let kept = self.0.len();
        let put = put_length(&mut self.0, OFFSET, at.saturating_sub(BLOCK_LENGTH))
            .and_then(|()| put_vector(&mut self.0, BLOCK_LENGTH, block));
        // No message has such an offset, and no block such a length: they were read from as many bytes.
        if put.is_none() {
            self.0.truncate(kept);
        }
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the blocks back into their message, which is in the rustls view otherwise or in neither.
    pub(crate) fn restore(&self, message: &mut [u8]) {
        let mut cursor = Cursor::new(&self.0);
        while let Some((at, block)) = next(&mut cursor) {
            let place = message.get_mut(at..).unwrap_or_default();
            place
                .iter_mut()
                .zip(block)
                .for_each(|(byte, wire)| *byte = *wire);
        }
    }
}

/// The next offset, and the block with its length.
fn next<'a>(kept: &mut Cursor<'a>) -> Option<(usize, &'a [u8])> {
    let at = kept.length(OFFSET)?;
    let rest = kept.rest();
    let block = kept.vector(BLOCK_LENGTH)?;
    Some((at, rest.get(..BLOCK_LENGTH + block.len())?))
}

/// The bytes of an offset, as many as the length of a message has.
const OFFSET: usize = 3;
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
        let mut kept = Originals::default();
        kept.push(5, &[7, 8]);
        kept.push(10, &[9]);
        let mut message = [0; 12];
        kept.take().restore(&mut message);
        assert_eq!(message, [0, 0, 0, 0, 2, 7, 8, 0, 0, 1, 9, 0]);
        assert!(kept.is_empty());
        // An offset that is not there changes nothing.
        kept.push(900, &[7, 8]);
        kept.take().restore(&mut message);
        assert_eq!(message, [0, 0, 0, 0, 2, 7, 8, 0, 0, 1, 9, 0]);
    }
}
