//! Errors of sealing.

use super::key_id::KeyId;
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
        "it is sealed with the key-encryption key {sealed_with}, and what is given is {}: give that key, or seal anew where it is known",
        ids(given)
    )]
    OtherKey {
        /// The key that it is sealed with.
        sealed_with: KeyId,
        /// The keys that are given.
        given: Vec<KeyId>,
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
