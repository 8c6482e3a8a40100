//! The cryptography that everything has to work with.

use std::sync::Arc;

#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs;
#[cfg(feature = "ring")]
use rustls::crypto::ring;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};

/// A provider and the key exchange groups that make a HelloRetryRequest.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// What it is called.
    pub name: &'static str,
    provider: fn() -> CryptoProvider,
    x25519: &'static dyn SupportedKxGroup,
    secp384r1: &'static dyn SupportedKxGroup,
}

/// The providers that rustls comes with, as far as they are built in.
pub const BACKENDS: &[Backend] = &[
    #[cfg(feature = "ring")]
    Backend {
        name: "ring",
        provider: ring::default_provider,
        x25519: ring::kx_group::X25519,
        secp384r1: ring::kx_group::SECP384R1,
    },
    #[cfg(feature = "aws-lc-rs")]
    Backend {
        name: "aws-lc-rs",
        provider: aws_lc_rs::default_provider,
        x25519: aws_lc_rs::kx_group::X25519,
        secp384r1: aws_lc_rs::kx_group::SECP384R1,
    },
];

impl Backend {
    /// As it comes.
    #[must_use]
    pub fn provider(&self) -> Arc<CryptoProvider> {
        Arc::new((self.provider)())
    }

    /// Sends a key share for P-384 and can do X25519.
    #[must_use]
    pub fn prefers_p384(&self) -> Arc<CryptoProvider> {
        self.with_groups(&[self.secp384r1, self.x25519])
    }

    /// Has to ask again whoever sends no share for X25519.
    #[must_use]
    pub fn x25519_only(&self) -> Arc<CryptoProvider> {
        self.with_groups(&[self.x25519])
    }

    fn with_groups(&self, groups: &[&'static dyn SupportedKxGroup]) -> Arc<CryptoProvider> {
        Arc::new(CryptoProvider {
            kx_groups: groups.to_vec(),
            ..(self.provider)()
        })
    }
}
