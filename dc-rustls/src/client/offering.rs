//! A configuration of rustls, and the extensions that belong to it.

use std::sync::Arc;

use rustls::ClientConfig;

use super::ech::EchMode;
use super::verifier::CredentialVerifier;
use crate::Error;

/// The rustls configuration that goes with one set of extensions.
#[derive(Clone, Debug)]
pub(super) struct Offering {
    pub(super) rustls: Arc<ClientConfig>,
    pub(super) extensions: &'static [u8],
    pub(super) verifier: Arc<CredentialVerifier>,
    /// True if TLS 1.2 is allowed.
    pub(super) tls12: bool,
}

impl Offering {
    /// The same, but with this mode of Encrypted ClientHello, which rustls takes from a builder alone.
    ///
    /// The verifier and the resolver stay the same ones: rustls resumes only under those of the full handshake.
    pub(super) fn with_ech(&self, mode: &EchMode) -> Result<Self, Error> {
        if self.tls12 {
            return Err(Error::EchBelowTls13);
        }
        let from = &self.rustls;
        let provider = Arc::clone(from.crypto_provider());
        let clock = Arc::clone(&from.time_provider);
        let mut rustls = ClientConfig::builder_with_details(provider, clock)
            .with_ech(mode.to_rustls(self.extensions)?)?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier.clone())
            .with_client_cert_resolver(Arc::clone(&from.client_auth_cert_resolver));
        rustls.enable_secret_extraction = from.enable_secret_extraction;
        rustls.enable_early_data = from.enable_early_data;
        rustls.alpn_protocols = from.alpn_protocols.clone();
        rustls.key_log = Arc::clone(&from.key_log);
        rustls.cert_decompressors = from.cert_decompressors.clone();
        rustls.cert_compressors = from.cert_compressors.clone();
        rustls.cert_compression_cache = Arc::clone(&from.cert_compression_cache);
        Ok(Self {
            rustls: Arc::new(rustls),
            ..self.clone()
        })
    }
}
