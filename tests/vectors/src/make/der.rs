//! Just enough DER to write certificates and keys, byte for byte the same with every release of every crate.

/// A tag, a length and contents of at most 65,535 bytes.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![tag];
    match body.len() {
        short @ ..=127 => out.push(short.try_into().unwrap()),
        long @ ..=255 => out.extend([0x81, long.try_into().unwrap()]),
        long => {
            out.push(0x82);
            out.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    out.extend(body);
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

pub(super) fn octet_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, &[bytes])
}

/// A BIT STRING of whole bytes.
pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes])
}

/// The contents of the children of a SEQUENCE whose lengths are definite.
pub(super) fn children(sequence: &[u8]) -> Vec<&[u8]> {
    let (mut found, (mut rest, _)) = (Vec::new(), split(sequence));
    while !rest.is_empty() {
        let (contents, after) = split(rest);
        found.push(contents);
        rest = after;
    }
    found
}

/// The contents of the first element, and what is behind it.
fn split(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match der[1] {
        short @ ..=127 => (usize::from(short), 2),
        long => {
            let end = 2 + usize::from(long & 0x7f);
            let digits = der[2..end].iter();
            let length = digits.fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, end)
        }
    };
    der[start..].split_at(length)
}

/// An extension of a certificate.
pub(super) fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&tlv(0x06, &[id]), flag, &octet_string(value)])
}

/// A distinguished name of one commonName.
pub(super) fn common_name(text: &str) -> Vec<u8> {
    let value = tlv(0x0c, &[text.as_bytes()]);
    let attribute = sequence(&[&tlv(0x06, &[COMMON_NAME]), &value]);
    sequence(&[&tlv(0x31, &[&attribute])])
}

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
pub(super) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
pub(super) const DELEGATION_USAGE: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xda, 0x4b, 0x2c];
