//! Errors of sealing.

use super::key_id::KeyId;
use super::kind::Kind;
use crate::keys::{TokenFault, TokenUri};
use crate::secret::SecretError;

/// A secret was not sealed, or not opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A key-encryption key is not as one is written.
    #[error(
        "the key-encryption key is not 64 hexadecimal digits: make one with 'openssl rand -hex 32', or give it as a passphrase"
    )]
    BadKey,
    /// The bytes are nothing that was sealed.
    #[error("these are no sealed bytes: restore them from a backup")]
    Malformed,
    /// Nobody has given the key that seals from now on.
    #[error("there is no next key-encryption key: give [secrets] next_key")]
    NoNextKey,
    /// It is sealed with another key than the ones that are given.
    #[error(
        "it is sealed with the key-encryption key {sealed_with}, and what is given is {}: give that key, or seal anew where it is known{}",
        ids(given),
        if *kind == Kind::Token { "; it is in a token, which may have been exchanged for one of the same name, or has another key of that name" } else { "" }
    )]
    OtherKey {
        /// The kind of that key.
        kind: Kind,
        /// The key that it is sealed with.
        sealed_with: KeyId,
        /// The keys that are given.
        given: Vec<KeyId>,
    },
    /// It is sealed with another kind of key than the ones that are given.
    #[error(
        "it is sealed with {sealed_with} ({key}), and what is given is {}: give that; but if everything was sealed with what is given, somebody has put other bytes in the place of these, so find out who can write the database",
        kinds(given)
    )]
    OtherKind {
        /// The kind that it is sealed with.
        sealed_with: Kind,
        /// The key's id, as the bytes say.
        key: KeyId,
        /// The kinds that are given.
        given: Vec<Kind>,
    },
    /// The machine has no random numbers.
    #[error("the machine has no random numbers")]
    Randomness,
    /// The key or passphrase cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A passphrase is too easy to guess.
    #[error("the passphrase has less than {min} bytes: make it longer")]
    ShortPassphrase {
        /// The fewest bytes of one.
        min: usize,
    },
    /// The key in a token cannot be used.
    #[error("{key}: {fault}")]
    Token {
        /// The name of the key.
        key: Box<TokenUri>,
        /// The reason.
        fault: TokenFault,
    },
    /// It was sealed with this key, and is not what was sealed: changed, or of another place.
    #[error(
        "the sealed bytes are not those of {what}, version {version}: they were changed or swapped; restore them from a backup, and find out who can write the database"
    )]
    Tampered {
        /// The thing that they were to be.
        what: String,
        /// The version that they were to be.
        version: u32,
    },
}

impl SealError {
    /// True if the same may work later without anybody's doing anything here.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Token { fault, .. } => fault.is_temporary(),
            Self::BadKey
            | Self::Malformed
            | Self::NoNextKey
            | Self::OtherKey { .. }
            | Self::OtherKind { .. }
            | Self::Randomness
            | Self::Secret(_)
            | Self::ShortPassphrase { .. }
            | Self::Tampered { .. } => false,
        }
    }
}

fn kinds(given: &[Kind]) -> String {
    let given: Vec<_> = given.iter().map(Kind::to_string).collect();
    given.join(" and ")
}

fn ids(given: &[KeyId]) -> String {
    match given {
        [] => "none".to_owned(),
        some => some
            .iter()
            .map(KeyId::to_string)
            .collect::<Vec<_>>()
            .join(" and "),
    }
}
