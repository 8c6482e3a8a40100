//! Errors of trees, proofs, notes and checkpoints.

/// Something is wrong with a tree, a proof, a note or a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A checkpoint is not three lines of origin, size and root, with non-empty lines behind them.
    #[error(
        "a checkpoint is an origin, a size in decimal and a root of 32 bytes in base64, each on a line"
    )]
    BadCheckpoint,
    /// The state of a frontier is not of a tree of this size.
    #[error("a tree of {size} records is kept as {expected} hashes, not as {found}")]
    BadFrontier {
        /// The size of the tree.
        size: u64,
        /// How many hashes its frontier has.
        expected: u32,
        /// How many there were.
        found: usize,
    },
    /// A key's name is empty, or has a space, a plus sign or a control character.
    #[error("a key's name has no spaces, plus signs or control characters, and is not empty")]
    BadKeyName,
    /// A note is not text, an empty line, and lines of signatures.
    #[error("a signed note is lines of text, an empty line, and one to {max} lines of signatures")]
    BadNote {
        /// The most signatures.
        max: usize,
    },
    /// A text is not a proof in the form of C2SP `tlog-proof`.
    #[error(
        "a proof is a line that says its version, a line with an index, hashes in base64, an empty line and a checkpoint"
    )]
    BadProof,
    /// A key for signing is not 32 bytes that Ed25519 can use.
    #[error("a key for signing is a seed of Ed25519, which has 32 bytes")]
    BadSigningKey,
    /// A request to a witness is not an old size, hashes in base64, an empty line and a checkpoint.
    #[error(
        "a request to a witness is a line with the old size, at most {max} hashes in base64, an empty line and a checkpoint"
    )]
    BadWitnessRequest {
        /// The most hashes.
        max: usize,
    },
    /// A key for verifying is not written as `name+id+key` with the id that belongs to it.
    #[error(
        "a key for verifying is written as name+id+key, with the id that its name and key have"
    )]
    BadVerifyingKey,
    /// The proof does not show that the record is in the tree.
    #[error("the proof does not show that record {index} is in the tree of {size} records")]
    NotIncluded {
        /// The record's index, from 0.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// None of the note's signatures is by the key.
    #[error("the note has no signature by {name}")]
    NotSigned {
        /// The key's name.
        name: String,
    },
    /// A place is not in the tree.
    #[error("{index} is beyond a tree of {size} records")]
    OutOfTree {
        /// The index, or the smaller size.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The proof does not show that the larger tree begins with the smaller one.
    #[error("the proof does not show that the tree of {new} records begins with the one of {old}")]
    Rewritten {
        /// The size of the smaller tree.
        old: u64,
        /// The size of the larger tree.
        new: u64,
    },
    /// The key of the log was not used: its holder did not sign.
    #[error("the key of the log does not sign: {reason}")]
    SignerFailed {
        /// Its words.
        reason: String,
    },
    /// The holder of the log's key has signed for another log, and signs nothing for this one.
    #[error("the key of the log is not used for this log: {reason}")]
    SignerRefused {
        /// Its words.
        reason: String,
    },
    /// A subtree of this height does not fit behind so many records.
    #[error("no subtree of 2^{height} records can stand behind {size}")]
    Unaligned {
        /// The height of the subtree.
        height: u32,
        /// The records before it.
        size: u64,
    },
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log {found}, not of {expected}")]
    WrongOrigin {
        /// The log that was asked for.
        expected: String,
        /// The log that it is of.
        found: String,
    },
    /// A signature that says it is by the key is not.
    #[error("a signature by {name} is wrong")]
    WrongSignature {
        /// The key's name.
        name: String,
    },
}
