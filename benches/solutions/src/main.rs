//! Table 1 of the Home Servers draft, executed: eight ways to give a home server an identity, and newer ones.

mod acme;
mod clients;
mod clock;
mod dns;
mod ledger;
mod measure;
mod rows;
mod server;
mod solution;
mod table;
mod world;

use std::error::Error;

/// What went wrong, in words: it is shown in the cell that could not be measured.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() {}
