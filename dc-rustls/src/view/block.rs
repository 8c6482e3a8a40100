//! The rustls view of an extension block, for both directions of the mapping.

use dc_core::Form;

use super::{STATUS_REQUEST, form_of_marker, marker_of};

/// The bytes in front of the blob: extension type and length, status type and response length.
pub(super) const STATUS_HEADER_LEN: usize = 8;

/// RFC 6066 §8: `CertificateStatusType.ocsp`.
pub(super) const OCSP: u8 = 1;

/// The length given to an extension behind a credential that is no `status_request`.
///
/// No extension that fits a block is this long, and the same holds for [`SECOND_CREDENTIAL`].
pub(super) const UNEXPECTED_EXTENSION: u16 = 0xffff;

/// The length given to a second credential behind a credential.
pub(super) const SECOND_CREDENTIAL: u16 = 0xfffe;

/// The header of the only `status_request` in a block of `block_len` bytes.
///
/// `None` if the block cannot hold one, or if its length does not fit in 16 bits.
pub(super) fn status_header(block_len: usize) -> Option<[u8; STATUS_HEADER_LEN]> {
    let [t0, t1] = STATUS_REQUEST.to_be_bytes();
    let [e0, e1] = u16::try_from(block_len.checked_sub(4)?).ok()?.to_be_bytes();
    let [r0, r1] = u16::try_from(block_len.checked_sub(STATUS_HEADER_LEN)?)
        .ok()?
        .to_be_bytes();
    Some([t0, t1, e0, e1, OCSP, 0, r0, r1])
}

/// The first byte of a blob that begins with a credential.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marker {
    pub(super) form: Form,
    /// True if more than the credential is in the blob.
    pub(super) has_more: bool,
}

impl Marker {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        let alone = |byte| {
            form_of_marker(byte).map(|form| Self {
                form,
                has_more: false,
            })
        };
        let followed = |byte: u8| {
            form_of_marker(byte.wrapping_sub(2)).map(|form| Self {
                form,
                has_more: true,
            })
        };
        alone(byte).or_else(|| followed(byte))
    }

    pub(super) fn byte(self) -> u8 {
        marker_of(self.form) + if self.has_more { 2 } else { 0 }
    }
}
