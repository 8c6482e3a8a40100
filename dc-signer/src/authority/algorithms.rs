//! The signature algorithms that this signer can verify.

use pki_types::SignatureVerificationAlgorithm;

/// All of the crypto provider's.
pub(super) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}
