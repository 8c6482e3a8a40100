//! The reasons that a key is not taken: curves and encodings that OpenSSL makes and TLS does not know, and others.

use std::fmt;
use std::ops::RangeInclusive;

use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Reader, SliceReader};
use pki_types::PrivateKeyDer;

/// The reason that a key is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// Its public point is compressed (RFC 5480 §2.2).
    CompressedPoint,
    /// It has its curve's numbers in it, not the curve's name (RFC 5480 §2.1.1).
    ExplicitCurve,
    /// A private key without its public half.
    NoPublicHalf,
    /// A key among the agent's that it has not made.
    NotOfTheAgent,
    /// An RSA key that is too short, or too long, for signatures to be verified with it.
    RsaSize {
        /// The bits of its modulus.
        bits: usize,
    },
    /// A private key of a type or size that cannot sign here.
    Type,
}

impl KeyError {
    /// The unusual part of a DER SubjectPublicKeyInfo.
    pub fn of_public(spki: &[u8]) -> Option<Self> {
        let read = || {
            SliceReader::new(spki)?.sequence(|fields| {
                let algorithm = fields.decode::<AnyRef<'_>>()?.value();
                let point = fields.decode::<BitStringRef<'_>>()?.raw_bytes();
                if algorithm.starts_with(RSA) {
                    let bits = modulus_bits(point)?;
                    return Ok((!RSA_BITS.contains(&bits)).then_some(Self::RsaSize { bits }));
                }
                let is_compressed = matches!(point, [0x02 | 0x03, ..]);
                let is_curve = algorithm.starts_with(EC_PUBLIC_KEY);
                Ok::<_, der::Error>(match contains(algorithm, PRIME_FIELD) {
                    true => Some(Self::ExplicitCurve),
                    false => (is_curve && is_compressed).then_some(Self::CompressedPoint),
                })
            })
        };
        read().ok().flatten()
    }

    /// The unusual part of a private key that could not be used.
    pub fn of_private(key: &PrivateKeyDer<'_>) -> Option<Self> {
        let der = key.secret_der();
        let is_curve = contains(der, EC_PUBLIC_KEY) || matches!(key, PrivateKeyDer::Sec1(_));
        if !is_curve {
            return None;
        }
        if contains(der, PRIME_FIELD) {
            return Some(Self::ExplicitCurve);
        }
        let has_point = |form: u8| {
            POINTS
                .iter()
                .any(|head| contains(der, &[&head[..], &[form]].concat()))
        };
        match (
            has_point(2) || has_point(3),
            POINTS_OF_ALL.iter().any(|head| contains(der, head)),
        ) {
            (true, _) => Some(Self::CompressedPoint),
            (false, false) if contains(der, P256) || contains(der, P384) => {
                Some(Self::NoPublicHalf)
            }
            _ => None,
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CompressedPoint => {
                "the key has a compressed point, which TLS does not take: write the private key anew with 'openssl ec -conv_form uncompressed'"
            }
            Self::ExplicitCurve => {
                "the key has an explicit curve, which TLS does not take: write the private key anew with 'openssl ec -param_enc named_curve'"
            }
            Self::NoPublicHalf => {
                "the private key has no public half with it: write it anew with 'openssl ec -conv_form uncompressed'"
            }
            Self::NotOfTheAgent => {
                "it is no key that the agent has made (ECDSA P-256 in PKCS#8): put that one back"
            }
            Self::RsaSize { bits } => {
                return write!(
                    f,
                    "the key is RSA of {bits} bits, and {} to {} are taken: make an ECDSA P-256 key",
                    RSA_BITS.start(),
                    RSA_BITS.end()
                );
            }
            Self::Type => {
                "there is no key that can sign here: use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more, as PKCS#8, SEC1 or PKCS#1"
            }
        })
    }
}

/// Of an RSAPublicKey (RFC 8017 §A.1.1).
fn modulus_bits(key: &[u8]) -> der::Result<usize> {
    SliceReader::new(key)?.sequence(|fields| {
        let modulus = fields.decode::<UintRef<'_>>()?.as_bytes();
        fields.decode::<UintRef<'_>>()?;
        let unused = modulus.first().map_or(0, |first| first.leading_zeros());
        Ok(modulus.len() * 8 - usize::try_from(unused).unwrap_or(0))
    })
}

fn contains(der: &[u8], part: &[u8]) -> bool {
    der.windows(part.len()).any(|window| window == part)
}

/// id-ecPublicKey (RFC 5480 §2.1.1), in DER.
const EC_PUBLIC_KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
/// rsaEncryption (RFC 8017 §A.1), in DER.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
/// The sizes of RSA keys that ring verifies with.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// prime-field, which explicit curves begin with (RFC 3279 §2.3.5).
const PRIME_FIELD: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x01\x01";
/// secp256r1 and secp384r1.
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";
/// The octets before a compressed point of these two in an ECPrivateKey (RFC 5915 §3).
const POINTS: [&[u8]; 2] = [b"\xa1\x24\x03\x22\x00", b"\xa1\x34\x03\x32\x00"];
/// The octets before any other point of theirs there.
const POINTS_OF_ALL: [&[u8]; 2] = [b"\xa1\x44\x03\x42\x00", b"\xa1\x64\x03\x62\x00"];
