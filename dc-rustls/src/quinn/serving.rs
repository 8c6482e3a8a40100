//! All that a server answers a ClientHello with.

use std::sync::Arc;

use quinn_proto::crypto::rustls::QuicServerConfig;
use quinn_proto::crypto::{ServerConfig as _, Session};
use quinn_proto::transport_parameters::TransportParameters;
use rustls::ServerConfig;

use super::early_data::EarlyData;
use crate::server::Acceptor;

/// The acceptor, and what is different from TCP.
pub(super) struct Serving {
    pub(super) acceptor: Acceptor,
    pub(super) alpn_protocols: Vec<Vec<u8>>,
    pub(super) early_data: EarlyData,
}

impl Serving {
    /// A configuration for TCP as it is for QUIC.
    pub(super) fn over_quic(&self, config: Arc<ServerConfig>) -> Arc<ServerConfig> {
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols.clone_from(&self.alpn_protocols);
        config.max_early_data_size = self.early_data.max_size();
        // quinn sends data, and rustls none.
        config.send_half_rtt_data = false;
        Arc::new(config)
    }

    /// The session that serves with `config`; `None` if that cannot do QUIC, which was asked before.
    pub(super) fn start(
        &self,
        config: Arc<ServerConfig>,
        version: u32,
        parameters: &TransportParameters,
    ) -> Option<Box<dyn Session>> {
        let config = QuicServerConfig::try_from(self.over_quic(config)).ok()?;
        Some(Arc::new(config).start_session(version, parameters))
    }
}
