//! Delegated credentials for TLS (RFC 9345), and credentials that carry a unique name.
//!
//! The holder of one certificate, the *delegation certificate*, signs short-lived *credentials* for
//! keys that other machines hold. A TLS peer that offered to understand them accepts such a
//! credential next to the certificate and then expects its key, not the certificate's, to sign the
//! handshake. This crate reads, checks and issues credentials. It has no I/O and no clock: bytes
//! and the time are passed in, and signatures are checked through the
//! [`SignatureVerificationAlgorithm`](pki_types::SignatureVerificationAlgorithm)s of whatever
//! provider the caller has.
//!
//! # Verifying
//!
//! ```
//! # use dc_core::{DelegatedCredential, DelegationCertificate, Error, Form, Offer, Role};
//! # use dc_core::{VerifiedCredential, Verifier};
//! # use pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
//! fn check(
//!     end_entity: CertificateDer<'_>,
//!     extension_data: &[u8],
//!     wanted: &ServerName<'_>,
//!     offer: &Offer,
//!     algorithms: &[&'static dyn SignatureVerificationAlgorithm],
//!     now: UnixTime,
//! ) -> Result<VerifiedCredential, Error> {
//!     // The chain and the certificate's names were checked before, as without credentials.
//!     let certificate = DelegationCertificate::parse(end_entity)?;
//!     let credential = DelegatedCredential::decode(Form::Named, extension_data)?;
//!     Verifier::new(Role::Server, offer, algorithms).verify(
//!         &credential,
//!         &certificate,
//!         Some(wanted),
//!         now,
//!     )
//! }
//! ```
//!
//! A [`VerifiedCredential`] is the only thing that checks a CertificateVerify under the credential's
//! key. When anything is wrong, [`Error::alert`] names the alert that the peer is owed.
//!
//! # Issuing
//!
//! An [`IssuingPolicy`] turns a [`Request`] into an [`Approved`], which is consumed by signing; the
//! result is verified before it is returned. See [`issue`].

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
mod verify;

// The public interface is:
pub use certificate::DelegationCertificate;
pub use credential::{Credential, DelegatedCredential, Form};
pub use error::{Alert, Error, Field, PemFault};
pub use fields::{DELEGATION_USAGE_ARCS, DELEGATION_USAGE_OID};
pub use issue::{Approved, Issued, IssuingPolicy, Request, SignError, Signer};
pub use name::UniqueName;
pub use offer::{Offer, Requirements, SchemeList};
pub use scheme::SignatureScheme;
pub use tbs::{Role, signed_bytes};
pub use verify::{VerifiedCredential, Verifier, find_role};

/// The longest time a credential may still be valid when it is checked: 7 days (RFC 9345 §3).
pub const MAX_VALIDITY: core::time::Duration = core::time::Duration::from_secs(7 * 24 * 3600);

/// The lifetime of an issued credential when nothing else is asked for: 164 hours.
///
/// Four hours less than [`MAX_VALIDITY`], because a client whose clock is behind the issuer's sees a
/// longer remaining life than the issuer gave (RFC 9345 §5.1).
pub const DEFAULT_LIFETIME: core::time::Duration = core::time::Duration::from_secs(164 * 3600);
