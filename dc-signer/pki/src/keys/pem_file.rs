//! A private key in a PEM file.

use std::fmt;
use std::path::Path;

use dc_core::{SignatureScheme, Signer};
use pki_types::PrivateKeyDer;
use rustls::crypto::ring::sign::any_supported_type;

use super::key::Key;
use super::unlock::Unlock;
use crate::error::Error;
use crate::signing::KeyFault;

/// A private key from a file: PKCS#8, SEC1 or PKCS#1; ECDSA P-256 or P-384, Ed25519, or RSA.
///
/// Our copies of the key are wiped; ring's own, in the form in which it signs, is not.
pub struct PemKey {
    signer: Box<dyn rustls::sign::Signer>,
    spki: Vec<u8>,
}

impl PemKey {
    /// Reads the private key of a PEM file.
    ///
    /// Fails with [`Error::Read`], [`Error::TooLarge`], [`Error::EncryptedKey`], [`Error::BadPem`],
    /// [`Error::MissingPem`] or [`Error::UnsupportedKey`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_with(path, &Unlock::default())
    }

    /// The same, also of a key that is encrypted with a passphrase.
    ///
    /// Fails as [`read_signer_with`](super::read_signer_with) does.
    pub fn read_with(path: &Path, unlock: &Unlock) -> Result<Self, Error> {
        super::read_signer_with(path, unlock, Self::from_der)
    }

    /// The private key of a PEM file that was read already.
    ///
    /// Fails as [`read`](Self::read) does, with the path in its errors.
    pub fn in_file(path: &Path, file: &[u8]) -> Result<Self, Error> {
        Self::in_file_with(path, file, &Unlock::default())
    }

    /// The same, also of a key that is encrypted with a passphrase.
    ///
    /// Fails as [`read_with`](Self::read_with) does, with the path in its errors.
    pub fn in_file_with(path: &Path, file: &[u8], unlock: &Unlock) -> Result<Self, Error> {
        super::signer_in(path, file, unlock, Self::from_der)
    }

    /// A key that was read already; `None` if it cannot sign here.
    pub fn from_der(key: &PrivateKeyDer<'_>) -> Option<Self> {
        let key = any_supported_type(key).ok()?;
        let spki = key.public_key()?.to_vec();
        Some(Self {
            signer: key.choose_scheme(&[super::scheme(&spki)?])?,
            spki,
        })
    }

    /// The public half: a DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }
}

impl Signer for PemKey {
    type Error = KeyFault;

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme(self.signer.scheme().into())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let signed = self.signer.sign(message);
        signed.map_err(|source| KeyFault::Library { source })
    }
}

impl Key for PemKey {
    fn spki(&self) -> &[u8] {
        self.spki()
    }
}

impl fmt::Debug for PemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signer: _, spki: _ } = self;
        f.debug_struct("PemKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn reads_each_type_of_key_and_prints_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        for (algorithm, scheme) in [
            (
                &rcgen::PKCS_ECDSA_P256_SHA256,
                SignatureScheme::ECDSA_SECP256R1_SHA256,
            ),
            (
                &rcgen::PKCS_ECDSA_P384_SHA384,
                SignatureScheme::ECDSA_SECP384R1_SHA384,
            ),
            (&rcgen::PKCS_ED25519, SignatureScheme::ED25519),
        ] {
            let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
            fs::write(&path, pair.serialize_pem()).unwrap();
            let key = PemKey::read(&path).unwrap();
            assert_eq!(key.scheme(), scheme);
            assert_eq!(
                key.spki(),
                rcgen::PublicKeyData::subject_public_key_info(&pair)
            );
            assert_eq!(format!("{key:?}"), "PemKey { .. }");
        }
    }

    #[test]
    fn rsa_keys_sign_with_the_scheme_that_every_peer_knows() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/rsa-2048.pem");
        let key = PemKey::read(path.as_ref()).unwrap();
        assert_eq!(key.scheme(), SignatureScheme::RSA_PSS_RSAE_SHA256);
    }
}
