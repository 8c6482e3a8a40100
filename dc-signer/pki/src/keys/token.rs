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
mod signature;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use dc_core::{SignatureScheme, Signer};

use self::failed::failed;
use self::fault::Fault;
pub(super) use self::list::list;
pub(super) use self::make::{generate, import};
use self::module::{InToken, Module};
use super::key::Key;
use super::unlock::Unlock;
use crate::error::Error;
use crate::signing::{KeyFault, KeyLocation};
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// A key in a token, with a session for each thread that signs at the same time.
struct TokenKey {
    module: Module,
    spki: Vec<u8>,
    scheme: rustls::SignatureScheme,
    /// Those that no thread is signing with.
    idle: Mutex<Vec<InToken>>,
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
        let module = Module::load(uri, unlock)?;
        let within = module.enter()?;
        let spki = module.run(&within, attributes::spki).unwrap_or_else(gone)?;
        let scheme = super::scheme(&spki).ok_or(TokenFault::Type)?;
        Ok(Self {
            module,
            spki,
            scheme,
            idle: Mutex::new(vec![within]),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<InToken>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works in a session of this thread's; in a new one if that fails, because none of those that were open before may be good
    /// any more, nor the login.
    fn work<T>(&self, work: impl Fn(&Session, ObjectHandle) -> Outcome<T>) -> Outcome<T> {
        let idle = self.idle().pop();
        if let Some(idle) = idle {
            match self.work_in(idle, &work) {
                Ok(done) => return Ok(done),
                Err(_) => self.forget(),
            }
        }
        self.work_in(self.enter()?, &work)
    }

    /// Works in a session, which is kept for the next time unless it is broken.
    fn work_in<T>(
        &self,
        within: InToken,
        work: impl Fn(&Session, ObjectHandle) -> Outcome<T>,
    ) -> Outcome<T> {
        let done = self.module.run(&within, work).unwrap_or_else(gone);
        match done {
            Ok(_) => self.idle().push(within),
            Err(_) => self.module.leave(within),
        }
        done
    }

    /// Says whether the key that a session has is still this one.
    fn is_same(&self, session: &Session, key: ObjectHandle) -> Outcome<()> {
        // The token may have been exchanged for one of the same name.
        match attributes::spki(session, key)? == self.spki {
            true => Ok(()),
            false => Err(TokenFault::NoKey),
        }
    }

    /// A session of its own for this thread.
    fn enter(&self) -> Result<InToken, TokenFault> {
        let within = self.module.enter().map_err(|fault| match fault {
            Fault::Secret(_) => TokenFault::NoPin,
            Fault::Token(fault) => fault,
        })?;
        let same = self
            .module
            .run(&within, |session, key| self.is_same(session, key));
        match same.unwrap_or_else(gone) {
            Ok(()) => Ok(within),
            Err(fault) => {
                self.module.leave(within);
                Err(fault)
            }
        }
    }

    /// Ends the sessions that nobody signs with.
    fn forget(&self) {
        let idle: Vec<_> = self.idle().drain(..).collect();
        for within in idle {
            self.module.leave(within);
        }
    }
}

/// The module was begun anew while a session was opened: the next one will do.
fn gone<T>() -> Outcome<T> {
    Err(TokenFault::Away)
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
            module: _,
            spki: _,
            scheme,
            idle: _,
        } = self;
        f.debug_struct("TokenKey")
            .field("scheme", scheme)
            .finish_non_exhaustive()
    }
}

impl Drop for TokenKey {
    fn drop(&mut self) {
        self.forget();
    }
}

type Outcome<T> = Result<T, TokenFault>;

#[cfg(test)]
mod tests;
