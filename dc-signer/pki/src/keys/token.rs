//! A private key in a token (PKCS#11), which signs in there and is never seen here.

mod attributes;
mod failed;
mod fault;
mod library;
mod list;
mod login;
mod make;
mod module;
mod private;
mod secret;
mod sessions;
mod signature;

use std::fmt;

use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use dc_core::{SignatureScheme, Signer};

use self::failed::failed;
use self::fault::Fault;
pub(super) use self::list::list;
pub(super) use self::make::{generate, generate_secret, import, import_secret};
use self::module::Module;
pub(super) use self::secret::TokenSecret;
use self::sessions::{Sessions, gone};
use super::key::Key;
use super::unlock::Unlock;
use crate::error::Error;
use crate::signing::{KeyFault, KeyLocation};
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// A key in a token, with a session for each thread that signs at the same time.
struct TokenKey {
    sessions: Sessions,
    spki: Vec<u8>,
    scheme: rustls::SignatureScheme,
}

/// Opens a key in a token.
pub(super) fn open(uri: &TokenUri, unlock: &Unlock) -> Result<Box<dyn Key>, Error> {
    let key = TokenKey::open(uri, unlock).map_err(|fault| at(uri, fault))?;
    Ok(Box::new(key))
}

/// The error about a key.
fn at(uri: &TokenUri, fault: Fault) -> Error {
    match fault {
        Fault::Secret(error) => Error::Secret(error),
        Fault::Token(fault) => Error::Token {
            key: KeyLocation::Token(Box::new(uri.clone())),
            fault,
        },
    }
}

impl TokenKey {
    fn open(uri: &TokenUri, unlock: &Unlock) -> Result<Self, Fault> {
        let module = Module::load(uri, ObjectClass::PRIVATE_KEY, unlock)?;
        let within = module.enter()?;
        let spki = module.run(&within, attributes::spki).unwrap_or_else(gone)?;
        let scheme = super::scheme(&spki).ok_or(TokenFault::Type)?;
        Ok(Self {
            sessions: Sessions::new(module, within),
            spki,
            scheme,
        })
    }

    fn work<T>(&self, work: impl Fn(&Session, ObjectHandle) -> Outcome<T>) -> Outcome<T> {
        let is_same = |session: &Session, key| self.is_same(session, key);
        self.sessions.work(is_same, work)
    }

    /// Says whether the key that a session has is still this one.
    fn is_same(&self, session: &Session, key: ObjectHandle) -> Outcome<()> {
        // The token may have been exchanged for one of the same name.
        match attributes::spki(session, key)? == self.spki {
            true => Ok(()),
            false => Err(TokenFault::NoKey),
        }
    }
}

impl Signer for TokenKey {
    type Error = KeyFault;

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme(self.scheme.into())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let scheme = self.scheme;
        let signed = self.work(|session, key| signature::sign(session, key, scheme, message));
        signed.map_err(|fault| KeyFault::Token { fault })
    }
}

impl Key for TokenKey {
    fn spki(&self) -> &[u8] {
        &self.spki
    }

    fn check(&self) -> Result<(), KeyFault> {
        let checked = self.work(|session, key| self.is_same(session, key));
        checked.map_err(|fault| KeyFault::Token { fault })
    }

    fn sign_request(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let scheme = match self.scheme {
            rustls::SignatureScheme::RSA_PSS_SHA256 => rustls::SignatureScheme::RSA_PKCS1_SHA256,
            scheme => scheme,
        };
        let signed = self.work(|session, key| signature::sign(session, key, scheme, message));
        signed.map_err(|fault| KeyFault::Token { fault })
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sessions: _,
            spki: _,
            scheme,
        } = self;
        f.debug_struct("TokenKey")
            .field("scheme", scheme)
            .finish_non_exhaustive()
    }
}

type Outcome<T> = Result<T, TokenFault>;

#[cfg(test)]
mod tests;
