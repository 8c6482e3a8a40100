//! Files, keys, certificates and credentials of a vendor and its devices.
//!
//! A vendor holds a [`Delegation`]: a delegation certificate and its key. A device hands in its
//! [`DeviceKey`], in a certificate signing request whose signature is checked. [`issue()`] asks
//! [`dc_core`] whether the request is allowed, signs, and verifies the result. An
//! [`IdentityFolder`] takes it to the disk, such that nothing half-written is ever there.
//!
//! ```no_run
//! use dc_pki::{Delegation, DeviceKey, IdentityFolder, Wanted, clock, issue, names};
//!
//! # fn main() -> Result<(), dc_pki::Error> {
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
//! [`test_ca`] makes a root and delegation certificates for trying all this out.

pub mod asn1;
pub mod chain;
pub mod clock;
pub mod delegation;
pub mod device_csr;
mod error;
pub mod extensions;
pub mod files;
pub mod identity;
mod issue;
pub mod keys;
pub mod names;
pub mod pem;
mod random;
mod sha256;
pub mod test_ca;
pub mod text;
pub mod time;
pub mod trust;
mod warning;

pub use delegation::Delegation;
pub use device_csr::{CsrError, DeviceKey, public_key};
pub use error::Error;
pub use identity::IdentityFolder;
pub use issue::{Unissued, Wanted, issue, sign};
pub use random::random;
pub use sha256::{BadSha256, Sha256};
pub use warning::Warning;
