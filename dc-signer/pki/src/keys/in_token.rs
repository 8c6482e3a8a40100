//! Making a key in a token (PKCS#11), putting one into it, and looking at what is there.

use std::path::Path;

use pki_types::PrivateKeyDer;

use super::stored::{KeyType, Token};
use super::token;
use super::unlock::Unlock;
use crate::error::Error;
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
