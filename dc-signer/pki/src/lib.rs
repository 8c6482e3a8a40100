#![doc = include_str!("../README.md")]

mod advice;
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
mod key_error;
pub mod keyd;
pub mod keys;
mod lock_fault;
pub mod names;
pub mod pem;
mod process_fault;
mod random;
#[cfg(feature = "sealing")]
pub mod sealing;
pub mod secret;
mod sha256;
mod signing;
pub mod test_ca;
pub mod text;
pub mod time;
mod token_fault;
mod token_uri;
pub mod trust;
mod warning;

pub use delegation::Delegation;
pub use device_csr::{CsrError, DeviceKey, public_key};
pub use error::Error;
pub use identity::IdentityFolder;
pub use issue::{Forms, Roles, Unissued, UnknownForms, UnknownRoles, Wanted, issue, sign, try_key};
pub use random::random;
pub use sha256::{BadSha256, Sha256};
pub use warning::Warning;
