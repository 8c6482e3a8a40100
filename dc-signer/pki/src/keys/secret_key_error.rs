//! The reasons that a secret key in a token is not opened.

use crate::secret::SecretError;
use crate::token_fault::TokenFault;

/// A secret key in a token was not opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SecretKeyError {
    /// Its PIN was not read.
    #[error(transparent)]
    Pin(SecretError),
    /// The token has not given it.
    #[error(transparent)]
    Token(TokenFault),
}
