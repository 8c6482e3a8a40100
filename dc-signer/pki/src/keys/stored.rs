//! Tokens (PKCS#11) and the keys in them, as they tell of themselves.

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
    /// The step that is needed before it can be used, if any is.
    pub state: TokenState,
    /// The private keys that were seen: all of them if somebody was logged in, otherwise those that everybody may see.
    pub keys: Vec<StoredKey>,
}

/// The step that is needed before a token can be used.
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
