//! The keys of lists of withdrawn names, and their signatures.

use core::fmt;

use base64ct::{Base64, Encoding};
use pki_types::{SignatureVerificationAlgorithm, alg_id};

use crate::error::Error;
use crate::scheme::SignatureScheme;

/// A key that lists of withdrawn names are signed with: raw Ed25519 (RFC 8032).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListKey(pub [u8; 32]);

impl TryFrom<&str> for ListKey {
    type Error = Error;

    /// Reads a key in base64, as the signer shows it.
    ///
    /// Fails with [`Error::BadPublicKey`] unless it is that of 32 bytes.
    fn try_from(base64: &str) -> Result<Self, Error> {
        let mut key = [0; 32];
        match Base64::decode(base64, &mut key) {
            Ok(decoded) if decoded.len() == 32 => Ok(Self(key)),
            _ => Err(Error::BadPublicKey),
        }
    }
}

impl fmt::Display for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base64::encode_string(&self.0))
    }
}

impl fmt::Debug for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListKey({self})")
    }
}

/// Fails unless one of the signatures is by one of the keys.
pub(super) fn check_signature(
    list: &[u8],
    signatures: &[[u8; SIGNATURE]],
    keys: &[ListKey],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(), Error> {
    let scheme = SignatureScheme::ED25519;
    let ed25519 = algorithms
        .iter()
        .find(|a| {
            (a.public_key_alg_id(), a.signature_alg_id()) == (alg_id::ED25519, alg_id::ED25519)
        })
        .ok_or(Error::UnsupportedScheme { scheme })?;
    // One for each key: else whoever makes up a list could have hundreds verified, over megabytes.
    let is_signed = keys.iter().any(|ListKey(key)| {
        let mut signatures = signatures.iter();
        let signature = signatures.find_map(|entry| entry.strip_prefix(key));
        signature.is_some_and(|signature| ed25519.verify_signature(key, list, signature).is_ok())
    });
    is_signed.then_some(()).ok_or(Error::ListNotSigned)
}

/// Bytes of a key.
pub(super) const KEY: usize = 32;
/// Bytes of a key and its signature.
pub(super) const SIGNATURE: usize = KEY + 64;
