//! A client's Certificate message, rustls → wire.

use super::bytes::Cursor;
use super::handshake::{CERTIFICATE, CERTIFICATE_REQUEST, HEADER_LEN, messages, messages_mut};
use super::presented::wire_block;

/// Maps the Certificate message that `handshake` begins with, if it does, as far as it is there.
///
/// Keeps the length. An entry and the one that stands for its extensions have to be there both, or stay as they are.
pub(crate) fn certificate_to_server(handshake: &mut [u8]) {
    let body = match handshake.split_at_mut_checked(HEADER_LEN) {
        Some(([CERTIFICATE, length @ ..], body)) => {
            let length = Cursor::new(length).length(3).unwrap_or_default();
            let there = length.min(body.len());
            body.get_mut(..there)
        }
        _ => None,
    };
    if let Some(body) = body {
        certificate_body_to_server(body);
    }
}

/// True if one of these messages may be mapped by [`certificates_to_server`], or is a CertificateRequest.
pub(crate) fn is_client_authentication(data: &[u8]) -> bool {
    let kinds = [CERTIFICATE, CERTIFICATE_REQUEST];
    messages(data).any(|message| message.first().is_some_and(|kind| kinds.contains(kind)))
}

/// As [`certificate_to_server`], for each of several whole messages.
pub(crate) fn certificates_to_server(messages: &mut [u8]) {
    messages_mut(messages).for_each(certificate_to_server);
}

/// Maps the body of a Certificate message, as far as it is there.
pub(crate) fn certificate_body_to_server(body: &mut [u8]) {
    let mut at = first_entry(body).unwrap_or(usize::MAX);
    while let Some(next) = map_entry(body, at) {
        at = next;
    }
}

fn first_entry(body: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(body);
    cursor.vector(1)?;
    cursor.take(3)?;
    Some(body.len() - cursor.rest().len())
}

/// Maps the entry at this offset, and gives the offset of the next.
fn map_entry(body: &mut [u8], at: usize) -> Option<usize> {
    let mut cursor = Cursor::new(body.get(at..)?);
    cursor.vector(3)?;
    let block_at = body.len() - cursor.rest().len();
    let block = cursor.vector(2)?;
    let next = body.len() - cursor.rest().len();
    if !block.is_empty() {
        return Some(next);
    }
    let Some(stands_for) = cursor.vector(3).and_then(wire_block) else {
        return Some(next);
    };
    // That entry has no extensions of its own.
    if cursor.vector(2) != Some(&[]) {
        return Some(next);
    }
    let next = body.len() - cursor.rest().len();
    let length = u16::try_from(stands_for.len()).ok()?.to_be_bytes();
    let wire = length.into_iter().chain(stands_for);
    let place = body.get_mut(block_at..next)?;
    place
        .iter_mut()
        .zip(wire)
        .for_each(|(byte, wire)| *byte = wire);
    Some(next)
}
