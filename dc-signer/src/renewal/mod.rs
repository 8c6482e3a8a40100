//! Delegation certificates that are ordered from a CA, rather than brought by a person.

pub mod source;
