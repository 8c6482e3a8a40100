//! Walking over whole handshake messages (RFC 8446 §4).

use super::bytes::Cursor;

/// The handshake type of ClientHello.
pub(super) const CLIENT_HELLO: u8 = 1;
/// The handshake type of Certificate.
pub(super) const CERTIFICATE: u8 = 11;
/// The handshake type of CertificateRequest.
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
/// The bytes of a handshake header: type and `u24` length.
pub(super) const HEADER_LEN: usize = 4;

/// True if `data` begins with a Certificate message: rustls hashes the messages of a TLS 1.3 handshake one by one.
pub(crate) fn is_certificate(data: &[u8]) -> bool {
    data.first() == Some(&CERTIFICATE)
}

/// True if `data` is nothing but handshake messages.
///
/// A ClientHello at the end may be cut: a PSK binder covers one without its binders (RFC 8446 §4.2.11.2).
pub(super) fn is_sequence(data: &[u8]) -> bool {
    messages(data).map(<[u8]>::len).sum::<usize>() == data.len()
}

/// The messages that `data` begins with, each with its header, up to the first that is cut.
pub(super) fn messages(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (message, rest) = data.split_at_checked(message_len(data)?)?;
        data = rest;
        Some(message)
    })
}

/// As [`messages`], to be changed in place.
pub(super) fn messages_mut(mut data: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    std::iter::from_fn(move || {
        let len = message_len(data)?;
        let (message, rest) = std::mem::take(&mut data).split_at_mut_checked(len)?;
        data = rest;
        Some(message)
    })
}

/// The bytes of the first message in `data`, header included, as far as they are there.
fn message_len(data: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(data);
    let kind = cursor.u8()?;
    let whole = HEADER_LEN + cursor.length(3)?;
    Some(if kind == CLIENT_HELLO {
        whole.min(data.len())
    } else {
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_message_boundaries() {
        let data = [254, 0, 0, 1, 9, 2, 0, 0, 0, 1, 0, 0, 2, 7, 7];
        let found: Vec<&[u8]> = messages(&data).collect();
        assert_eq!(found, [&data[..5], &data[5..9], &data[9..]]);
        assert!(is_sequence(&data));
        assert!(is_sequence(&[]));
    }

    #[test]
    fn only_a_client_hello_may_be_cut() {
        assert!(is_sequence(&[2, 0, 0, 0, 1, 0, 0, 9, 1]));
        assert!(!is_sequence(&[2, 0, 0, 9, 1]));
        assert!(!is_sequence(&[2, 0, 0, 0, 1, 0]));
    }
}
