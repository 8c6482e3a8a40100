//! Signs CertificateVerify as a vector's end does, right or wrong, over the transcript of a real handshake.

use std::sync::Arc;

use dc_vectors::format::Role;
use dc_vectors::format::handshakes::CertificateVerify;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::backend;

/// The key that signs, and what it signs and says.
#[derive(Clone, Debug)]
pub(super) struct Forger {
    key: Arc<dyn SigningKey>,
    scheme: SignatureScheme,
    role: Role,
    signs: Signs,
}

#[derive(Clone, Debug)]
enum Signs {
    /// The transcript, in its own role.
    Transcript,
    /// The transcript, in the other.
    AsOther,
    /// Nothing: this signature is of something else.
    SomethingElse(Vec<u8>),
}

impl Forger {
    pub(super) fn new(role: Role, vector: &CertificateVerify) -> Self {
        let key = PrivateKeyDer::Pkcs8(vector.private_key.0.clone().into());
        let mut forger = Self {
            key: backend()
                .provider()
                .key_provider
                .load_private_key(key)
                .unwrap(),
            scheme: vector.scheme.into(),
            role,
            signs: Signs::Transcript,
        };
        // Ed25519 is deterministic, so that the vector's signature tells what was signed.
        if forger.algorithm() == SignatureAlgorithm::ED25519 && !vector.signature.0.is_empty() {
            let message = message(role, &vector.transcript_hash.0);
            let choices = [Signs::Transcript, Signs::AsOther];
            let found = choices.into_iter().find(|signs| {
                forger.signs = signs.clone();
                forger.sign(&message).unwrap() == vector.signature.0
            });
            let other = || Signs::SomethingElse(vector.signature.0.clone());
            forger.signs = found.unwrap_or_else(other);
        }
        forger
    }

    /// In the scheme that it says, if the key can, else in one of its own.
    fn signer(&self) -> Box<dyn Signer> {
        let fits = self.key.choose_scheme(&[self.scheme]);
        fits.or_else(|| self.key.choose_scheme(SCHEMES)).unwrap()
    }
}

/// What an end signs (RFC 8446 §4.4.3).
fn message(role: Role, transcript_hash: &[u8]) -> Vec<u8> {
    [&[b' '; SPACES][..], context(role), b"\0", transcript_hash].concat()
}

/// Both are of one length.
fn context(role: Role) -> &'static [u8] {
    match role {
        Role::Server => b"TLS 1.3, server CertificateVerify",
        Role::Client => b"TLS 1.3, client CertificateVerify",
    }
}

impl SigningKey for Forger {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl Signer for Forger {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        match &self.signs {
            Signs::Transcript => self.signer().sign(message),
            Signs::AsOther => {
                let other = context(match self.role {
                    Role::Server => Role::Client,
                    Role::Client => Role::Server,
                });
                let rest = &message[SPACES + other.len()..];
                self.signer()
                    .sign(&[&message[..SPACES], other, rest].concat())
            }
            Signs::SomethingElse(signature) => Ok(signature.clone()),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

const SPACES: usize = 64;
const SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
];
