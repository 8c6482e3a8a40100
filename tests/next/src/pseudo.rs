//! The credential as a certificate entry of its own behind the end entity: a place that rustls has even if it carries no
//! OCSP response.
//!
//! ```text
//! rustls  cert | 00 00 | u24 E-5 | 22/23 | head(6) u24 S SPKI [name] alg | signature(G) | 00 00
//! wire    cert | u16 E | type | u16 N    | head(6) u24 S SPKI [name] alg | u16 G | signature(G)
//! ```
//!
//! Both are of one length. A server needs this direction alone: nothing in its ClientHello has to change.

use std::borrow::Cow;

use dc_core::Form;

/// What rustls sends as a certificate for this credential.
///
/// `None` if a length in `credential` is wrong.
pub(crate) fn entry(form: Form, credential: &[u8]) -> Option<Vec<u8>> {
    let (head, signed) = split(form, credential)?;
    let (signature, []) = vector(signed, 2)? else {
        return None;
    };
    Some([&[marker(form)], head, signature].concat())
}

/// Maps every whole Certificate message in `data`; all else is given back as it is.
pub(crate) fn entries_to_wire(data: &[u8]) -> Cow<'_, [u8]> {
    let (mut wire, mut rest) = (Vec::with_capacity(data.len()), data);
    while let Some((message, behind)) = split_message(rest) {
        match certificate_to_wire(message) {
            Some(mapped) => wire.extend_from_slice(&mapped),
            None => wire.extend_from_slice(message),
        }
        rest = behind;
    }
    match wire == data.get(..wire.len()).unwrap_or_default() {
        true => Cow::Borrowed(data),
        false => {
            wire.extend_from_slice(rest);
            Cow::Owned(wire)
        }
    }
}

/// `None` if it is no Certificate, or its second entry is a certificate.
fn certificate_to_wire(message: &[u8]) -> Option<Vec<u8>> {
    if message.first() != Some(&CERTIFICATE) {
        return None;
    }
    let (_, list) = vector(message.get(HEADER_LEN..)?, 1)?;
    let (_, behind) = vector(list.get(3..)?, 3)?;
    let before = message.len() - behind.len();
    let (pseudo, behind) = vector(behind.strip_prefix(&[0, 0])?, 3)?;
    let later = behind.strip_prefix(&[0, 0])?;
    let (&mark, packed) = pseudo.split_first()?;
    let form = Form::ALL.into_iter().find(|&form| marker(form) == mark)?;
    let (head, signature) = split(form, packed)?;
    let length = head.len() + 2 + signature.len();
    let mut wire = message.get(..before)?.to_vec();
    wire.extend_from_slice(&u16::try_from(length + 4).ok()?.to_be_bytes());
    wire.extend_from_slice(&form.extension_type().to_be_bytes());
    wire.extend_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
    wire.extend_from_slice(head);
    wire.extend_from_slice(&u16::try_from(signature.len()).ok()?.to_be_bytes());
    wire.extend_from_slice(signature);
    wire.extend_from_slice(later);
    Some(wire)
}

/// A credential up to and with `algorithm`, and what is behind that.
fn split(form: Form, credential: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, mut behind) = vector(credential.get(6..)?, 3)?;
    if form == Form::Named {
        (_, behind) = vector(behind, 1)?;
    }
    credential.split_at_checked(credential.len() - behind.get(2..)?.len())
}

fn split_message(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, behind) = vector(data.get(1..)?, 3)?;
    data.split_at_checked(data.len() - behind.len())
}

/// A vector whose length has `width` bytes, and what is behind it.
fn vector(data: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let (length, behind) = data.split_at_checked(width)?;
    let length = length
        .iter()
        .fold(0, |length, &byte| length << 8 | usize::from(byte));
    behind.split_at_checked(length)
}

/// No certificate begins so: each is DER, which begins with 30.
const fn marker(form: Form) -> u8 {
    match form {
        Form::Rfc9345 => 0x22,
        Form::Named => 0x23,
    }
}

/// The handshake type of Certificate (RFC 8446 §4).
const CERTIFICATE: u8 = 11;
/// The bytes of a handshake header: type and `u24` length.
const HEADER_LEN: usize = 4;
