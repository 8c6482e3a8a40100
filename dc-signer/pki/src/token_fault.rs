//! The reasons that a key in a token (PKCS#11) is not there or does not sign.

use std::fmt;

/// The reason that a key in a token is not there or does not sign.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// The token is not there now.
    #[error(
        "its token is not there: plug it in, or start what it is reached through; one that was never initialised has no name yet, see 'dc-signer keys list'"
    )]
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
    /// The token cannot do what the key is for.
    #[error("its token has no {mechanism}: take another type of key, or another token")]
    Mechanism {
        /// PKCS#11's name of it.
        mechanism: &'static str,
    },
    /// The module cannot be loaded.
    #[error("its module cannot be loaded: {why}: check module-path")]
    Module {
        /// The system's reason.
        why: String,
    },
    /// The token has no such key.
    #[error(
        "its token has no such key: check object and id, with 'pkcs11-tool --login --list-objects'"
    )]
    NoKey,
    /// Nobody has said where the PIN is.
    #[error(
        "its token wants a PIN: add pin-source to the URI, or say where it is (--pin-file and others; keys.passphrase in a configuration)"
    )]
    NoPin,
    /// The token has no user PIN yet.
    #[error(
        "its token has no user PIN yet: set one as its security officer, with 'pkcs11-tool --init-pin'"
    )]
    NoUserPin,
    /// There is no public key beside the private one.
    #[error("its token has no public key beside it, with the same id: put it there")]
    NoPublicKey,
    /// It cannot be sealed with safely.
    #[error("it is no key to seal with: {why}: make one with 'dc-signer secrets make-key'")]
    NotSealing {
        /// The reason.
        why: &'static str,
    },
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
        "the PIN of its token is wrong, and is not tried again, so that it is not locked{tries}: put the right one there, or give another place to take it from"
    )]
    PinWrong {
        /// The tries that are left.
        tries: Tries,
    },
    /// The token lets nothing be written, or has no room.
    #[error("nothing can be put into its token: {why}")]
    ReadOnly {
        /// The reason, with what to do.
        why: &'static str,
    },
    /// More than one key fits, or token.
    #[error("more than one {what} fits: say more of it in the URI")]
    Several {
        /// A token or a key.
        what: &'static str,
    },
    /// The token has such a key already.
    #[error("its token has a key of this name: keys are never overwritten, so give another object")]
    Taken,
    /// The key is of another type than can sign here.
    #[error(
        "it is no key that can sign here: use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more"
    )]
    Type,
}

/// The tries of a PIN that a token has left, as far as it says so.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Tries {
    /// It does not say.
    #[default]
    Unsaid,
    /// A wrong one was given since the last right one (`CKF_USER_PIN_COUNT_LOW`).
    Few,
    /// The next wrong one locks it (`CKF_USER_PIN_FINAL_TRY`).
    One,
}

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsaid => "",
            Self::Few => " (the token says that few tries are left)",
            Self::One => " (the token says that the next wrong one locks it)",
        })
    }
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
