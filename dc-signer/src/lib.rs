#![doc = include_str!("../README.md")]

#[cfg(feature = "service")]
pub mod access;
#[cfg(feature = "service")]
pub mod api;
#[cfg(feature = "service")]
pub mod authority;
#[cfg(feature = "service")]
pub mod checkpoints;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod keyd;
#[cfg(feature = "service")]
pub mod renewal;
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

#[cfg(test)]
use dc_store::{Location, Store, migrate, open, registry};
