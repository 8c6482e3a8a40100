//! The blob that rustls carries as an OCSP response: made for its resolver, read for its verifier.

use super::block::{Marker, OCSP, SECOND_CREDENTIAL, STATUS_HEADER_LEN, UNEXPECTED_EXTENSION};
use super::bytes::{Cursor, put_vector};
use super::der::{SEQUENCE, content, split_sequence};
use super::to_rustls::BlockToRustls;
use super::to_wire::PackedCredential;
use dc_core::Form;

use super::{STATUS_REQUEST, form_of_extension};

/// The blob that makes rustls send `credential`, and the OCSP response `ocsp` behind it.
///
/// `credential` is the `DelegatedCredential` or `NamedDelegatedCredential` alone, without extension type
/// and length. The blob is 8 bytes shorter than the extension block on the wire.
///
/// Fails if the block would exceed 65,535 bytes, or if [`unpack`] would not give back exactly what was
/// put in.
pub(crate) fn pack(
    form: Form,
    credential: &[u8],
    ocsp: Option<&[u8]>,
) -> Result<Vec<u8>, PackError> {
    if ocsp.is_some_and(|response| !is_ocsp_response(response)) {
        return Err(PackError::MalformedOcsp);
    }
    let mut block = wire_block(form, credential, ocsp).ok_or(PackError::TooLong)?;
    BlockToRustls::new(block.len()).apply(&mut block);
    let blob = block.split_off(block.len().min(STATUS_HEADER_LEN));
    let expected = Unpacked {
        ocsp: ocsp.unwrap_or_default(),
        credential: Some((form, credential.to_vec())),
    };
    match unpack(&blob) {
        Ok(unpacked) if unpacked == expected => Ok(blob),
        _ => Err(PackError::MalformedCredential),
    }
}

/// The extension block on the wire, or `None` if it is too long.
fn wire_block(form: Form, credential: &[u8], ocsp: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut block = form.extension_type().to_be_bytes().to_vec();
    put_vector(&mut block, 2, credential)?;
    if let Some(response) = ocsp {
        let mut status = vec![OCSP];
        put_vector(&mut status, 3, response)?;
        block.extend_from_slice(&STATUS_REQUEST.to_be_bytes());
        put_vector(&mut block, 2, &status)?;
    }
    u16::try_from(block.len()).is_ok().then_some(block)
}

/// The error of a credential that cannot be given to rustls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PackError {
    /// A length in the credential is wrong, or its SPKI is not one DER SEQUENCE.
    MalformedCredential,
    /// The OCSP response is not one DER SEQUENCE.
    MalformedOcsp,
    /// The extension block would exceed 65,535 bytes.
    TooLong,
}

/// Reads the `ocsp_response` that rustls hands to a certificate verifier.
///
/// Fails if the extension block that it stands for was malformed, or held anything but at most one
/// credential and at most one OCSP response. Of the credential only the lengths are checked.
pub(crate) fn unpack(blob: &[u8]) -> Result<Unpacked<'_>, UnpackError> {
    let mut unpacked = Unpacked::default();
    let extensions = match blob.first() {
        None => return Ok(unpacked),
        Some(&SEQUENCE) => unpacked.take_leading_response(blob)?,
        Some(_) => unpacked.take_leading_credential(blob)?,
    };
    unpacked.take_extensions(extensions)?;
    Ok(unpacked)
}

/// The contents of one extension block.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Unpacked<'a> {
    /// The OCSP response; empty if there was none.
    pub(crate) ocsp: &'a [u8],
    /// The `DelegatedCredential` or `NamedDelegatedCredential` as it was on the wire.
    pub(crate) credential: Option<(Form, Vec<u8>)>,
}

impl<'a> Unpacked<'a> {
    /// Takes an OCSP response and gives the extensions behind it.
    fn take_leading_response(&mut self, blob: &'a [u8]) -> Result<&'a [u8], UnpackError> {
        let (response, extensions) = split_sequence(blob).ok_or(UnpackError::Malformed)?;
        self.take_response(response)?;
        Ok(extensions)
    }

    /// Takes a credential and the status behind it, and gives the extensions behind both.
    fn take_leading_credential(&mut self, blob: &'a [u8]) -> Result<&'a [u8], UnpackError> {
        let marker = blob.first().copied().and_then(Marker::from_byte);
        let form = marker.ok_or(UnpackError::Malformed)?.form;
        let malformed = UnpackError::MalformedCredential { form };
        let packed = PackedCredential::read(blob).ok_or(malformed)?;
        // No signature algorithm has such a signature: it is poison (see `to_rustls`).
        if packed.signature.iter().all(|&byte| byte == 0) {
            return Err(malformed);
        }
        let credential = packed.wire_credential().ok_or(malformed)?;
        self.credential = Some((packed.form, credential));
        match packed.behind {
            Some(behind) => self.take_status_behind(behind),
            None => Ok(&[]),
        }
    }

    /// Takes a `status_request` that begins with its length, and gives the extensions behind it.
    fn take_status_behind(&mut self, behind: &'a [u8]) -> Result<&'a [u8], UnpackError> {
        match Cursor::new(behind).u16() {
            Some(SECOND_CREDENTIAL) => return Err(UnpackError::DuplicateExtension),
            Some(UNEXPECTED_EXTENSION) => return Err(UnpackError::UnexpectedExtension),
            _ => {}
        }
        let mut cursor = Cursor::new(behind);
        let status = cursor.vector(2).ok_or(UnpackError::Malformed)?;
        self.take_extension(STATUS_REQUEST, status)?;
        Ok(cursor.rest())
    }

    fn take_extensions(&mut self, extensions: &'a [u8]) -> Result<(), UnpackError> {
        let mut cursor = Cursor::new(extensions);
        while !cursor.rest().is_empty() {
            let kind = cursor.u16().ok_or(UnpackError::Malformed)?;
            let body = cursor.vector(2).ok_or(UnpackError::Malformed)?;
            self.take_extension(kind, body)?;
        }
        Ok(())
    }

    fn take_extension(&mut self, kind: u16, body: &'a [u8]) -> Result<(), UnpackError> {
        match form_of_extension(kind) {
            Some(_) if self.credential.is_some() => Err(UnpackError::DuplicateExtension),
            Some(form) => {
                self.credential = Some((form, body.to_vec()));
                Ok(())
            }
            None if kind == STATUS_REQUEST => {
                self.take_response(ocsp_response(body).ok_or(UnpackError::Malformed)?)
            }
            None => Err(UnpackError::UnexpectedExtension),
        }
    }

    fn take_response(&mut self, response: &'a [u8]) -> Result<(), UnpackError> {
        if !self.ocsp.is_empty() {
            return Err(UnpackError::DuplicateExtension);
        }
        if !is_ocsp_response(response) {
            return Err(UnpackError::Malformed);
        }
        self.ocsp = response;
        Ok(())
    }
}

/// The response in a `CertificateStatus` (RFC 6066 §8) of type OCSP.
pub(super) fn ocsp_response(status: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(status);
    let response = (cursor.u8()? == OCSP).then(|| cursor.vector(3))??;
    cursor.rest().is_empty().then_some(response)
}

/// True if `bytes` are one DER SEQUENCE whose content is not poison (see `to_rustls`).
///
/// An OCSPResponse begins with an ENUMERATED (RFC 6960 §4.2.1), never with a zero.
fn is_ocsp_response(bytes: &[u8]) -> bool {
    let is_one_element = matches!(split_sequence(bytes), Some((_, [])));
    is_one_element
        && content(bytes)
            .and_then(<[u8]>::first)
            .is_some_and(|&byte| byte != 0)
}

/// The error of a blob that is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum UnpackError {
    /// Two credentials, of whatever form, or two OCSP responses: `illegal_parameter`.
    DuplicateExtension,
    /// A block that does not fit the mapping, or is cut: `decode_error`.
    Malformed,
    /// A credential whose lengths do not fit: the same, unless its form was not offered.
    MalformedCredential {
        /// The form that its extension has.
        form: Form,
    },
    /// An extension that the client did not ask for: `unsupported_extension`.
    UnexpectedExtension,
}

#[cfg(test)]
mod tests;
