//! One extension block, rustls → wire.

use super::block::{Marker, STATUS_HEADER_LEN, status_header};
use super::bytes::{Cursor, put_vector};
use super::der::{SEQUENCE, split_sequence};
use dc_core::Form;

use super::STATUS_REQUEST;

/// Maps a whole extension block in place; one that holds nothing of ours stays as it is.
pub(super) fn block_to_wire(block: &mut [u8]) {
    if let Some(wire) = wire_block(block) {
        debug_assert_eq!(wire.len(), block.len());
        block
            .iter_mut()
            .zip(wire)
            .for_each(|(byte, wire)| *byte = wire);
    }
}

/// The wire view of `block`, or `None` if it is the same or cannot be told.
fn wire_block(block: &[u8]) -> Option<Vec<u8>> {
    let blob = block.strip_prefix(status_header(block.len())?.as_slice())?;
    match blob.first()? {
        &SEQUENCE => {
            let (response, _) = split_sequence(blob)?;
            let header = status_header(STATUS_HEADER_LEN + response.len())?;
            Some([header.as_slice(), blob].concat())
        }
        _ => PackedCredential::read(blob)?.wire_block(),
    }
}

/// A blob that begins with a credential, taken apart.
#[derive(Debug)]
pub(super) struct PackedCredential<'a> {
    pub(super) form: Form,
    /// `valid_time` and `dc_cert_verify_algorithm`.
    head: &'a [u8],
    spki: &'a [u8],
    /// Only in the named form.
    unique_name: Option<&'a [u8]>,
    algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    /// The rest of the block, from the length of a `status_request` on.
    pub(super) behind: Option<&'a [u8]>,
}

impl<'a> PackedCredential<'a> {
    /// Reads a blob, or `None` if it has no marker or is cut.
    pub(super) fn read(blob: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(blob);
        let marker = Marker::from_byte(cursor.u8()?)?;
        let head = cursor.take(6)?;
        let (spki, behind_spki) = split_sequence(cursor.rest())?;
        let mut cursor = Cursor::new(behind_spki);
        let unique_name = match marker.form {
            Form::Named => Some(cursor.vector(1)?),
            Form::Rfc9345 => None,
        };
        let algorithm = cursor.take(2)?;
        let (signature, behind) = match marker.has_more {
            true => (cursor.vector(2)?, Some(cursor.rest())),
            false => (cursor.rest(), None),
        };
        Some(Self {
            form: marker.form,
            head,
            spki,
            unique_name,
            algorithm,
            signature,
            behind,
        })
    }

    /// The credential as it is on the wire, or `None` if a part does not fit its length prefix.
    pub(super) fn wire_credential(&self) -> Option<Vec<u8>> {
        let name = self.unique_name.unwrap_or_default();
        let length = self.spki.len() + name.len() + self.signature.len();
        let mut wire = Vec::with_capacity(length + FIXED_LEN);
        wire.extend_from_slice(self.head);
        put_vector(&mut wire, 3, self.spki)?;
        if let Some(name) = self.unique_name {
            put_vector(&mut wire, 1, name)?;
        }
        wire.extend_from_slice(self.algorithm);
        put_vector(&mut wire, 2, self.signature)?;
        Some(wire)
    }

    fn wire_block(&self) -> Option<Vec<u8>> {
        let credential = self.wire_credential()?;
        let behind = self.behind.unwrap_or_default();
        let mut wire = Vec::with_capacity(credential.len() + behind.len() + 6);
        wire.extend_from_slice(&self.form.extension_type().to_be_bytes());
        put_vector(&mut wire, 2, &credential)?;
        if let Some(behind) = self.behind {
            wire.extend_from_slice(&STATUS_REQUEST.to_be_bytes());
            wire.extend_from_slice(behind);
        }
        Some(wire)
    }
}

/// The bytes of a credential that are not its key, its name or its signature.
const FIXED_LEN: usize = 14;
