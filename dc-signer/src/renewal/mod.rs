//! Delegation certificates that are ordered from a CA, rather than brought by a person.

pub mod acme;
pub mod ca;
pub mod command;
mod folder;
pub mod ordering;
pub mod plan;
mod program;
mod renewer;
pub mod returned;
pub mod schedule;
mod settings;
pub mod source;
mod status;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use folder::{Given, KeyOf, OrderFolder, REQUEST};
pub use renewer::{Done, Renewer};
pub use settings::{OfZone, Settings};
pub use status::{Candidate, Status};

/// Looks whether this process could start the program of an order, and starts nothing.
///
/// Fails with a sentence that names it.
pub(crate) fn look_for_program(argv: &[String]) -> Result<(), impl std::fmt::Display + use<>> {
    program::look_for(argv)
}
