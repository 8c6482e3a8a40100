//! A private key in a token (PKCS#11), which signs in there and is never seen here.

mod attributes;
mod failed;
mod library;
mod module;
mod signature;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::session::Session;
use dc_core::{SignatureScheme, Signer};

use self::failed::failed;
use self::module::{Fault, InToken, Module};
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
    let opened = TokenKey::open(uri, unlock);
    let key = opened.map_err(|fault| match fault {
        Fault::Secret(error) => Error::Secret(error),
        Fault::Token(fault) => Error::Token {
            key: KeyLocation::Token(Box::new(uri.clone())),
            fault,
        },
    })?;
    Ok(Box::new(key))
}

impl TokenKey {
    fn open(uri: &TokenUri, unlock: &Unlock) -> Result<Self, Fault> {
        let module = Module::load(uri, unlock)?;
        let within = module.enter()?;
        let spki = module.run(&within, attributes::spki).unwrap_or(GONE)?;
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

    /// Signs in a session, which is kept for the next signature unless it is broken.
    fn sign_in(&self, within: InToken, message: &[u8]) -> Result<Vec<u8>, TokenFault> {
        let sign = |session: &Session, key| signature::sign(session, key, self.scheme, message);
        let signed = self.module.run(&within, sign).unwrap_or(GONE);
        match signed {
            Ok(_) => self.idle().push(within),
            Err(_) => self.module.leave(within),
        }
        signed
    }

    /// A session of its own for this thread.
    fn enter(&self) -> Result<InToken, TokenFault> {
        let within = self.module.enter().map_err(|fault| match fault {
            Fault::Secret(_) => TokenFault::NoPin,
            Fault::Token(fault) => fault,
        })?;
        // The token may have been exchanged for one of the same name.
        let spki = self.module.run(&within, attributes::spki).unwrap_or(GONE);
        match spki {
            Ok(spki) if spki == self.spki => Ok(within),
            other => {
                self.module.leave(within);
                other.and(Err(TokenFault::NoKey))
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

impl Signer for TokenKey {
    type Error = KeyFault;

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme(self.scheme.into())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let idle = self.idle().pop();
        if let Some(idle) = idle {
            match self.sign_in(idle, message) {
                Ok(signature) => return Ok(signature),
                // None of the sessions that were open before may be good any more, nor the login.
                Err(_) => self.forget(),
            }
        }
        let signed = self.enter().and_then(|new| self.sign_in(new, message));
        signed.map_err(|fault| KeyFault::Token { fault })
    }
}

impl Key for TokenKey {
    fn spki(&self) -> &[u8] {
        &self.spki
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

/// The module was begun anew while a session was opened: the next one will do.
const GONE: Result<Vec<u8>, TokenFault> = Err(TokenFault::Away);

#[cfg(test)]
mod tests;
