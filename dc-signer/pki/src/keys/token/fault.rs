//! The reasons that there is no session in a token.

use super::super::secret_key_error::SecretKeyError;
use crate::secret::SecretError;
use crate::token_fault::TokenFault;

/// The reason that there is no session.
pub(super) enum Fault {
    Secret(SecretError),
    Token(TokenFault),
}

impl From<TokenFault> for Fault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

impl From<Fault> for SecretKeyError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Secret(error) => Self::Pin(error),
            Fault::Token(fault) => Self::Token(fault),
        }
    }
}
