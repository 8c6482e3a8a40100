//! The pages over a database: who sees what, and who may do what.

mod axe;
mod browser;
mod driver;
mod fleet;
mod large;
mod pictures;
mod requests;
mod signing_in;
mod site;
