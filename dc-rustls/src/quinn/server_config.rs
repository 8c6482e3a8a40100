//! `quinn_proto::crypto::ServerConfig`: the beginnings of a server's connections.

use std::sync::Arc;

use quinn_proto::ConnectionId;
use quinn_proto::crypto::rustls::QuicServerConfig;
use quinn_proto::crypto::{Keys, ServerConfig, Session, UnsupportedVersion};
use quinn_proto::transport_parameters::TransportParameters;
use rustls::quic::{ServerConnection, Version};

use super::early_data::EarlyData;
use super::server_side::ServerViews;
use super::serving::Serving;
use super::session::Mapped;
use crate::Error;
use crate::server::Acceptor;

/// quinn's configuration for a server that answers as this acceptor does: with a credential where one suits, else
/// with the fallback.
///
/// `alpn_protocols`, the favourite first, take the place of those of [`Settings`](crate::server::Settings) and of the
/// fallback, which are for TCP: `h3` for HTTP/3, `doq` for DNS over QUIC. At least one is needed, as both ends of QUIC
/// have to agree on one (RFC 9001 §8.1). Early data of the fallback is as `early_data` says, too.
///
/// ```no_run
/// # async fn example(acceptor: dc_rustls::server::Acceptor) -> Result<(), Box<dyn std::error::Error>> {
/// use dc_rustls::quinn::{EarlyData, client, server_config};
///
/// let config = server_config(&acceptor, [b"h3".to_vec()], EarlyData::Never)?;
/// let endpoint = quinn::Endpoint::server(config, "[::]:443".parse()?)?;
/// while let Some(incoming) = endpoint.accept().await {
///     tokio::spawn(async move {
///         let connection = incoming.await?;
///         println!("{:?}", client(&connection));
///         Ok::<_, quinn::ConnectionError>(())
///     });
/// }
/// # Ok(())
/// # }
/// ```
///
/// Fails with [`Error::NoQuic`] if the provider of the store has not what QUIC needs, and with [`Error::Tls`] if the
/// fallback cannot be used, because it is for TLS 1.2 alone or its provider has not.
pub fn server_config(
    acceptor: &Acceptor,
    alpn_protocols: impl IntoIterator<Item = Vec<u8>>,
    early_data: EarlyData,
) -> Result<::quinn::ServerConfig, Error> {
    let serving = Serving {
        acceptor: acceptor.clone(),
        alpn_protocols: alpn_protocols.into_iter().collect(),
        early_data,
    };
    let nothing = serving.over_quic(acceptor.empty_config()?);
    let nothing = QuicServerConfig::try_from(nothing).map_err(|_| Error::NoQuic)?;
    if let Some(fallback) = acceptor.fallback_config() {
        // quinn expects that this cannot fail.
        let config = serving.over_quic(Arc::clone(fallback));
        ServerConnection::new(Arc::clone(&config), Version::V1, Vec::new())?;
        QuicServerConfig::try_from(config).map_err(|_| Error::NoQuic)?;
    }
    let beginnings = Beginnings {
        serving: Arc::new(serving),
        nothing: Arc::new(nothing),
    };
    Ok(::quinn::ServerConfig::with_crypto(Arc::new(beginnings)))
}

/// Begins each connection with nothing to serve, until its ClientHello is there.
struct Beginnings {
    serving: Arc<Serving>,
    nothing: Arc<QuicServerConfig>,
}

impl ServerConfig for Beginnings {
    fn initial_keys(&self, version: u32, id: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        self.nothing.initial_keys(version, id)
    }

    fn retry_tag(&self, version: u32, id: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.nothing.retry_tag(version, id, packet)
    }

    fn start_session(
        self: Arc<Self>,
        version: u32,
        parameters: &TransportParameters,
    ) -> Box<dyn Session> {
        let inner = Arc::clone(&self.nothing).start_session(version, parameters);
        let views = ServerViews::new(Arc::clone(&self.serving), version, *parameters);
        Box::new(Mapped { inner, views })
    }
}
