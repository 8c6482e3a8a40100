//! The published test vectors of named delegated credentials: their format, how they are made, and a second verifier,
//! written from the specification alone, in which one rule at a time is broken to see that the vectors notice.

pub mod fault;
pub mod format;
pub mod make;
pub mod mutants;
pub mod published;
pub mod reference;
