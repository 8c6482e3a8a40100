//! Keys of credentials and certificates, and the schemes that fit them.

use super::{Book, offer};
use crate::fault::Fault;
use crate::format::credentials::KeyType;
use crate::make::der;
use crate::make::draft::Draft;
use crate::make::keys::{
    DEVICE, ECDSA_SHA1, ED448, ED25519, Key, P256, P384, P521, PKCS1, PKCS1_SHA1, PSS, RSAE, device,
};
use crate::make::rsa;

/// A code point that nobody has defined (private use).
const UNKNOWN: u16 = 0xfe00;

pub(super) fn add(good: &Draft, book: &mut Book) {
    of_device_keys(good, book);
    of_device_schemes(good, book);
    of_forbidden_schemes(good, book);
    of_delegation_keys(good, book);
    of_delegation_schemes(good, book);
    of_encodings(good, book);
}

/// Every type of key that a credential may have.
fn of_device_keys(good: &Draft, book: &mut Book) {
    for (id, kind) in [
        ("p256", KeyType::P256),
        ("p384", KeyType::P384),
        ("p521", KeyType::P521),
        ("ed448", KeyType::Ed448),
        ("rsa-pss", KeyType::RsaPss),
    ] {
        let draft = good.but("keys", "valid, with a key of another type", |draft| {
            draft.for_key(device(kind));
        });
        book.add(&format!("key-{id}"), &draft);
    }
}

/// Keys with schemes of other keys.
fn of_device_schemes(good: &Draft, book: &mut Book) {
    for (id, kind, scheme) in [
        ("p256-p384", KeyType::P256, P384),
        ("p256-p521", KeyType::P256, P521),
        ("p256-ed25519", KeyType::P256, ED25519),
        ("p384-p256", KeyType::P384, P256),
        ("p521-p256", KeyType::P521, P256),
        ("p521-p384", KeyType::P521, P384),
        ("ed25519-p256", KeyType::Ed25519, P256),
        ("ed25519-ed448", KeyType::Ed25519, ED448),
        ("ed448-ed25519", KeyType::Ed448, ED25519),
        ("ed25519-unknown", KeyType::Ed25519, UNKNOWN),
        ("rsa-pss-other-hash", KeyType::RsaPss, PSS[1]),
        ("rsa-pss-p256", KeyType::RsaPss, P256),
        ("rsa-pss256", KeyType::Rsa, PSS[0]),
        ("rsa-pss384", KeyType::Rsa, PSS[1]),
        ("rsa-pss512", KeyType::Rsa, PSS[2]),
    ] {
        let note = format!("scheme 0x{scheme:04x} is for keys of another type");
        let draft = good.but("keys", &note, |draft| with_scheme(draft, kind, scheme));
        book.add(
            &format!("scheme-{id}"),
            &draft.refused(Fault::SchemeKeyMismatch),
        );
    }
}

/// Schemes that no credential has, with the keys that they are for.
fn of_forbidden_schemes(good: &Draft, book: &mut Book) {
    for (id, kind, scheme) in [
        ("rsae-sha256", KeyType::Rsa, RSAE[0]),
        ("rsae-sha384", KeyType::Rsa, RSAE[1]),
        ("rsae-sha512", KeyType::Rsa, RSAE[2]),
        ("rsae-sha256-for-rsa-pss", KeyType::RsaPss, RSAE[0]),
        ("rsae-sha384-for-rsa-pss", KeyType::RsaPss, RSAE[1]),
        ("rsae-sha512-for-rsa-pss", KeyType::RsaPss, RSAE[2]),
        ("pkcs1", KeyType::Rsa, PKCS1),
        ("pkcs1-sha384", KeyType::Rsa, 0x0501),
        ("pkcs1-sha512", KeyType::Rsa, 0x0601),
        ("pkcs1-sha1", KeyType::Rsa, PKCS1_SHA1),
        ("ecdsa-sha1", KeyType::P256, ECDSA_SHA1),
    ] {
        let note = format!("scheme 0x{scheme:04x} is for no credential, although it was offered");
        let draft = good.but("keys", &note, |draft| with_scheme(draft, kind, scheme));
        book.add(
            &format!("forbidden-{id}"),
            &draft.refused(Fault::ForbiddenScheme),
        );
    }
}

fn with_scheme(draft: &mut Draft, kind: KeyType, scheme: u16) {
    draft.for_key(device(kind));
    draft.scheme = scheme;
    offer_also(draft, scheme);
}

/// Offers a scheme that the default offer has not.
fn offer_also(draft: &mut Draft, scheme: u16) {
    let mut offer = offer();
    if offer.signature_algorithms.contains(&scheme) {
        return;
    }
    let lists = [&mut offer.rfc9345, &mut offer.named];
    lists
        .into_iter()
        .flatten()
        .for_each(|list| list.push(scheme));
    offer.signature_algorithms.push(scheme);
    draft.offer = Some(offer);
}

/// Every type of key that a certificate may have.
fn of_delegation_keys(good: &Draft, book: &mut Book) {
    for (id, certificate, algorithm) in [
        ("p256", "p256", P256),
        ("p384", "p384", P384),
        ("p521", "p521", P521),
        ("rsa-sha256", "rsa", RSAE[0]),
        ("rsa-sha384", "rsa", RSAE[1]),
        ("rsa-sha512", "rsa", RSAE[2]),
        ("rsa-pss", "rsa-pss", PSS[0]),
    ] {
        let draft = good.but(
            "keys",
            "valid, under a certificate with a key of another type",
            |draft| {
                draft.under(certificate);
                draft.algorithm = algorithm;
            },
        );
        book.add(&format!("delegation-{id}"), &draft);
    }
}

/// `algorithm` of another key than the certificate's. The signatures are what that scheme makes of the certificate's key, so
/// that who looks at the key alone, or at the hash alone, finds them good.
fn of_delegation_schemes(good: &Draft, book: &mut Book) {
    for (id, certificate, algorithm) in [
        ("ed25519-p256", "good", P256),
        ("ed25519-ed448", "good", ED448),
        ("ed25519-unknown", "good", UNKNOWN),
        ("p256-p384", "p256", P384),
        ("p256-sha1", "p256", ECDSA_SHA1),
        ("p384-p256", "p384", P256),
        ("p384-p521", "p384", P521),
        ("rsa-pss256", "rsa", PSS[0]),
        ("rsa-p256", "rsa", P256),
        ("rsa-pss-rsae256", "rsa-pss", RSAE[0]),
        ("rsa-pss-other-hash", "rsa-pss", PSS[1]),
    ] {
        let note = format!("algorithm 0x{algorithm:04x} is not for the certificate's key");
        let draft = good.but("keys", &note, |draft| {
            draft.under(certificate);
            draft.algorithm = algorithm;
            offer_also(draft, algorithm);
        });
        book.add(
            &format!("algorithm-{id}"),
            &draft.refused(Fault::AlgorithmKeyMismatch),
        );
    }
    let note = "PKCS #1 v1.5, which TLS 1.3 has for certificates alone, although it was offered";
    let draft = good.but("keys", note, |draft| {
        draft.under("rsa");
        draft.algorithm = PKCS1;
        offer_also(draft, PKCS1);
    });
    let signature = rsa::sign_pkcs1(&draft.message());
    let draft = draft.refused(Fault::AlgorithmKeyMismatch);
    book.add_bytes(
        "algorithm-rsa-pkcs1",
        &draft,
        draft.with_signature(&signature),
    );
}

/// Keys that are not one DER SubjectPublicKeyInfo.
#[rustfmt::skip]
fn of_encodings(good: &Draft, book: &mut Book) {
    let spki = DEVICE.spki();
    let (identifier, bits) = (&spki[2..9], &spki[9..]);
    let unused = [&[3, 33, 1], &bits[3..]].concat();
    for (id, note, bytes) in [
        ("no-der", "the key is not DER", b"pubkey".to_vec()),
        ("empty-sequence", "the key is an empty SEQUENCE", vec![0x30, 0]),
        ("trailing-byte", "a byte after the key, inside its vector", [&spki[..], &[0]].concat()),
        ("twice", "the key twice, inside its vector", [&spki[..], &spki].concat()),
        ("cut", "the key without its last byte", spki[..spki.len() - 1].to_vec()),
        ("long-length", "the length of the SEQUENCE in two bytes, where DER has one", [&[0x30, 0x81, spki[1]], &spki[2..]].concat()),
        ("long-inner-length", "the length of the BIT STRING in two bytes, where DER has one", der::sequence(&[identifier, &[3, 0x81], &bits[1..]])),
        ("indefinite-length", "an indefinite length", [&[0x30, 0x80], &spki[2..], &[0, 0]].concat()),
        ("unused-bits", "a BIT STRING with an unused bit", der::sequence(&[identifier, &unused])),
        ("octet-string", "an OCTET STRING where the BIT STRING should be", der::sequence(&[identifier, &[4], &bits[1..]])),
        ("third-field", "a third field in the SEQUENCE", der::sequence(&[identifier, bits, &[5, 0]])),
        ("bare", "the key's 32 bytes alone", bits[3..].to_vec()),
    ] {
        let draft = good.but("keys", note, |draft| draft.spki = bytes);
        book.add(&format!("spki-{id}"), &draft.refused(Fault::MalformedKey));
    }
    let note = "a P-256 key with the curve's parameters written out";
    let p256 = Key::new(KeyType::P256, 0xdc);
    let draft = good.but("keys", note, |draft| {
        draft.for_key(p256);
        let identifier = der::sequence(&[&EC_PUBLIC_KEY, &[0x30, 3, 2, 1, 1]]);
        let spki = p256.spki();
        let bits = der::children(&spki)[1].to_vec();
        draft.spki = der::sequence(&[&identifier, &der::tlv(3, &[&bits])]);
    });
    book.add("spki-explicit-curve", &draft.refused(Fault::SchemeKeyMismatch));
}

/// id-ecPublicKey.
const EC_PUBLIC_KEY: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
