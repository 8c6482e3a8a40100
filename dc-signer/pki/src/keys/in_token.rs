//! Making a key in a token (PKCS#11), putting one into it, and looking at what is there.

use std::path::Path;

use pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::secret_key_error::SecretKeyError;
use super::stored::{KeyType, Token};
use super::token;
use super::unlock::Unlock;
use crate::error::Error;
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// Makes a key in a token, which it cannot leave, under the name that a URI gives it, and signs with it once; returns its public half, a DER
/// SubjectPublicKeyInfo.
///
/// Fails with [`Error::Token`], also if there is a key of that name, and with [`Error::Secret`].
pub fn generate_in_token(uri: &TokenUri, kind: KeyType, unlock: &Unlock) -> Result<Vec<u8>, Error> {
    token::generate(uri, kind, unlock)
}

/// Puts a key into a token, which it cannot leave from then on, and signs with it once; returns its public half, a DER SubjectPublicKeyInfo.
///
/// Wherever the key was before, it may still be. Fails as [`generate_in_token`] does, and with
/// [`TokenFault::Type`](super::TokenFault::Type) if it is no key that can sign here.
pub fn import_into_token(
    uri: &TokenUri,
    key: &PrivateKeyDer<'_>,
    unlock: &Unlock,
) -> Result<Vec<u8>, Error> {
    token::import(uri, key, unlock)
}

/// A secret key in a token, which cannot leave it: MACs are made with it (HMAC-SHA-256).
#[derive(Debug)]
pub struct SecretKey {
    key: token::TokenSecret,
    uri: TokenUri,
    known_by: &'static [u8],
}

impl SecretKey {
    /// Opens the key of a URI, which has to be one that cannot leave its token. Whenever the token was away it has to make the same MAC
    /// of `known_by` as now.
    ///
    /// Fails with [`SecretKeyError`].
    pub fn open(
        uri: &TokenUri,
        known_by: &'static [u8],
        unlock: &Unlock,
    ) -> Result<Self, SecretKeyError> {
        token::TokenSecret::open(uri, known_by, unlock).map(|key| Self::new(key, uri, known_by))
    }

    /// Makes a key in a token, which it cannot leave, under the name that a URI gives it, and opens it.
    ///
    /// Fails with [`SecretKeyError`], also if there is a secret key of that name.
    pub fn generate(
        uri: &TokenUri,
        known_by: &'static [u8],
        unlock: &Unlock,
    ) -> Result<Self, SecretKeyError> {
        token::generate_secret(uri, known_by, unlock).map(|key| Self::new(key, uri, known_by))
    }

    /// Puts a key into a token, which that copy of it cannot leave, and opens it.
    ///
    /// Fails as [`generate`](Self::generate) does.
    pub fn import(
        uri: &TokenUri,
        value: &[u8],
        known_by: &'static [u8],
        unlock: &Unlock,
    ) -> Result<Self, SecretKeyError> {
        token::import_secret(uri, value, known_by, unlock).map(|key| Self::new(key, uri, known_by))
    }

    fn new(key: token::TokenSecret, uri: &TokenUri, known_by: &'static [u8]) -> Self {
        let uri = uri.clone();
        Self { key, uri, known_by }
    }

    /// The MAC of what it is known by.
    #[must_use]
    pub fn known_by(&self) -> &[u8; 32] {
        self.key.known_by()
    }

    /// The MAC of a message, which takes as long as the token does.
    ///
    /// Fails with [`TokenFault`].
    pub fn mac(&self, message: &[u8]) -> Result<Zeroizing<[u8; 32]>, TokenFault> {
        self.key.mac(message, self.known_by)
    }

    /// The name of the key.
    #[must_use]
    pub fn uri(&self) -> &TokenUri {
        &self.uri
    }
}

/// The tokens of a module, or the one of a name, with their keys; logs in if `unlock` is given, which takes the name of a token.
///
/// Fails with [`Error::TokenModule`], also if there is no token of that name or several are, and with [`Error::Secret`].
pub fn list_tokens(
    module: &Path,
    name: Option<&str>,
    unlock: Option<&Unlock>,
) -> Result<Vec<Token>, Error> {
    token::list(module, name, unlock)
}
