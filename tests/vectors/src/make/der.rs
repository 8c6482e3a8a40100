//! Just enough DER to write a certificate, byte for byte the same with every release of every crate.

use ring::signature::Ed25519KeyPair;

pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
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

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

/// id-Ed25519, alone in an AlgorithmIdentifier.
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
pub(crate) const DELEGATION_USAGE: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xda, 0x4b, 0x2c];

/// The SubjectPublicKeyInfo of an Ed25519 key.
pub(crate) fn ed25519_spki(public_key: &[u8]) -> Vec<u8> {
    sequence(&[ED25519, &tlv(0x03, &[&[0], public_key])])
}

/// A private key in PKCS#8, version 1: the seed and nothing else.
pub(crate) fn ed25519_pkcs8(seed: &[u8; 32]) -> Vec<u8> {
    sequence(&[&[2, 1, 0], ED25519, &tlv(0x04, &[&tlv(0x04, &[seed])])])
}

pub(crate) fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&tlv(0x06, &[id]), flag, &tlv(0x04, &[value])])
}

/// A self-signed Ed25519 certificate; the times are UTCTime.
pub(crate) fn certificate(
    key: &Ed25519KeyPair,
    spki: &[u8],
    serial: u8,
    validity: [&str; 2],
    extensions: &[Vec<u8>],
) -> Vec<u8> {
    let name = tlv(0x0c, &[b"delegation certificate"]);
    let name = sequence(&[&tlv(
        0x31,
        &[&sequence(&[&tlv(0x06, &[COMMON_NAME]), &name])],
    )]);
    let [from, to] = validity.map(|time| tlv(0x17, &[time.as_bytes()]));
    let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
    let tbs = sequence(&[
        &[0xa0, 0x03, 0x02, 0x01, 0x02],
        &[0x02, 0x01, serial],
        ED25519,
        &name,
        &sequence(&[&from, &to]),
        &name,
        spki,
        &tlv(0xa3, &[&sequence(&extensions)]),
    ]);
    let signature = key.sign(&tbs);
    sequence(&[&tbs, ED25519, &tlv(0x03, &[&[0], signature.as_ref()])])
}
