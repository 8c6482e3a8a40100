//! A vendor's signer of delegated credentials (RFC 9345), each with a name that only one device has.
//!
//! The binary `dc-signer` is the vendor's program; this library is what it is made of. Credentials themselves are issued
//! by [`dc_pki`].

#[cfg(feature = "service")]
pub mod api;
#[cfg(feature = "service")]
pub mod authority;
#[cfg(feature = "service")]
pub mod backup;
#[cfg(feature = "service")]
pub mod check;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod database;
pub mod demo;
pub mod describe;
#[cfg(feature = "service")]
pub mod dev;
mod error;
pub mod inspect;
pub mod judge;

#[cfg(feature = "service")]
pub mod operators;
#[cfg(feature = "service")]
pub mod owner;
pub mod probe;
#[cfg(feature = "service")]
pub mod registry;
pub mod request;
#[cfg(feature = "service")]
pub mod server;
#[cfg(feature = "service")]
pub mod store;
mod warning;
#[cfg(feature = "service")]
pub mod web;

pub use error::Error;
#[cfg(feature = "service")]
pub use warning::Warning;
