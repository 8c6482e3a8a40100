#![doc = include_str!("../README.md")]

pub mod check;
pub mod delegation_csr;
pub mod display;
mod error;
mod parsed;
pub mod probe;
pub mod report;

pub use error::Error;
pub use parsed::ParsedCertificate;
