//! Delegation certificates that are ordered from a CA, rather than brought by a person.

pub mod acme;
pub mod command;
pub mod ordering;
mod program;
pub mod returned;
pub mod plan;
pub mod schedule;
pub mod source;

#[cfg(test)]
mod testing;
