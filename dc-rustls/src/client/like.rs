//! A client's configuration from an existing one of rustls.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::compress::{default_cert_compressors, default_cert_decompressors};
use rustls::{ClientConfig, RootCertStore};

use super::{Builder, Config};
use crate::Error;
use crate::compress::{is_same_compression, is_same_decompression};

impl Config {
    /// Begins a configuration that is like an existing one of rustls, as far as one can be.
    ///
    /// **Carried over** are the provider, the application protocols, the clock, the key log, the client certificate,
    /// whether secrets can be extracted, and whether [`connect_early`](Self::connect_early) may send early data.
    ///
    /// **Not carried over** is what rustls does not show: whom it trusts, which has to be said again here; its versions, so
    /// TLS 1.2 takes [`allow_tls12`](Builder::allow_tls12), and Encrypted ClientHello [`ech`](Builder::ech). Sessions are not either, because they
    /// were made under another policy, nor is that there are none: see
    /// [`without_resumption`](Builder::without_resumption). All else has to be as rustls has it by default.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use dc_rustls::client::Config;
    /// use rustls::{ClientConfig, RootCertStore};
    ///
    /// fn with_credentials(
    ///     existing: &ClientConfig,
    ///     roots: Arc<RootCertStore>,
    /// ) -> Result<Config, dc_rustls::Error> {
    ///     Config::like(existing).roots(roots)?.build()
    /// }
    /// ```
    #[must_use]
    pub fn like(existing: &ClientConfig) -> Like<'_> {
        Like { existing }
    }
}

/// A configuration of rustls, and nobody to trust yet.
#[derive(Debug)]
pub struct Like<'a> {
    existing: &'a ClientConfig,
}

impl Like<'_> {
    /// Trusts certificates under these roots, as [`WantsVerifier::roots`](super::WantsVerifier::roots) says.
    ///
    /// Fails with [`Error::NoCounterpart`] if the configuration has a setting that this crate has not.
    pub fn roots(self, roots: impl Into<Arc<RootCertStore>>) -> Result<Builder, Error> {
        let provider = Arc::clone(self.existing.crypto_provider());
        self.carry_over(Config::builder(provider).roots(roots))
    }

    /// Trusts certificates that this verifier does, as [`WantsVerifier::verifier`](super::WantsVerifier::verifier)
    /// says.
    ///
    /// Fails as [`roots`](Self::roots) does.
    pub fn verifier(self, verifier: Arc<dyn ServerCertVerifier>) -> Result<Builder, Error> {
        let provider = Arc::clone(self.existing.crypto_provider());
        self.carry_over(Config::builder(provider).verifier(verifier))
    }

    fn carry_over(self, builder: Builder) -> Result<Builder, Error> {
        let existing = self.existing;
        match without_counterpart(existing) {
            Some(setting) => Err(Error::NoCounterpart { setting }),
            None => {
                let builder = builder
                    .alpn_protocols(existing.alpn_protocols.iter().cloned())
                    .time_provider(Arc::clone(&existing.time_provider))
                    .key_log(Arc::clone(&existing.key_log))
                    .client_auth(Arc::clone(&existing.client_auth_cert_resolver));
                let builder = match existing.enable_early_data {
                    true => builder.early_data(),
                    false => builder,
                };
                Ok(match existing.enable_secret_extraction {
                    true => builder.enable_secret_extraction(),
                    false => builder,
                })
            }
        }
    }
}

/// The first setting that is not rustls's default, and that a configuration of this crate does not have.
fn without_counterpart(config: &ClientConfig) -> Option<&'static str> {
    let has_all_compression =
        is_same_decompression(&config.cert_decompressors, default_cert_decompressors())
            && is_same_compression(&config.cert_compressors, default_cert_compressors());
    let settings = [
        ("check_selected_alpn", config.check_selected_alpn),
        ("max_fragment_size", config.max_fragment_size.is_none()),
        // A named credential goes only to whoever sends its name.
        ("enable_sni", config.enable_sni),
        (
            "cert_compressors or cert_decompressors",
            has_all_compression,
        ),
        ("send_ticket_request", config.send_ticket_request.is_none()),
    ];
    let other = settings.into_iter().find(|(_, is_default)| !is_default);
    other.map(|(setting, _)| setting)
}
