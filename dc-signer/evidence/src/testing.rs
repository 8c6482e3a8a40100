//! Keys for the tests.

use crate::SigningKey;

/// RFC 8410 §7, around a seed of 32 bytes.
pub(crate) fn pkcs8(seed: &[u8]) -> Vec<u8> {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06];
    der.extend([0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]);
    der.extend(seed);
    der
}

pub(crate) fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_pkcs8(name, &pkcs8(&[7; 32])).expect("a seed of 32 bytes")
}
