//! Public keys: their type and fingerprint.

use std::fmt;

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use pki_types::{AlgorithmIdentifier, alg_id};
use serde_json::{Value, json};

use dc_pki::Sha256;

/// A public key as its SubjectPublicKeyInfo says it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    kind: Kind,
    sha256: Sha256,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    /// A type that has one size.
    Known(&'static str),
    /// RSA: what the identifier calls it, and the bits of its modulus.
    Rsa(&'static str, usize),
    /// ECDSA as nobody takes it: what is unusual.
    Unusual(&'static str),
    /// Something else: its object identifier.
    Other(String),
    /// Not a SubjectPublicKeyInfo.
    Malformed,
}

impl PublicKey {
    /// Looks at a DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn of(spki: &[u8]) -> Self {
        Self {
            kind: Kind::of(spki).unwrap_or(Kind::Malformed),
            sha256: Sha256::of(spki),
        }
    }

    /// True if it is a whole SubjectPublicKeyInfo.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.kind != Kind::Malformed
    }

    /// The SHA-256 of the SubjectPublicKeyInfo, in hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.sha256.to_string()
    }

    /// `{type, spki_sha256}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"type": self.to_string(), "spki_sha256": self.fingerprint()})
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Known(name) => f.write_str(name),
            Kind::Rsa(name, bits) => write!(f, "{name} {bits}"),
            Kind::Unusual(how) => write!(f, "ECDSA with {how}"),
            Kind::Other(identifier) => write!(f, "unknown type {identifier}"),
            Kind::Malformed => f.write_str("malformed"),
        }
    }
}

impl Kind {
    fn of(spki: &[u8]) -> der::Result<Self> {
        let mut outer = SliceReader::new(spki)?;
        let kind = outer.sequence(|fields| {
            let algorithm = AnyRef::decode(fields)?;
            let bits = BitStringRef::decode(fields)?;
            Self::of_parts(algorithm.value(), bits.raw_bytes())
        })?;
        outer.finish()?;
        Ok(kind)
    }

    /// `algorithm` is the contents of the AlgorithmIdentifier.
    fn of_parts(algorithm: &[u8], bits: &[u8]) -> der::Result<Self> {
        let is_compressed = matches!(bits, [0x02 | 0x03, ..]);
        if is_compressed && CURVES.iter().any(|id| id.as_ref() == algorithm) {
            return Ok(Self::Unusual("a compressed point"));
        }
        if let Some((_, name)) = KNOWN.iter().find(|(id, _)| id.as_ref() == algorithm) {
            return Ok(Self::Known(name));
        }
        // Only the front of the algorithm matters here: parameters follow.
        let mut fields = SliceReader::new(algorithm)?;
        let identifier = ObjectIdentifier::decode(&mut fields)?;
        if identifier == EC_PUBLIC_KEY && AnyRef::decode(&mut fields)?.tag() == Tag::Sequence {
            return Ok(Self::Unusual("an explicit curve"));
        }
        let rsa = RSA.iter().find(|(id, _)| *id == identifier);
        match rsa {
            Some((_, name)) => Ok(Self::Rsa(name, modulus_bits(bits)?)),
            None => Ok(Self::Other(identifier.to_string())),
        }
    }
}

/// The length of the first INTEGER of an RSAPublicKey (RFC 8017 §A.1.1).
fn modulus_bits(key: &[u8]) -> der::Result<usize> {
    SliceReader::new(key)?.sequence(|fields| {
        let modulus = UintRef::decode(fields)?;
        UintRef::decode(fields)?;
        let bytes = modulus.as_bytes();
        let zeros = bytes.first().map_or(0, |first| first.leading_zeros());
        let zeros = usize::try_from(zeros).unwrap_or(0);
        Ok::<_, der::Error>((bytes.len() * 8).saturating_sub(zeros))
    })
}

const KNOWN: [(AlgorithmIdentifier, &str); 5] = [
    (alg_id::ECDSA_P256, "ECDSA P-256"),
    (alg_id::ECDSA_P384, "ECDSA P-384"),
    (alg_id::ECDSA_P521, "ECDSA P-521"),
    (alg_id::ED25519, "Ed25519"),
    (alg_id::ED448, "Ed448"),
];

/// Those among them whose keys are points.
const CURVES: [AlgorithmIdentifier; 3] =
    [alg_id::ECDSA_P256, alg_id::ECDSA_P384, alg_id::ECDSA_P521];

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

const RSA: [(ObjectIdentifier, &str); 2] = [
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"), "RSA"),
    (
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"),
        "RSASSA-PSS",
    ),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::PublicKeyData;

    use super::*;

    #[test]
    fn says_the_type_of_each_key() {
        for (algorithm, name) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, "ECDSA P-256"),
            (&rcgen::PKCS_ECDSA_P384_SHA384, "ECDSA P-384"),
            (&rcgen::PKCS_ED25519, "Ed25519"),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let key = PublicKey::of(&key.subject_public_key_info());
            assert_eq!(key.to_string(), name);
            assert_eq!(key.fingerprint().len(), 64);
        }
    }

    #[test]
    fn says_the_size_of_an_rsa_key() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/rsa-2048.pem");
        let key = dc_pki::keys::PemKey::read(path.as_ref()).unwrap();
        assert_eq!(PublicKey::of(key.spki()).to_string(), "RSA 2048");
    }

    #[test]
    fn an_unknown_type_is_named_and_garbage_is_malformed() {
        let spki = [
            0x30, 0x0c, 0x30, 0x07, 0x06, 0x03, 0x2b, 0x06, 0x01, 0x05, 0x00, 0x03, 0x01, 0x00,
        ];
        assert_eq!(PublicKey::of(&spki).to_string(), "unknown type 1.3.6.1");
        assert!(!PublicKey::of(b"key").is_readable());
        assert_eq!(PublicKey::of(b"key").to_string(), "malformed");
    }

    proptest! {
        #[test]
        fn never_panics(spki: Vec<u8>, bits: Vec<u8>) {
            let _ = PublicKey::of(&spki).to_string();
            let _ = modulus_bits(&bits);
        }
    }
}
