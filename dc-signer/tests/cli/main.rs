//! The `dc-signer` binary as a user meets it: what it writes, what it says, and how it exits.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

mod api_page;
mod audit;
mod bad_files;
mod bad_values;
mod certificate;
mod csr;
mod demo;
mod excluded;
mod graph;
mod guides;
mod help;
mod init;
mod inspect;
mod issue;
mod keys;
mod older_copy;
mod owner;
mod passphrase;
mod pem;
mod pictures;
mod plan;
#[path = "../../store/src/testing/server.rs"]
mod postgres;
mod probe;
mod sandbox;
mod secrets;
mod served;
mod signer;
mod slots;
mod verify;
mod who;
