//! From a UDP port to QUIC connections: who may connect, for how long a handshake may take, and with what it is served.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dc_rustls::quinn::{EarlyData, client, server_config};
use dc_rustls::server::Acceptor;
use quinn::{Connection, Endpoint, Incoming, TransportConfig, VarInt};
use tokio::time::timeout;

use crate::Failure;
use crate::clients::{Admitted, Clients, Service};

/// A QUIC connection whose client is known to the page for as long as this lives.
pub(crate) struct Greeted {
    pub(crate) quic: Connection,
    pub(crate) client: Admitted,
    /// Where the client reached us.
    pub(crate) local: IpAddr,
}

/// A port that is open.
pub(crate) struct Door {
    pub(crate) endpoint: Endpoint,
    pub(crate) service: Service,
    pub(crate) clients: Clients,
}

impl Door {
    /// Opens a port for one application protocol.
    pub(crate) fn open(
        address: &str,
        (acceptor, alpn): (&Acceptor, &[u8]),
        service: Service,
        clients: &Clients,
    ) -> Result<Self, Failure> {
        let mut config = server_config(acceptor, [alpn.to_vec()], EarlyData::Never)?;
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(MAX_STREAMS)
            // HTTP/3 has three: control, and QPACK in both directions.
            .max_concurrent_uni_streams(VarInt::from_u32(3))
            .stream_receive_window(STREAM_WINDOW)
            .receive_window(WINDOW)
            .max_idle_timeout(Some(IDLE.try_into()?));
        config.transport_config(Arc::new(transport));
        let explain = |error: &dyn std::fmt::Display| {
            format!(
                "cannot listen on {address} for QUIC: {error}; give another IP address and port"
            )
        };
        let at: SocketAddr = address.parse().map_err(|error| explain(&error))?;
        Ok(Self {
            endpoint: Endpoint::server(config, at).map_err(|error| explain(&error))?,
            service,
            clients: clients.clone(),
        })
    }

    /// The UDP port.
    pub(crate) fn port(&self) -> std::io::Result<u16> {
        Ok(self.endpoint.local_addr()?.port())
    }

    /// Accepts for ever, and hands over each connection whose handshake is over.
    pub(crate) async fn serve<F>(self, handle: impl Fn(Greeted) -> F + Clone + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        while let Some(incoming) = self.endpoint.accept().await {
            // Anybody can write another's address on a packet. Who cannot read the answer to it takes nobody's place
            // once there are many.
            let is_busy = self.endpoint.open_connections() >= BUSY;
            if is_busy && !incoming.remote_address_validated() {
                let _ = incoming.retry();
                continue;
            }
            let address = incoming.remote_address();
            let Some(client) = self.clients.admit(address.ip(), self.service) else {
                incoming.refuse();
                continue;
            };
            let handle = handle.clone();
            let bound = self.endpoint.local_addr().map(|at| at.ip());
            tokio::spawn(async move {
                match timeout(TIMEOUT, greet(incoming, client, bound.ok())).await {
                    Ok(Ok(greeted)) => handle(greeted).await,
                    Ok(Err(error)) => eprintln!("{address} not served: {error}"),
                    Err(_) => eprintln!("{address} not served: the handshake took too long"),
                }
            });
        }
    }
}

/// Serves at a port, if there is one.
pub(crate) async fn serve<F>(
    door: Option<Door>,
    handle: impl Fn(Greeted) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    if let Some(door) = door {
        door.serve(handle).await;
    }
}

async fn greet(
    incoming: Incoming,
    admitted: Admitted,
    bound: Option<IpAddr>,
) -> Result<Greeted, Failure> {
    let quic = incoming.await?;
    let known = client(&quic).ok_or("the handshake says nothing of the client")?;
    admitted.connection().greet(&known.served);
    // The address of the packets, where the system tells it.
    let local = quic.local_ip().or(bound).ok_or("the port has no address")?;
    Ok(Greeted {
        quic,
        client: admitted,
        local: local.to_canonical(),
    })
}

/// As many queries of one client are under way at a time.
const MAX_STREAMS: VarInt = VarInt::from_u32(32);
/// The longest message, with its length, and some headers.
const STREAM_WINDOW: VarInt = VarInt::from_u32(1 << 17);
/// For all streams of a connection.
const WINDOW: VarInt = VarInt::from_u32(1 << 19);
const TIMEOUT: Duration = Duration::from_secs(10);
/// RFC 9250 §5.5.2 leaves it to both ends.
const IDLE: Duration = Duration::from_secs(30);
/// Connections, from which on a client has to show that it gets what is sent to it (RFC 9000 §8.1.2).
const BUSY: usize = 64;
