//! The reasons that a key in a token (PKCS#11) is not there or does not sign.

/// The reason that a key in a token is not there or does not sign.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// The token is not there now.
    #[error("its token is not there: plug it in, or start what it is reached through")]
    Away,
    /// The module did not do something that it was asked for.
    #[error("{call} failed: {code}")]
    Call {
        /// PKCS#11's function.
        call: String,
        /// PKCS#11's return value.
        code: String,
        /// The same may work later: the device is gone, or busy.
        is_temporary: bool,
    },
    /// One more wrong PIN would lock the token.
    #[error(
        "one more wrong PIN would lock its token, so none is tried: log in once by hand, with 'pkcs11-tool --login --test'"
    )]
    LastTry,
    /// The module cannot be loaded.
    #[error("its module cannot be loaded: {why}: check module-path")]
    Module {
        /// The system's reason.
        why: String,
    },
    /// The token has no such private key.
    #[error(
        "its token has no such private key: check object and id, with 'pkcs11-tool --login --list-objects'"
    )]
    NoKey,
    /// Nobody has said where the PIN is.
    #[error("its token wants a PIN: add pin-source to the URI")]
    NoPin,
    /// There is no public key beside the private one.
    #[error("its token has no public key beside it, with the same id: put it there")]
    NoPublicKey,
    /// This program was built without PKCS#11.
    #[error("this build uses no tokens: install with --features pkcs11")]
    NotBuilt,
    /// The PIN is locked.
    #[error(
        "the PIN of its token is locked: set a new one as its security officer, with 'pkcs11-tool --init-pin'"
    )]
    PinLocked,
    /// The PIN is wrong.
    #[error(
        "the PIN of its token is wrong, and is not tried again, so that it is not locked: put the right one there, and start anew"
    )]
    PinWrong,
    /// More than one key fits, or token.
    #[error("more than one {what} fits: say more of it in the URI")]
    Several {
        /// A token or a key.
        what: &'static str,
    },
    /// The key is of another type than can sign here.
    #[error(
        "it is no key that can sign here: use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more"
    )]
    Type,
}

impl TokenFault {
    /// True if the same key may sign later without anybody's doing anything here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Call { is_temporary, .. } => *is_temporary,
            _ => false,
        }
    }
}
