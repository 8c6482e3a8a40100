//! What tokens (PKCS#11) tell of themselves and of their keys.

use std::path::Path;

use pki_types::PrivateKeyDer;

use super::token;
use super::unlock::Unlock;
use crate::error::Error;
use crate::token_uri::TokenUri;

/// A type of key that can sign credentials.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyType {
    /// ECDSA with P-256.
    P256,
    /// ECDSA with P-384.
    P384,
    /// Ed25519, which public CAs do not take.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
}

/// A token, as its module tells of it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Token {
    /// Its name; empty if it was never initialised.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Its maker's name for this kind of token.
    pub model: String,
    /// What has to be done before it can be used, if anything.
    pub state: TokenState,
    /// The private keys that were seen: all of them if somebody was logged in, otherwise those that everybody may see.
    pub keys: Vec<StoredKey>,
}

/// What has to be done before a token can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TokenState {
    /// Nothing.
    Usable,
    /// It has to be initialised, and gets its name by that.
    NotInitialised,
    /// Its security officer has to set a PIN for its user.
    NoUserPin,
    /// Its security officer has to set another PIN for its user.
    PinLocked,
    /// The right PIN has to be given next: a wrong one locks it.
    LastTry,
    /// Nothing, but a wrong PIN was given since the last right one.
    FewTries,
}

/// A private key in a token.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoredKey {
    /// Its name (`CKA_LABEL`), with other bytes than UTF-8 replaced.
    pub label: String,
    /// Its number (`CKA_ID`).
    pub id: Vec<u8>,
    /// Its public half, a DER SubjectPublicKeyInfo, if that is beside it and of a type that can sign here.
    pub spki: Option<Vec<u8>>,
    /// It can leave the token (`CKA_EXTRACTABLE`), if the token says so.
    pub extractable: Option<bool>,
    /// It was made in the token and could never leave it (`CKA_LOCAL`, `CKA_NEVER_EXTRACTABLE`), if the token says so.
    pub always_inside: Option<bool>,
    /// Its URI, as `key.uri` may have it, without the place of the PIN.
    pub uri: Option<TokenUri>,
}

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
