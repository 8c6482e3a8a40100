//! Serves TLS with a device's credential, for a server beside it that knows nothing of either.
//!
//! The program `dc-terminator` follows the folder that the device's agent keeps, and passes what clients say to a TCP port or a
//! Unix socket.

#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::panic, clippy::unwrap_used)
)]

pub mod backend;
pub mod error;
pub mod files;
pub mod header;
pub mod identity;
pub mod options;
pub mod run;
pub mod serve;
pub mod user;
