#![doc = include_str!("../README.md")]
// What only the other side, QUIC or asynchronous streams need is not worth a cfg of its own; the linker drops it.
#![cfg_attr(
    not(all(
        feature = "client",
        feature = "server",
        feature = "quinn",
        feature = "tokio",
        any(feature = "ring", feature = "aws-lc-rs")
    )),
    allow(dead_code, unreachable_pub, unused_imports)
)]
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::panic, clippy::unwrap_used)
)]

#[cfg(feature = "client")]
pub mod client;
mod compress;
mod error;
mod events;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handover;
mod handshake;
mod hash;
mod identity;
mod installing;
mod io;
mod list_error;
mod offer;
mod peer;
mod policy;
mod provider;
#[cfg(all(feature = "quinn", any(feature = "aws-lc-rs", feature = "ring")))]
pub mod quinn;
mod record;
mod refusal;
mod rejected;
#[cfg(feature = "server")]
pub mod server;
mod side;
mod signing;
#[cfg(test)]
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod testing;
mod view;
mod watch;
mod withdrawn;

// The public interface is:
pub use error::Error;
pub use io::Adapter;
pub use list_error::ListError;
pub use refusal::Refusal;
pub use watch::Watch;
pub use withdrawn::{ListPolicy, ListStanding, Withdrawals};

pub use dc_core::{ListKey, WithdrawnNames};

/// The examples in the workspace's documents.
#[cfg(doctest)]
#[doc = include_str!("../../docs/rust.md")]
struct Book;
