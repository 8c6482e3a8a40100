#![doc = include_str!("../README.md")]

mod base64;
mod checkpoint;
mod cosignature;
mod error;
mod key;
mod named_key;
mod note;
mod proof;
mod proven;
mod signature;
mod signer;
#[cfg(test)]
mod testing;
mod tree;
mod witness;

pub use checkpoint::Checkpoint;
pub use cosignature::WitnessKey;
pub use error::Error;
pub use key::{SigningKey, VerifyingKey};
pub use note::Note;
pub use proof::{consistency_ranges, inclusion_ranges, verify_consistency, verify_inclusion};
pub use proven::Proven;
pub use signature::Signature;
pub use signer::{CheckpointSigner, Growth};
pub use tree::{Frontier, Hash};
pub use witness::WitnessRequest;
