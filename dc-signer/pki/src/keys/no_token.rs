//! In a build that uses no tokens.

use super::key::Key;
use super::unlock::Unlock;
use crate::error::Error;
use crate::signing::KeyLocation;
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// Refuses a key in a token.
pub(super) fn open(uri: &TokenUri, _unlock: &Unlock) -> Result<Box<dyn Key>, Error> {
    Err(Error::Token {
        key: KeyLocation::Token(Box::new(uri.clone())),
        fault: TokenFault::NotBuilt,
    })
}
