//! Delegated credentials (RFC 9345), with a unique name per device, on unmodified rustls.
//!
//! rustls has no hook for the extensions that carry a credential, but it carries one opaque blob next
//! to the end-entity certificate, the stapled OCSP response, from the resolver to the wire and from the
//! wire to the verifier. This crate relabels that blob, in place and without changing a length, as the
//! extension of RFC 9345, wherever handshake bytes cross rustls's boundary. Everything else is rustls:
//! any [`CryptoProvider`](rustls::crypto::CryptoProvider), its state machines, its record layer.
//!
//! * [`client::Config`] connects to devices and says who answered.
//! * [`server::Acceptor`] serves with the credentials in a [`server::Store`].
//!
//! With the feature `tokio` both also work over `AsyncRead + AsyncWrite`.
//!
//! Encrypted ClientHello, QUIC and credentials of clients are not supported.

// What only the other side needs is not worth a cfg of its own; the linker drops it.
#![cfg_attr(
    not(all(feature = "client", feature = "server")),
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
mod io;
mod peer;
mod provider;
mod record;
#[cfg(feature = "server")]
pub mod server;
#[cfg(test)]
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod testing;
mod view;

// The public interface is:
pub use error::{Error, Refusal};
pub use io::Adapter;
