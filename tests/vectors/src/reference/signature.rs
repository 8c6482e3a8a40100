//! Signatures of every scheme of the vectors; each is verified once, however many mutants ask.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use p521::ecdsa::signature::Verifier as _;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use super::bytes::Bytes;
use super::der;
use super::key::{Key, key_type};

/// Verifies signatures, and remembers.
#[derive(Debug, Default)]
pub struct Signatures {
    known: Mutex<BTreeMap<Question, bool>>,
}

/// Scheme, signature, key and message.
type Question = (u16, Vec<u8>, Vec<u8>, Vec<u8>);

impl Signatures {
    /// Whether the key made a signature over a message; never if the scheme is for another type of key.
    pub(super) fn verify(
        &self,
        scheme: u16,
        key: &Key<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        if key_type(scheme).is_none() || key_type(scheme) != key.kind {
            return false;
        }
        let question = (
            scheme,
            signature.to_vec(),
            key.octets.to_vec(),
            message.to_vec(),
        );
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known().get(&question) {
            return *answer;
        }
        let answer = verify(scheme, key.octets, message, signature).is_some();
        known().insert(question, answer);
        answer
    }
}

/// The scheme of the AlgorithmIdentifier of a certificate's signature.
pub(super) fn scheme_of_certificate(algorithm: &[u8]) -> Option<u16> {
    let id = der::tagged(&mut Bytes(algorithm), der::OBJECT_IDENTIFIER)?;
    match id {
        [0x2b, 0x65, 0x70] => Some(0x0807),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02] => Some(0x0403),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03] => Some(0x0503),
        _ => None,
    }
}

fn verify(scheme: u16, key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let algorithm: &dyn VerificationAlgorithm = match scheme {
        0x0403 => &ECDSA_P256_SHA256_ASN1,
        0x0503 => &ECDSA_P384_SHA384_ASN1,
        0x0603 => return p521(key, message, signature),
        0x0807 => &ED25519,
        0x0808 => return ed448(key, message, signature),
        0x0401 => &RSA_PKCS1_2048_8192_SHA256,
        0x0501 => &RSA_PKCS1_2048_8192_SHA384,
        0x0601 => &RSA_PKCS1_2048_8192_SHA512,
        0x0804 | 0x0809 => &RSA_PSS_2048_8192_SHA256,
        0x0805 | 0x080a => &RSA_PSS_2048_8192_SHA384,
        0x0806 | 0x080b => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    };
    let key = UnparsedPublicKey::new(algorithm, key);
    key.verify(message, signature).ok()
}

fn p521(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p521::ecdsa::DerSignature::try_from(signature).ok()?;
    let signature = p521::ecdsa::Signature::try_from(signature).ok()?;
    key.verify(message, &signature).ok()
}

fn ed448(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = ed448_goldilocks::VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
    let signature = ed448_goldilocks::Signature::try_from(signature).ok()?;
    key.verify_raw(&signature, message).ok()
}
