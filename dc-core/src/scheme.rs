//! Signature schemes (RFC 8446 §4.2.3), and which of them fits which key.

use core::fmt;

use pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm, alg_id};

use crate::error::Error;
use crate::spki::PublicKey;

/// A TLS signature scheme: the 16-bit code point, known or not.
///
/// An unknown code point is a value, not an error; it fits no key.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SignatureScheme(pub u16);

impl SignatureScheme {
    /// `ecdsa_secp256r1_sha256`.
    pub const ECDSA_SECP256R1_SHA256: Self = Self(0x0403);
    /// `ecdsa_secp384r1_sha384`.
    pub const ECDSA_SECP384R1_SHA384: Self = Self(0x0503);
    /// `ecdsa_secp521r1_sha512`.
    pub const ECDSA_SECP521R1_SHA512: Self = Self(0x0603);
    /// `ed25519`.
    pub const ED25519: Self = Self(0x0807);
    /// `ed448`.
    pub const ED448: Self = Self(0x0808);
    /// `rsa_pss_pss_sha256`, for keys whose type is id-RSASSA-PSS.
    pub const RSA_PSS_PSS_SHA256: Self = Self(0x0809);
    /// `rsa_pss_pss_sha384`, for keys whose type is id-RSASSA-PSS.
    pub const RSA_PSS_PSS_SHA384: Self = Self(0x080a);
    /// `rsa_pss_pss_sha512`, for keys whose type is id-RSASSA-PSS.
    pub const RSA_PSS_PSS_SHA512: Self = Self(0x080b);
    /// `rsa_pss_rsae_sha256`, for keys whose type is rsaEncryption.
    pub const RSA_PSS_RSAE_SHA256: Self = Self(0x0804);
    /// `rsa_pss_rsae_sha384`, for keys whose type is rsaEncryption.
    pub const RSA_PSS_RSAE_SHA384: Self = Self(0x0805);
    /// `rsa_pss_rsae_sha512`, for keys whose type is rsaEncryption.
    pub const RSA_PSS_RSAE_SHA512: Self = Self(0x0806);

    /// The schemes this crate knows for the key of a credential, best first.
    ///
    /// RFC 9345 §4 forbids rsaEncryption keys, and so the three `rsa_pss_rsae` schemes.
    pub const FOR_CREDENTIAL_KEYS: [Self; 8] = [
        Self::ECDSA_SECP256R1_SHA256,
        Self::ED25519,
        Self::ECDSA_SECP384R1_SHA384,
        Self::ECDSA_SECP521R1_SHA512,
        Self::ED448,
        Self::RSA_PSS_PSS_SHA256,
        Self::RSA_PSS_PSS_SHA384,
        Self::RSA_PSS_PSS_SHA512,
    ];

    /// rsaEncryption keys, PKCS#1 v1.5, and SHA-1.
    const FORBIDDEN: [Self; 8] = [
        Self::RSA_PSS_RSAE_SHA256,
        Self::RSA_PSS_RSAE_SHA384,
        Self::RSA_PSS_RSAE_SHA512,
        Self(0x0401),
        Self(0x0501),
        Self(0x0601),
        Self(0x0201),
        Self(0x0203),
    ];

    /// True if the key of a credential may use this scheme (RFC 9345 §4).
    #[must_use]
    pub fn fits_credential_keys(self) -> bool {
        Self::FOR_CREDENTIAL_KEYS.contains(&self)
    }

    /// Fails with [`Error::ForbiddenScheme`] if RFC 9345 §4 or RFC 8446 §4.4.3 rules this scheme out
    /// for a credential's key. An unknown scheme is not ruled out: it fits no key.
    pub(crate) fn check_allowed_for_credential(self) -> Result<(), Error> {
        match Self::FORBIDDEN.contains(&self) {
            true => Err(Error::ForbiddenScheme { scheme: self }),
            false => Ok(()),
        }
    }

    /// The provider's algorithm for this scheme with a key of this type.
    ///
    /// Fails with [`Error::SchemeKeyMismatch`] when the scheme is not for such a key, and with
    /// [`Error::UnsupportedScheme`] when the provider has no algorithm for it.
    pub(crate) fn algorithm(
        self,
        key: &PublicKey<'_>,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<&'static dyn SignatureVerificationAlgorithm, Error> {
        let (key_type, signature_type) = self.check_key(key)?;
        algorithms
            .iter()
            .copied()
            .find(|a| a.public_key_alg_id() == key_type && a.signature_alg_id() == signature_type)
            .ok_or(Error::UnsupportedScheme { scheme: self })
    }

    /// The key type and signature type of this scheme, if `key` is of that type.
    pub(crate) fn check_key(
        self,
        key: &PublicKey<'_>,
    ) -> Result<(AlgorithmIdentifier, AlgorithmIdentifier), Error> {
        let known = self
            .known()
            .ok_or(Error::UnsupportedScheme { scheme: self })?;
        match known.is_for(key) {
            true => Ok((known.key_type, known.signature_type)),
            false => Err(Error::SchemeKeyMismatch { scheme: self }),
        }
    }

    /// All schemes that this crate knows.
    pub fn all() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(|known| known.scheme)
    }

    /// The schemes of this crate that a key signs with, best first; none if it is of another type.
    ///
    /// TLS 1.3 ties each ECDSA scheme to one curve and each RSASSA-PSS scheme to a salt as long as the
    /// hash (RFC 8446 §4.2.3). Fails with [`Error::BadPublicKey`] unless `spki` is one DER
    /// SubjectPublicKeyInfo.
    pub fn for_key(spki: &[u8]) -> Result<impl Iterator<Item = Self> + use<>, Error> {
        let key = PublicKey::parse(spki)?;
        let key_type = KNOWN.iter().find(|known| known.is_for(&key));
        let key_type = key_type.map(|known| known.key_type);
        Ok(KNOWN
            .iter()
            .filter(move |known| Some(known.key_type) == key_type)
            .map(|known| known.scheme))
    }

    /// The scheme that a credential key of this type signs with, if there is one.
    pub(crate) fn for_credential_key(key: &PublicKey<'_>) -> Option<Self> {
        Self::FOR_CREDENTIAL_KEYS
            .into_iter()
            .find(|scheme| scheme.check_key(key).is_ok())
    }

    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.scheme == self)
    }
}

/// A scheme with its name (RFC 8446 §4.2.3) and its X.509 identifiers.
#[derive(Debug)]
struct Known {
    scheme: SignatureScheme,
    name: &'static str,
    key_type: AlgorithmIdentifier,
    signature_type: AlgorithmIdentifier,
}

impl Known {
    const fn new(
        scheme: SignatureScheme,
        name: &'static str,
        key_type: AlgorithmIdentifier,
        signature_type: AlgorithmIdentifier,
    ) -> Self {
        Self {
            scheme,
            name,
            key_type,
            signature_type,
        }
    }

    fn is_for(&self, key: &PublicKey<'_>) -> bool {
        self.key_type.as_ref() == key.algorithm
    }
}

/// The schemes that this crate knows, of each type of key the best first.
#[rustfmt::skip]
static KNOWN: [Known; 11] = [
    Known::new(SignatureScheme::ECDSA_SECP256R1_SHA256, "ecdsa_secp256r1_sha256", alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
    Known::new(SignatureScheme::ECDSA_SECP384R1_SHA384, "ecdsa_secp384r1_sha384", alg_id::ECDSA_P384, alg_id::ECDSA_SHA384),
    Known::new(SignatureScheme::ECDSA_SECP521R1_SHA512, "ecdsa_secp521r1_sha512", alg_id::ECDSA_P521, alg_id::ECDSA_SHA512),
    Known::new(SignatureScheme::ED25519, "ed25519", alg_id::ED25519, alg_id::ED25519),
    Known::new(SignatureScheme::ED448, "ed448", alg_id::ED448, alg_id::ED448),
    Known::new(SignatureScheme::RSA_PSS_PSS_SHA256, "rsa_pss_pss_sha256", alg_id::RSA_PSS_SHA256, alg_id::RSA_PSS_SHA256),
    Known::new(SignatureScheme::RSA_PSS_PSS_SHA384, "rsa_pss_pss_sha384", alg_id::RSA_PSS_SHA384, alg_id::RSA_PSS_SHA384),
    Known::new(SignatureScheme::RSA_PSS_PSS_SHA512, "rsa_pss_pss_sha512", alg_id::RSA_PSS_SHA512, alg_id::RSA_PSS_SHA512),
    Known::new(SignatureScheme::RSA_PSS_RSAE_SHA256, "rsa_pss_rsae_sha256", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256),
    Known::new(SignatureScheme::RSA_PSS_RSAE_SHA384, "rsa_pss_rsae_sha384", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384),
    Known::new(SignatureScheme::RSA_PSS_RSAE_SHA512, "rsa_pss_rsae_sha512", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512),
];

impl fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(Known { name, .. }) => write!(f, "{name} (0x{:04x})", self.0),
            None => write!(f, "unknown scheme 0x{:04x}", self.0),
        }
    }
}

impl fmt::Debug for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use rcgen::PublicKeyData;

    use super::*;

    #[test]
    fn no_rsae_scheme_fits_a_credential_key() {
        for code in [0x0804, 0x0805, 0x0806] {
            assert!(!SignatureScheme(code).fits_credential_keys());
        }
    }

    #[test]
    fn legacy_and_unknown_schemes_fit_no_key() {
        // PKCS#1 v1.5, SHA-1, ML-DSA, GREASE.
        for code in [0x0401, 0x0201, 0x0203, 0x0904, 0x0905, 0x0906, 0x7a7a] {
            let scheme = SignatureScheme(code);
            assert!(!scheme.fits_credential_keys());
            assert!(scheme.known().is_none());
        }
    }

    #[test]
    fn every_credential_scheme_names_its_key_type() {
        for scheme in SignatureScheme::FOR_CREDENTIAL_KEYS {
            let key = PublicKey {
                algorithm: scheme.known().unwrap().key_type.as_ref(),
                bits: &[],
            };
            assert_eq!(SignatureScheme::for_credential_key(&key), Some(scheme));
        }
    }

    #[test]
    fn a_key_has_the_schemes_of_its_type() {
        let for_key = |spki: &[u8]| SignatureScheme::for_key(spki).map(Vec::from_iter);
        for (algorithm, scheme) in [
            (
                &rcgen::PKCS_ECDSA_P384_SHA384,
                SignatureScheme::ECDSA_SECP384R1_SHA384,
            ),
            (&rcgen::PKCS_ED25519, SignatureScheme::ED25519),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            assert_eq!(for_key(&key.subject_public_key_info()), Ok([scheme].into()));
        }
        let rsa = rcgen::KeyPair::try_from(&include_bytes!("../testdata/rsa-2048.pk8")[..]);
        let rsa = rsa.unwrap().subject_public_key_info();
        let schemes = [0x0804, 0x0805, 0x0806].map(SignatureScheme);
        assert_eq!(for_key(&rsa), Ok(schemes.into()));
        assert_eq!(for_key(b"no key"), Err(Error::BadPublicKey));
    }

    #[test]
    fn prints_name_and_code_point() {
        assert_eq!(SignatureScheme::ED25519.to_string(), "ed25519 (0x0807)");
        assert_eq!(SignatureScheme(0x0904).to_string(), "unknown scheme 0x0904");
    }
}
