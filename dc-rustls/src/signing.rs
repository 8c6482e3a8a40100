//! `rustls::sign::SigningKey`: a credential's key, which signs in exactly one way.

use std::sync::Arc;

use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

/// Signs with the credential's `dc_cert_verify_algorithm`, whatever rustls offers to it.
///
/// rustls offers the peer's signature_algorithms, but what counts is the list of the credential
/// extension (RFC 9345 §4.1.1 and §4.1.2), which was looked at before this key was picked.
#[derive(Debug)]
pub(crate) struct CredentialKey {
    pub(crate) inner: Arc<dyn SigningKey>,
    pub(crate) scheme: SignatureScheme,
}

impl SigningKey for CredentialKey {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.inner.choose_scheme(&[self.scheme])
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.inner.algorithm()
    }
}
