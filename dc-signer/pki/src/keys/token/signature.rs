//! Signatures as tokens make them, and as TLS wants them.

use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use der::asn1::{Any, UintRef};
use der::{Encode, Tag};
use ring::digest::{self, SHA256, SHA384};
use rustls::SignatureScheme;

use super::failed;
use crate::token_fault::TokenFault;

/// Signs a message that is not hashed yet.
pub(super) fn sign(
    session: &Session,
    key: ObjectHandle,
    scheme: SignatureScheme,
    message: &[u8],
) -> Result<Vec<u8>, TokenFault> {
    let ecdsa = |hash| {
        let digest = digest::digest(hash, message);
        let raw = session.sign(&Mechanism::Ecdsa, key, digest.as_ref());
        let raw = raw.map_err(|error| failed(&error))?;
        ecdsa_to_der(&raw).ok_or(TokenFault::Type)
    };
    match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => ecdsa(&SHA256),
        SignatureScheme::ECDSA_NISTP384_SHA384 => ecdsa(&SHA384),
        SignatureScheme::ED25519 => {
            let pure = EddsaParams::new(EddsaSignatureScheme::Ed25519);
            let signed = session.sign(&Mechanism::Eddsa(pure), key, message);
            signed.map_err(|error| failed(&error))
        }
        SignatureScheme::RSA_PSS_SHA256 => {
            let pss = PkcsPssParams {
                hash_alg: MechanismType::SHA256,
                mgf: PkcsMgfType::MGF1_SHA256,
                s_len: SALT_LEN.try_into().map_err(|_| TokenFault::Type)?,
            };
            let signed = session.sign(&Mechanism::Sha256RsaPkcsPss(pss), key, message);
            signed.map_err(|error| failed(&error))
        }
        SignatureScheme::RSA_PKCS1_SHA256 => {
            let signed = session.sign(&Mechanism::Sha256RsaPkcs, key, message);
            signed.map_err(|error| failed(&error))
        }
        _ => Err(TokenFault::Type),
    }
}

/// Tokens give both numbers of a signature one behind the other, each as long as the curve's order (PKCS#11 v3.1 §6.3.1).
fn ecdsa_to_der(raw: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = raw.split_at_checked(raw.len() / 2)?;
    if r.is_empty() || r.len() != s.len() {
        return None;
    }
    let numbers = [r, s].map(|number| UintRef::new(number).and_then(|number| number.to_der()));
    let [r, s] = numbers;
    let both = [r.ok()?, s.ok()?].concat();
    Any::new(Tag::Sequence, both).ok()?.to_der().ok()
}

/// As long as the hash (RFC 8446 §4.2.3).
const SALT_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_leading_zeros_and_stay_positive() {
        let raw = [&[0, 0, 1][..], &[0x80, 0, 0]].concat();
        let der = [0x30, 9, 2, 1, 1, 2, 4, 0, 0x80, 0, 0];
        assert_eq!(ecdsa_to_der(&raw).unwrap(), der);
        for bad in [&[][..], &[1], &[1, 2, 3]] {
            assert_eq!(ecdsa_to_der(bad), None);
        }
    }
}
