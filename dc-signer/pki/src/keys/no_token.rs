//! In a build that uses no tokens.

use std::path::Path;

use pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::key::Key;
use super::secret_key_error::SecretKeyError;
use super::stored::{KeyType, Token};
use super::unlock::Unlock;
use crate::error::Error;
use crate::signing::KeyLocation;
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// Refuses a key in a token.
pub(super) fn open(uri: &TokenUri, _unlock: &Unlock) -> Result<Box<dyn Key>, Error> {
    Err(not_built(uri))
}

/// Makes none.
pub(super) fn generate(uri: &TokenUri, _kind: KeyType, _unlock: &Unlock) -> Result<Vec<u8>, Error> {
    Err(not_built(uri))
}

/// Takes none.
pub(super) fn import(
    uri: &TokenUri,
    _key: &PrivateKeyDer<'_>,
    _unlock: &Unlock,
) -> Result<Vec<u8>, Error> {
    Err(not_built(uri))
}

/// Makes none.
pub(super) fn generate_secret(
    uri: &TokenUri,
    known_by: &[u8],
    unlock: &Unlock,
) -> Result<TokenSecret, SecretKeyError> {
    TokenSecret::open(uri, known_by, unlock)
}

/// Takes none.
pub(super) fn import_secret(
    uri: &TokenUri,
    _value: &[u8],
    known_by: &[u8],
    unlock: &Unlock,
) -> Result<TokenSecret, SecretKeyError> {
    TokenSecret::open(uri, known_by, unlock)
}

/// There is none.
#[derive(Debug)]
pub(super) enum TokenSecret {}

impl TokenSecret {
    /// Refuses one.
    pub(super) fn open(
        _uri: &TokenUri,
        _known_by: &[u8],
        _unlock: &Unlock,
    ) -> Result<Self, SecretKeyError> {
        Err(SecretKeyError::Token(TokenFault::NotBuilt))
    }

    pub(super) fn known_by(&self) -> &[u8; 32] {
        match *self {}
    }

    pub(super) fn mac(
        &self,
        _message: &[u8],
        _known_by: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, TokenFault> {
        match *self {}
    }
}

/// Shows none.
pub(super) fn list(
    module: &Path,
    _name: Option<&str>,
    _unlock: Option<&Unlock>,
) -> Result<Vec<Token>, Error> {
    Err(Error::TokenModule {
        module: module.into(),
        fault: TokenFault::NotBuilt,
    })
}

fn not_built(uri: &TokenUri) -> Error {
    Error::Token {
        key: KeyLocation::Token(Box::new(uri.clone())),
        fault: TokenFault::NotBuilt,
    }
}
