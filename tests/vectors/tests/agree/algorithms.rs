//! Signature verification of ring, of aws-lc-rs, and of what neither has.

use ed448_goldilocks::{Signature, VerifyingKey};
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use ring::signature::UnparsedPublicKey;

/// ring's, and what it has not: P-521 of aws-lc-rs, Ed448 of ed448-goldilocks, RSASSA-PSS keys.
pub(crate) fn with_ring() -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    let ring = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let more = aws_lc_rs().into_iter();
    let p521 = more.filter(|algorithm| algorithm.public_key_alg_id() == alg_id::ECDSA_P521);
    ring.all.iter().copied().chain(p521).chain(ours()).collect()
}

/// Those of aws-lc-rs, and what it has not.
pub(crate) fn with_aws_lc_rs() -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    aws_lc_rs().into_iter().chain(ours()).collect()
}

fn aws_lc_rs() -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.signature_verification_algorithms.all.to_vec()
}

fn ours() -> [&'static dyn SignatureVerificationAlgorithm; 2] {
    [&Ed448, &RsaPss]
}

#[derive(Debug)]
struct Ed448;

impl SignatureVerificationAlgorithm for Ed448 {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = key.try_into().map_err(|_| InvalidSignature)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| InvalidSignature)?;
        let signature = Signature::try_from(signature).map_err(|_| InvalidSignature)?;
        key.verify_raw(&signature, message)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED448
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED448
    }
}

/// RSASSA-PSS with SHA-256 for keys that say so: `rsa_pss_pss_sha256`.
#[derive(Debug)]
struct RsaPss;

impl SignatureVerificationAlgorithm for RsaPss {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(&ring::signature::RSA_PSS_2048_8192_SHA256, key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PSS_SHA256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PSS_SHA256
    }
}
