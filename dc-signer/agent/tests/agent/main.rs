//! The agent against a signer that does what a test tells it, with clocks that do as well; and as a real
//! process, killed and on disks that are full.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

mod as_client;
mod clocks;
mod codes;
mod device;
mod disks;
mod enrolling;
mod graph;
mod help;
mod killed;
mod law;
mod months;
mod owners;
mod processes;
mod refused;
mod renewing;
mod rotating;
mod served;
mod signer;
mod standing;
mod withdrawn;
