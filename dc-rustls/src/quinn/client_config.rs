//! `quinn_proto::crypto::ClientConfig`: the beginnings of a client's connections.

use std::sync::Arc;

use quinn_proto::ConnectError;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::crypto::{ClientConfig, Session};
use quinn_proto::transport_parameters::TransportParameters;
use rustls::pki_types::ServerName;

use super::client_side::ClientViews;
use super::early_data::EarlyData;
use super::session::Mapped;
use crate::Error;
use crate::client::Config;

/// quinn's configuration for clients with this one's policy, its application protocols included: `h3` for HTTP/3,
/// `doq` for DNS over QUIC.
///
/// It keeps sessions of its own, so make it once and clone it. Give quinn the name to reach, not an address:
/// [`Endpoint::connect`](::quinn::Endpoint::connect) fails with
/// [`ConnectError::InvalidServerName`](::quinn::ConnectError::InvalidServerName) if the policy requires a unique name
/// and that can be none. A refusal fails the connection with
/// [`ConnectionError::TransportError`](::quinn::ConnectionError::TransportError), whose `code` has the alert and whose
/// `reason` says what is wrong, also to the server.
///
/// ```no_run
/// # async fn example(tls: dc_rustls::client::Config) -> Result<(), Box<dyn std::error::Error>> {
/// use dc_rustls::quinn::{EarlyData, client_config, server};
///
/// let mut endpoint = quinn::Endpoint::client("[::]:0".parse()?)?;
/// endpoint.set_default_client_config(client_config(&tls, EarlyData::Never)?);
/// let connection = endpoint.connect("192.0.2.1:443".parse()?, "k3v.cpe.example.com")?.await?;
/// let device = server(&connection).ok_or("no handshake yet")?;
/// println!("{:?}", device.peer());
/// # Ok(())
/// # }
/// ```
///
/// Fails with [`Error::NoEch`] if the configuration hides names with Encrypted ClientHello, and with
/// [`Error::NoQuic`] if the provider has not what QUIC needs.
pub fn client_config(
    config: &Config,
    early_data: EarlyData,
) -> Result<::quinn::ClientConfig, Error> {
    let beginnings = Beginnings {
        config: config.with_own_sessions(),
        early_data,
    };
    beginnings.config.check_quic()?;
    Ok(::quinn::ClientConfig::new(Arc::new(beginnings)))
}

/// Begins each connection as [`Config::connect`] does.
struct Beginnings {
    config: Config,
    early_data: EarlyData,
}

impl ClientConfig for Beginnings {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let invalid = || ConnectError::InvalidServerName(server_name.to_owned());
        let name = ServerName::try_from(server_name).map_err(|_| invalid())?;
        let beginning = self.config.begin(name.to_owned()).map_err(|_| invalid())?;
        let mut rustls = Arc::unwrap_or_clone(beginning.rustls);
        rustls.enable_early_data = self.early_data == EarlyData::Allowed;
        // What it needs was there when this was made.
        let quic = QuicClientConfig::try_from(rustls).map_err(|_| invalid())?;
        let inner = Arc::new(quic).start_session(version, server_name, parameters)?;
        let views = ClientViews::new(beginning.name, beginning.sessions, beginning.offer);
        Ok(Box::new(Mapped { inner, views }))
    }
}
