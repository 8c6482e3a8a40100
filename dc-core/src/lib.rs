#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod certificate;
mod codec;
mod constraints;
mod credential;
pub mod danger;
mod error;
mod fields;
pub mod issue;
mod name;
mod offer;
pub mod pem;
mod scheme;
mod spki;
mod tbs;
#[cfg(test)]
mod testing;
mod validity;
mod verify;
mod withdrawn;

// The public interface is:
pub use certificate::DelegationCertificate;
pub use constraints::excluded_subtrees;
pub use credential::{Credential, DelegatedCredential, Form};
pub use error::{Alert, Error, Field, PemFault};
pub use fields::{DELEGATION_USAGE_ARCS, DELEGATION_USAGE_OID};
pub use issue::{Approved, Issued, IssuingPolicy, Request, SignError, Signer};
pub use name::{UniqueName, is_same_reference};
pub use offer::{Offer, Requirements, SchemeList};
pub use scheme::SignatureScheme;
pub use tbs::{Role, signed_bytes};
pub use validity::Validity;
pub use verify::{VerifiedCredential, Verifier, find_role};
pub use withdrawn::{ListKey, NameHash, NewList, UnsignedList, WithdrawnNames};

/// The longest time a credential may still be valid when it is checked: 7 days (RFC 9345 §3).
pub const MAX_VALIDITY: core::time::Duration = core::time::Duration::from_secs(7 * 24 * 3600);

/// The lifetime of an issued credential when nothing else is asked for: 164 hours.
///
/// Four hours less than [`MAX_VALIDITY`], because a client whose clock is behind the issuer's sees a
/// longer remaining life than the issuer gave (RFC 9345 §5.1).
pub const DEFAULT_LIFETIME: core::time::Duration = core::time::Duration::from_secs(164 * 3600);
