//! Delegation certificates that are ordered from a CA, rather than brought by a person.

pub mod acme;
pub mod command;
pub mod ordering;
mod program;
pub mod returned;
pub mod ca;
mod folder;
pub mod plan;
mod renewer;
pub mod schedule;
mod settings;
pub mod source;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use folder::KeyOf;
pub use renewer::{Done, Renewer};
pub use settings::{OfZone, Settings};
