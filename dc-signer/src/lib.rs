//! Issues delegated credentials (RFC 9345), each with a name that only one device has.
//!
//! A vendor holds a [`Delegation`]: a delegation certificate and its key. A device hands in its
//! [`DeviceKey`], in a certificate signing request whose signature is checked. [`issue`] asks
//! [`dc_core`] whether the request is allowed, signs, and verifies the result. An
//! [`IdentityFolder`] takes it to the disk, such that nothing half-written is ever there.
//!
//! ```no_run
//! use dc_signer::{Delegation, DeviceKey, IdentityFolder, Wanted, clock, issue, names};
//!
//! # fn main() -> Result<(), dc_signer::Error> {
//! let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
//! let delegation = Delegation::load("vendor".as_ref())?;
//! let device_key = DeviceKey::from_csr("device.csr".as_ref(), algorithms)?;
//! let folder = IdentityFolder::open("device".as_ref(), &device_key)?;
//! let wanted = Wanted::Named(names::parse("k3v.cpe.example.com")?);
//! let issued = issue(&delegation, &device_key, &wanted, None, algorithms, clock::now()?)?;
//! folder.write(delegation.chain(), &issued)?;
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `demo`, module `demo` shows the whole of it with TLS connections. [`vendor`] makes a root and a delegation certificate for trying all this out.

#[cfg(feature = "service")]
pub mod access;
#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "service")]
pub mod api;
#[cfg(feature = "service")]
pub mod authority;
#[cfg(feature = "service")]
pub mod backup;
#[cfg(feature = "service")]
pub mod check;
pub mod clock;
#[cfg(feature = "service")]
pub mod config;
mod csr;
#[cfg(feature = "service")]
pub mod database;
mod delegation;
#[cfg(feature = "demo")]
pub mod demo;
pub mod describe;
#[cfg(all(feature = "demo", feature = "service"))]
pub mod dev;
mod error;
pub mod files;
pub mod human;
mod identity;
pub mod inspect;
mod issuer;
pub mod judge;
pub mod keys;
#[cfg(feature = "service")]
pub mod listener;
pub mod names;
#[cfg(feature = "service")]
pub mod owner;
mod pem;
#[cfg(feature = "tools")]
pub mod probe;
#[cfg(feature = "protocol")]
pub mod protocol;
#[cfg(feature = "service")]
pub mod registry;
pub mod request;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "service")]
pub mod store;
#[cfg(feature = "service")]
pub mod telemetry;
pub mod trust;
pub mod vendor;
mod warning;
#[cfg(feature = "service")]
pub mod web;

pub use csr::{CsrError, DeviceKey, public_key};
pub use delegation::Delegation;
pub use error::Error;
pub use identity::IdentityFolder;
pub use issuer::{Wanted, issue};
pub use warning::Warning;
