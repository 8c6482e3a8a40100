//! What the targets share.

use dc_core::{Credential, DelegatedCredential, Form, SignatureScheme};
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

/// The laws of the codec for one form.
pub fn check_codec(form: Form, input: &[u8]) {
    let Ok(decoded) = DelegatedCredential::decode(form, input) else {
        return;
    };
    // What decodes encodes to the same bytes, as a whole and part by part.
    assert_eq!(decoded.to_vec(), input);
    assert_eq!(decoded.form(), form);
    let claim = decoded.credential();
    let mut body = Vec::new();
    claim.encode(&mut body).expect("it came out of a decoder");
    assert!(input.starts_with(&body));
    assert_eq!(input.len(), body.len() + 4 + decoded.signature().len());
    let rebuilt = Credential::new(
        claim.valid_time,
        claim.dc_cert_verify_algorithm,
        claim.spki,
        claim.unique_name.clone(),
    );
    assert_eq!(rebuilt, *claim);
    check_not_both(input);
}

/// No bytes are a credential of both forms that anything could verify.
fn check_not_both(input: &[u8]) {
    let plain = DelegatedCredential::decode(Form::Rfc9345, input);
    let named = DelegatedCredential::decode(Form::Named, input);
    if let (Ok(plain), Ok(_)) = (plain, named) {
        let algorithm = plain.algorithm();
        assert!(
            !SignatureScheme::all().any(|known| known == algorithm),
            "{plain:?}"
        );
    }
}

/// A signature that a fuzzer can make: a checksum of key and message. It calls itself Ed25519.
#[derive(Debug)]
pub struct Checksum;

impl Checksum {
    /// Signs under the public key `bits`; there is no private one.
    pub fn sign(bits: &[u8], message: &[u8]) -> [u8; 8] {
        let bytes = bits.iter().chain(message);
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |sum: u64, &byte| {
                (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
            .to_be_bytes()
    }
}

impl SignatureVerificationAlgorithm for Checksum {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        match signature == Self::sign(key, message) {
            true => Ok(()),
            false => Err(InvalidSignature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}
