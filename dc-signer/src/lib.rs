//! A vendor's signer of delegated credentials (RFC 9345), each with a name that only one device has.
//!
//! The binary `dc-signer` is the vendor's program; this library is the service in it, and empty without the feature
//! `service`. Credentials themselves are issued by [`dc_pki`].

#[cfg(feature = "service")]
pub mod access;
#[cfg(feature = "service")]
pub mod api;
#[cfg(feature = "service")]
pub mod authority;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod server;
#[cfg(feature = "service")]
pub mod web;

#[cfg(test)]
#[allow(
    dead_code,
    unused_imports,
    reason = "the store's own tests use the rest"
)]
#[path = "../store/src/testing/mod.rs"]
mod testing;

#[cfg(feature = "service")]
pub use dc_store::{self as store, owner, registry};
#[cfg(test)]
use dc_store::{Location, Store, migrate, open};
