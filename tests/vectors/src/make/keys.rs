//! Keys whose signatures are the same each time. Every one comes from one byte: they are as public as can be.

use ed448_goldilocks::SigningKey as Ed448;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use pki_types::{AlgorithmIdentifier, alg_id};
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::{der, rsa};
use crate::format::credentials::KeyType;

pub(super) const P256: u16 = 0x0403;
pub(super) const P384: u16 = 0x0503;
pub(super) const P521: u16 = 0x0603;
pub(super) const ED25519: u16 = 0x0807;
pub(super) const ED448: u16 = 0x0808;
pub(super) const RSAE: [u16; 3] = [0x0804, 0x0805, 0x0806];
pub(super) const PSS: [u16; 3] = [0x0809, 0x080a, 0x080b];
pub(super) const PKCS1: u16 = 0x0401;
pub(super) const PKCS1_SHA1: u16 = 0x0201;
pub(super) const ECDSA_SHA1: u16 = 0x0203;

/// A key pair. All RSA keys are one, with one or the other identifier.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) kind: KeyType,
    /// The byte that its secret repeats.
    secret: u8,
}

impl Key {
    pub(super) const fn new(kind: KeyType, secret: u8) -> Self {
        Self { kind, secret }
    }

    /// The scheme that TLS 1.3 ties to such keys; of several the one with SHA-256.
    pub(super) fn scheme(self) -> u16 {
        match self.kind {
            KeyType::P256 => P256,
            KeyType::P384 => P384,
            KeyType::P521 => P521,
            KeyType::Ed25519 => ED25519,
            KeyType::Ed448 => ED448,
            KeyType::Rsa => RSAE[0],
            KeyType::RsaPss => PSS[0],
        }
    }

    /// The SubjectPublicKeyInfo.
    pub(super) fn spki(self) -> Vec<u8> {
        der::sequence(&[&self.identifier(), &der::bit_string(&self.public_bits())])
    }

    /// The private key in PKCS#8.
    pub(super) fn pkcs8(self) -> Vec<u8> {
        let secret = self.secret();
        let private = match self.kind {
            KeyType::Ed25519 | KeyType::Ed448 => der::octet_string(&secret),
            KeyType::P256 | KeyType::P384 | KeyType::P521 => {
                let public = der::tlv(0xa1, &[&der::bit_string(&self.public_bits())]);
                der::sequence(&[&[2, 1, 1], &der::octet_string(&secret), &public])
            }
            KeyType::Rsa | KeyType::RsaPss => secret,
        };
        let private = der::octet_string(&private);
        der::sequence(&[&[2, 1, 0], &self.identifier(), &private])
    }

    /// Signs as `scheme` says, with its hash, whether or not the scheme is for such a key.
    pub(super) fn sign(self, scheme: u16, message: &[u8]) -> Vec<u8> {
        let hash = hash_of(scheme);
        let prehash = digest(hash, message);
        let (secret, prehash) = (self.secret(), prehash.as_ref());
        match self.kind {
            KeyType::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
                let signature: p256::ecdsa::DerSignature = key.sign_prehash(prehash).unwrap();
                signature.as_bytes().to_vec()
            }
            KeyType::P384 => {
                let key = p384::ecdsa::SigningKey::from_slice(&secret).unwrap();
                let signature: p384::ecdsa::DerSignature = key.sign_prehash(prehash).unwrap();
                signature.as_bytes().to_vec()
            }
            KeyType::P521 => {
                let key = p521::ecdsa::SigningKey::from_slice(&secret).unwrap();
                let signature: p521::ecdsa::DerSignature = key.sign_prehash(prehash).unwrap();
                signature.as_bytes().to_vec()
            }
            KeyType::Ed25519 => self.ed25519().sign(message).as_ref().to_vec(),
            KeyType::Ed448 => self.ed448().sign_raw(message).to_bytes().to_vec(),
            KeyType::Rsa | KeyType::RsaPss => rsa::sign_pss(hash, hash.output_len(), message),
        }
    }

    fn secret(self) -> Vec<u8> {
        match self.kind {
            KeyType::P256 | KeyType::Ed25519 => vec![self.secret; 32],
            KeyType::P384 => vec![self.secret; 48],
            // The order of the curve has 521 bits.
            KeyType::P521 => [&[0], &[self.secret; 65][..]].concat(),
            KeyType::Ed448 => vec![self.secret; 57],
            KeyType::Rsa | KeyType::RsaPss => rsa::private_key().to_vec(),
        }
    }

    fn public_bits(self) -> Vec<u8> {
        let secret = self.secret();
        match self.kind {
            KeyType::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
            }
            KeyType::P384 => {
                let key = p384::ecdsa::SigningKey::from_slice(&secret).unwrap();
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
            }
            KeyType::P521 => {
                let key = p521::ecdsa::SigningKey::from_slice(&secret).unwrap();
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
            }
            KeyType::Ed25519 => self.ed25519().public_key().as_ref().to_vec(),
            KeyType::Ed448 => self.ed448().verifying_key().to_bytes().to_vec(),
            KeyType::Rsa | KeyType::RsaPss => rsa::public_key(),
        }
    }

    fn ed25519(self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&self.secret()).unwrap()
    }

    fn ed448(self) -> Ed448 {
        Ed448::try_from(&self.secret()[..]).unwrap()
    }

    /// The AlgorithmIdentifier of keys of this type.
    fn identifier(self) -> Vec<u8> {
        let contents: AlgorithmIdentifier = match self.kind {
            KeyType::P256 => alg_id::ECDSA_P256,
            KeyType::P384 => alg_id::ECDSA_P384,
            KeyType::P521 => alg_id::ECDSA_P521,
            KeyType::Ed25519 => alg_id::ED25519,
            KeyType::Ed448 => alg_id::ED448,
            KeyType::Rsa => alg_id::RSA_ENCRYPTION,
            KeyType::RsaPss => alg_id::RSA_PSS_SHA256,
        };
        der::sequence(&[contents.as_ref()])
    }
}

fn hash_of(scheme: u16) -> &'static Algorithm {
    match scheme {
        P384 | 0x0805 | 0x080a => &SHA384,
        P521 | 0x0806 | 0x080b => &SHA512,
        _ => &SHA256,
    }
}

/// The device of most vectors, and others with keys of every type.
pub(super) const DEVICE: Key = Key::new(KeyType::Ed25519, 0xdc);
pub(super) const OTHER_DEVICE: Key = Key::new(KeyType::Ed25519, 0xdb);
pub(super) const ROOT: Key = Key::new(KeyType::Ed25519, 0xc0);
pub(super) const INTERMEDIATE: Key = Key::new(KeyType::Ed25519, 0xc1);

/// A device's key of this type.
pub(super) const fn device(kind: KeyType) -> Key {
    Key::new(kind, 0xdc)
}

/// A delegation certificate's key of this type.
pub(super) const fn delegation(kind: KeyType) -> Key {
    Key::new(kind, 0xde)
}
