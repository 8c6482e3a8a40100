//! Certificates, credentials, keys and requests, shown and checked: in files, in folders and on servers.
//!
//! [`display`] says what is in them, [`check`] what a peer makes of them in the order of RFC 9345 §4.1.3, [`report`] takes
//! files and folders to pieces for both, [`probe`] does one handshake with a server, and [`delegation_csr`] writes a vendor's
//! request to its CA.

pub mod check;
pub mod delegation_csr;
pub mod display;
mod error;
pub mod probe;
pub mod report;

pub use error::Error;
