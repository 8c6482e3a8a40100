//! The `dc-signer` binary as a user meets it: what it writes, what it says, and how it exits.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

mod bad_files;
mod bad_values;
mod csr;
#[cfg(feature = "demo")]
mod demo;
mod init;
mod inspect;
mod issue;
#[cfg(feature = "service")]
mod older_copy;
#[cfg(feature = "service")]
mod owner;
#[cfg(feature = "service")]
#[path = "../../src/store/testing/server.rs"]
mod postgres;
#[cfg(feature = "tools")]
mod probe;
mod sandbox;
#[cfg(feature = "service")]
mod signer;
mod verify;
