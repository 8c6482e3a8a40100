//! CertificateRequest (RFC 8446 §4.3.2), which carries a server's offer to take credentials.
//!
//! A server's rustls sends the names of authorities. The last of them is a stand-in, and becomes the offer:
//!
//! ```text
//! wire    00 2f | u16 A   | u16 B   | names(B)                | offer
//! rustls  00 2f | u16 A+X | u16 B+X | names(B) | u16 X-2 | 22 00 ..
//!
//! wire    offer
//! rustls  00 2f | u16 X-4 | u16 X-6 | u16 X-8 | 22 00 ..
//! ```
//!
//! `X` is the length of the offer, which is one or two whole extensions. A name is DER and begins with `30`. A client's
//! rustls ignores the offer, so there is nothing to map for it.

use super::bytes::{Cursor, put_vector};
use super::handshake::{CERTIFICATE_REQUEST, HEADER_LEN, messages_mut};
use dc_core::Form;

/// The bytes of the name that stands for an offer of `offer_len` bytes, beside others or alone.
pub(crate) fn stand_in(offer_len: usize, is_alone: bool) -> Vec<u8> {
    let header = if is_alone { ALONE_HEADER } else { NAME_HEADER };
    let mut name = vec![0; offer_len.saturating_sub(header)];
    if let Some(first) = name.first_mut() {
        *first = STAND_IN;
    }
    name
}

/// Server: puts the offer into each CertificateRequest among these messages, of which the last may be cut.
pub(crate) fn requests_to_wire(messages: &mut [u8], offer: &[u8]) {
    for message in messages_mut(messages) {
        if message.first() == Some(&CERTIFICATE_REQUEST) {
            request_to_wire(message, offer);
        }
    }
}

fn request_to_wire(message: &mut [u8], offer: &[u8]) {
    let Some((at, authorities)) = find_authorities(message) else {
        return;
    };
    let Some(wire) = wire_authorities(authorities, offer) else {
        return;
    };
    let place = message.iter_mut().skip(at);
    place.zip(wire).for_each(|(byte, wire)| *byte = wire);
}

/// The offset of certificate_authorities, and its body.
fn find_authorities(message: &[u8]) -> Option<(usize, &[u8])> {
    let mut cursor = extensions(message)?;
    while !cursor.rest().is_empty() {
        let at = message.len() - cursor.rest().len();
        let kind = cursor.u16()?;
        let body = cursor.vector(2)?;
        if kind == CERTIFICATE_AUTHORITIES {
            return Some((at, body));
        }
    }
    None
}

fn extensions(message: &[u8]) -> Option<Cursor<'_>> {
    let mut cursor = Cursor::new(message);
    cursor.take(HEADER_LEN)?;
    cursor.vector(1)?;
    Some(Cursor::new(cursor.vector(2)?)).filter(|_| cursor.rest().is_empty())
}

/// The extensions that take the place of certificate_authorities, if the last name is the stand-in.
fn wire_authorities(body: &[u8], offer: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(body);
    let list = cursor.vector(2)?;
    let mut names = Cursor::new(list);
    let (mut before, mut last) = (list, None);
    while !names.rest().is_empty() {
        before = list.get(..list.len() - names.rest().len())?;
        last = Some(names.vector(2)?);
    }
    (last? == stand_in(offer.len(), before.is_empty())).then_some(())?;
    if before.is_empty() {
        return Some(offer.to_vec());
    }
    let mut names = Vec::new();
    put_vector(&mut names, 2, before)?;
    let mut wire = CERTIFICATE_AUTHORITIES.to_be_bytes().to_vec();
    put_vector(&mut wire, 2, &names)?;
    wire.extend_from_slice(offer);
    Some(wire)
}

/// The lists of a CertificateRequest, each as the body of its extension.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Request {
    pub(crate) signature_algorithms: Vec<u8>,
    pub(crate) rfc9345: Option<Vec<u8>>,
    pub(crate) named: Option<Vec<u8>>,
}

impl Request {
    /// Reads a whole message, or `None` if rustls will refuse it.
    fn read(message: &[u8]) -> Option<Self> {
        let mut cursor = extensions(message)?;
        let mut request = Self::default();
        while !cursor.rest().is_empty() {
            let kind = cursor.u16()?;
            let body = cursor.vector(2)?.to_vec();
            if kind == SIGNATURE_ALGORITHMS {
                request.signature_algorithms = body;
            } else if kind == Form::Rfc9345.extension_type() {
                request.rfc9345 = Some(body);
            } else if kind == Form::Named.extension_type() {
                request.named = Some(body);
            }
        }
        Some(request)
    }
}

/// Client: finds the CertificateRequest in the decrypted handshake bytes of one connection, cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct RequestWatch {
    /// A header, or a CertificateRequest, that has begun.
    message: Vec<u8>,
    /// The bytes of another message that are still to come.
    skipped: usize,
}

impl RequestWatch {
    /// Takes the next bytes; the request that ends in them, if one does.
    pub(crate) fn push(&mut self, mut handshake: &[u8]) -> Option<Request> {
        let mut found = None;
        while !handshake.is_empty() {
            let wanted = match self.skipped {
                0 => self.missing(),
                skipped => skipped,
            };
            let (taken, rest) = handshake
                .split_at_checked(wanted)
                .unwrap_or((handshake, &[]));
            handshake = rest;
            match self.skipped {
                0 => found = self.take(taken).or(found),
                skipped => self.skipped = skipped - taken.len(),
            }
        }
        found
    }

    /// The bytes that the header, or the message behind it, still needs; at least one.
    fn missing(&self) -> usize {
        let whole = match self.length() {
            Some(length) => HEADER_LEN + length,
            None => HEADER_LEN,
        };
        whole.saturating_sub(self.message.len()).max(1)
    }

    fn take(&mut self, bytes: &[u8]) -> Option<Request> {
        self.message.extend_from_slice(bytes);
        let length = self.length()?;
        let is_request = self.message.first() == Some(&CERTIFICATE_REQUEST);
        // rustls takes no longer message.
        if !is_request || length > MAX_LEN {
            self.skipped = length;
            self.message.clear();
            return None;
        }
        if self.message.len() < HEADER_LEN + length {
            return None;
        }
        Request::read(&std::mem::take(&mut self.message))
    }

    /// The length of the message's body, once its header is there.
    fn length(&self) -> Option<usize> {
        let mut cursor = Cursor::new(&self.message);
        cursor.u8()?;
        cursor.length(3)
    }
}

const SIGNATURE_ALGORITHMS: u16 = 13;
const CERTIFICATE_AUTHORITIES: u16 = 47;
/// The first byte of the stand-in.
const STAND_IN: u8 = 0x22;
/// The length of a name.
const NAME_HEADER: usize = 2;
/// The header of certificate_authorities, the length of its list, and of its one name.
const ALONE_HEADER: usize = 8;
const MAX_LEN: usize = 0xffff;

#[cfg(test)]
mod tests;
