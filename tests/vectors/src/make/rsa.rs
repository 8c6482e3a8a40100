//! RSASSA signatures that are the same each time: the salt is fixed, as no library for real keys would have it.

use num_bigint::BigUint;
use ring::digest::{Algorithm, digest};

use super::der;

/// The one RSA key of the vectors, 2048 bits, in PKCS#8 with the identifier rsaEncryption.
const PKCS8: &[u8] = include_bytes!("../../../../dc-core/testdata/rsa-2048.pk8");
/// Bytes of the modulus.
const LENGTH: usize = 256;
const SALT: [u8; 64] = [0x5a; 64];

/// The RSAPrivateKey (RFC 8017 §A.1.2).
pub(super) fn private_key() -> &'static [u8] {
    der::children(PKCS8)[2]
}

/// The RSAPublicKey (RFC 8017 §A.1.1).
pub(super) fn public_key() -> Vec<u8> {
    let parts = der::children(private_key());
    der::sequence(&[&der::tlv(2, &[parts[1]]), &der::tlv(2, &[parts[2]])])
}

/// RSASSA-PSS (RFC 8017 §8.1.1), where hash and mask have one algorithm, with a salt of so many bytes.
pub(super) fn sign_pss(hash: &'static Algorithm, salt: usize, message: &[u8]) -> Vec<u8> {
    let salt = &SALT[..salt];
    let digest_of = |parts: &[&[u8]]| digest(hash, &parts.concat());
    let inner = digest_of(&[&[0; 8], digest(hash, message).as_ref(), salt]);
    // The modulus has a multiple of 8 bits, so the encoded message has as many bytes and a first bit of 0.
    let mask_length = LENGTH - hash.output_len() - 1;
    let mut masked = vec![0; mask_length - salt.len() - 1];
    masked.push(1);
    masked.extend(salt);
    for (number, block) in masked.chunks_mut(hash.output_len()).enumerate() {
        let counter = u32::try_from(number).unwrap().to_be_bytes();
        let mask = digest_of(&[inner.as_ref(), &counter]);
        block
            .iter_mut()
            .zip(mask.as_ref())
            .for_each(|(b, m)| *b ^= m);
    }
    masked[0] &= 0x7f;
    power(&[&masked, inner.as_ref(), &[0xbc]].concat())
}

/// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2.1), which TLS 1.3 has no use for.
pub(super) fn sign_pkcs1(message: &[u8]) -> Vec<u8> {
    const SHA256: &[u8] = &[
        0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0,
    ];
    let hash = digest(&ring::digest::SHA256, message);
    let info = der::sequence(&[SHA256, &der::octet_string(hash.as_ref())]);
    let padding = vec![0xff; LENGTH - info.len() - 3];
    power(&[&[0, 1], &padding[..], &[0], &info].concat())
}

/// RSASP1 (RFC 8017 §5.2.1).
fn power(encoded: &[u8]) -> Vec<u8> {
    let parts = der::children(private_key());
    let [modulus, exponent] = [parts[1], parts[3]].map(BigUint::from_bytes_be);
    let signature = BigUint::from_bytes_be(encoded).modpow(&exponent, &modulus);
    let bytes = signature.to_bytes_be();
    [&vec![0; LENGTH - bytes.len()], &bytes[..]].concat()
}
