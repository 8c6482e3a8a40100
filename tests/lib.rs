//! What the tests with two endpoints share: vendors, devices, and ways to connect them.

pub mod backend;
pub mod lister;
pub mod message;
pub mod mutant;
pub mod pair;
pub mod pipe;
pub mod process;
pub mod vendor;
