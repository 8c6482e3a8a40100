//! A server's settings from an existing configuration of rustls.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::compress::{default_cert_compressors, default_cert_decompressors};
use rustls::server::danger::ClientCertVerifier;

use super::Settings;
use crate::Error;
use crate::compress::{is_same_compression, is_same_decompression};

impl Settings {
    /// Settings that are like an existing configuration of rustls, as far as they can be.
    ///
    /// **Carried over** are the provider, the application protocols, the clock, the key log, whether secrets can be extracted,
    /// that no certificate is compressed if none is, that no session is kept if none is, and `max_early_data_size`, for
    /// [`Acceptor::accept_early`](super::Acceptor::accept_early).
    ///
    /// **Not carried over** is `client_auth`, the verifier of client certificates, which rustls does not show. It has
    /// to be given again, so that nobody gets in with a credential's configuration who would not with the other;
    /// [`NoClientAuth`](rustls::server::NoClientAuth) asks clients for none. Nor are the versions, since credentials are for TLS 1.3
    /// alone, nor the certificate: the existing configuration is what an acceptor's
    /// [`fallback`](super::Acceptor::fallback) is for. Sessions are not either: they end with the credential, so those of a
    /// fallback cannot be among them, and a ticketer could not say when they end; 256 are kept in memory.
    /// All else has to be as rustls has it by default.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    /// use dc_rustls::server::{Acceptor, Settings};
    /// use rustls::ServerConfig;
    /// use rustls::server::NoClientAuth;
    ///
    /// fn with_credentials(existing: Arc<ServerConfig>) -> Result<Acceptor, dc_rustls::Error> {
    ///     let settings = Settings::like(&existing, Arc::new(NoClientAuth))?;
    ///     Ok(Acceptor::follow_with("/etc/dc", settings, |_| ())?.fallback(existing))
    /// }
    /// ```
    ///
    /// Fails with [`Error::NoCounterpart`] if the configuration has a setting that this crate has not.
    pub fn like(
        existing: &ServerConfig,
        client_auth: Arc<dyn ClientCertVerifier>,
    ) -> Result<Self, Error> {
        if let Some(setting) = without_counterpart(existing) {
            return Err(Error::NoCounterpart { setting });
        }
        let mut settings = Self::new(Arc::clone(existing.crypto_provider()))
            .alpn_protocols(existing.alpn_protocols.iter().cloned())
            .time_provider(Arc::clone(&existing.time_provider))
            .key_log(Arc::clone(&existing.key_log))
            .client_auth(client_auth);
        if existing.enable_secret_extraction {
            settings = settings.enable_secret_extraction();
        }
        if existing.max_early_data_size > 0 {
            settings = settings.max_early_data(existing.max_early_data_size);
        }
        if existing.cert_compressors.is_empty() {
            settings = settings.without_certificate_compression();
        }
        if !existing.session_storage.can_cache() {
            settings = settings.session_storage(Arc::clone(&existing.session_storage));
        }
        Ok(settings)
    }
}

/// The first setting that is not rustls's default, and that settings of this crate do not have.
fn without_counterpart(config: &ServerConfig) -> Option<&'static str> {
    let compressors = &config.cert_compressors;
    let settings = [
        ("ignore_client_order", !config.ignore_client_order),
        ("max_fragment_size", config.max_fragment_size.is_none()),
        // Settings that take early data answer it early, and others have no answer that early.
        (
            "send_half_rtt_data",
            !config.send_half_rtt_data || config.max_early_data_size > 0,
        ),
        ("send_tls13_tickets", config.send_tls13_tickets == 2),
        ("max_tls13_tickets", config.max_tls13_tickets == 0),
        (
            "cert_compressors",
            compressors.is_empty() || is_same_compression(compressors, default_cert_compressors()),
        ),
        (
            "cert_decompressors",
            is_same_decompression(&config.cert_decompressors, default_cert_decompressors()),
        ),
    ];
    let other = settings.into_iter().find(|(_, is_default)| !is_default);
    other.map(|(setting, _)| setting)
}
