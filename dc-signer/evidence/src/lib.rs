#![doc = include_str!("../README.md")]

mod checkpoint;
mod error;
mod key;
mod note;
mod proof;
mod proven;
mod signature;
#[cfg(test)]
mod testing;
mod tree;

pub use checkpoint::Checkpoint;
pub use error::Error;
pub use key::{SigningKey, VerifyingKey};
pub use note::Note;
pub use proof::{consistency_ranges, inclusion_ranges, verify_consistency, verify_inclusion};
pub use proven::Proven;
pub use signature::Signature;
pub use tree::{Frontier, Hash};
