//! Configurations that ask for a client's credential, one for each connection.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;

use super::client_credentials::{ClientCredentials, Question};
use super::client_sessions::ClientSessions;
use super::client_verifier::ConnectionVerifier;
use super::scope::Scope;
use crate::provider::{intern_offer, wrap};
use crate::side::Side;
use crate::{Error, compress};

/// A policy for clients, and what they are asked for.
#[derive(Debug)]
pub(super) struct Asking {
    policy: Arc<ClientCredentials>,
    question: Arc<Question>,
    extensions: &'static [u8],
    scope: Scope,
}

impl Asking {
    /// Fails as [`ClientCredentials::question`] and [`ClientCredentials::scope`] do.
    pub(super) fn new(policy: ClientCredentials) -> Result<Self, Error> {
        let (question, scope) = (policy.question()?, policy.scope()?);
        Ok(Self {
            policy: Arc::new(policy),
            extensions: intern_offer(question.extensions.clone()),
            question: Arc::new(question),
            scope,
        })
    }

    /// The bytes of the names that are announced.
    pub(super) fn length(&self) -> usize {
        self.question.length
    }

    /// True if a client that has TLS 1.2 only is served all the same.
    pub(super) fn is_optional(&self) -> bool {
        self.policy.is_optional()
    }

    /// A verifier that knows no client: unless it is called, there is none.
    pub(super) fn nobody(&self) -> Arc<ConnectionVerifier> {
        let (policy, question) = (Arc::clone(&self.policy), Arc::clone(&self.question));
        Arc::new(ConnectionVerifier::new(policy, question))
    }

    /// Suites that ask, for an end that answers with a credential or with a certificate.
    pub(super) fn provider(
        &self,
        base: &CryptoProvider,
        has_credential: bool,
    ) -> Arc<CryptoProvider> {
        let side = Side::Asking {
            offer: self.extensions,
            has_credential,
        };
        Arc::new(wrap(base, side))
    }

    /// A configuration for one connection, with all that `base` lets others read of it, and its verifier.
    ///
    /// rustls calls a verifier in two steps and gives it nothing to know the connection by, so each has its own. Tickets
    /// that a client keeps would outlive its credential: sessions are kept in the storage of `base`. The flight
    /// is not cut into small records, and nothing is sent before the client is known.
    pub(super) fn connection(
        &self,
        base: &ServerConfig,
        provider: Arc<CryptoProvider>,
    ) -> Result<(Arc<ServerConfig>, Arc<ConnectionVerifier>), Error> {
        let verifier = self.nobody();
        let clock = Arc::clone(&base.time_provider);
        let mut config = ServerConfig::builder_with_details(provider, Arc::clone(&clock))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier.clone())
            .with_cert_resolver(Arc::clone(&base.cert_resolver));
        config.ignore_client_order = base.ignore_client_order;
        config.session_storage = Arc::new(ClientSessions {
            shared: Arc::clone(&base.session_storage),
            scope: self.scope,
            clock,
            verifier: Arc::clone(&verifier),
        });
        config.alpn_protocols.clone_from(&base.alpn_protocols);
        config.key_log = Arc::clone(&base.key_log);
        config.enable_secret_extraction = base.enable_secret_extraction;
        config.max_early_data_size = base.max_early_data_size;
        config.send_tls13_tickets = base.send_tls13_tickets;
        config.max_tls13_tickets = base.max_tls13_tickets;
        config.cert_compressors.clone_from(&base.cert_compressors);
        config.cert_compression_cache = Arc::clone(&base.cert_compression_cache);
        config.cert_decompressors = compress::client_decompressors(&base.cert_decompressors);
        Ok((Arc::new(config), verifier))
    }
}
