//! A client and a server, connected over UDP.

use std::net::SocketAddr;

use dc_rustls::client::{Config, Peer};
use dc_rustls::quinn::{self as quic, EarlyData};
use dc_rustls::server::{Acceptor, Served};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, ConnectionError, Endpoint, Incoming};
use rustls::AlertDescription;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The application protocol of these tests.
pub(super) const ALPN: &[u8] = b"echo";

/// A server that answers each stream with how it came, and what was in it.
pub(super) struct Listening {
    pub(super) endpoint: Endpoint,
    pub(super) address: SocketAddr,
    ended: tokio::sync::Mutex<UnboundedReceiver<Result<quic::Client, ConnectionError>>>,
}

impl Listening {
    pub(super) fn new(acceptor: &Acceptor, early_data: EarlyData) -> Self {
        let config = serving(acceptor, early_data);
        let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
        let (tell, ended) = unbounded_channel();
        let accepting = endpoint.clone();
        tokio::spawn(async move {
            while let Some(incoming) = accepting.accept().await {
                tokio::spawn(serve(incoming, tell.clone()));
            }
        });
        Self {
            address: endpoint.local_addr().unwrap(),
            endpoint,
            ended: tokio::sync::Mutex::new(ended),
        }
    }

    /// How the next connection went here.
    pub(super) async fn outcome(&self) -> Result<quic::Client, ConnectionError> {
        self.ended.lock().await.recv().await.unwrap()
    }
}

pub(super) fn serving(acceptor: &Acceptor, early_data: EarlyData) -> quinn::ServerConfig {
    quic::server_config(acceptor, [ALPN.to_vec()], early_data).unwrap()
}

async fn serve(incoming: Incoming, tell: UnboundedSender<Result<quic::Client, ConnectionError>>) {
    let connecting = match incoming.accept() {
        Ok(connecting) => connecting,
        Err(error) => return tell.send(Err(error)).unwrap(),
    };
    let (connection, done) = connecting.into_0rtt().unwrap_or_else(|_| unreachable!());
    let echo = connection.clone();
    tokio::spawn(async move {
        while let Ok((mut send, mut receive)) = echo.accept_bi().await {
            let how = if receive.is_0rtt() { "early " } else { "" };
            let line = receive.read_to_end(100).await.unwrap();
            send.write_all(&[how.as_bytes(), &line].concat())
                .await
                .unwrap();
            send.finish().unwrap();
        }
    });
    // That it was early data says nothing about the handshake.
    let _ = done.await;
    let outcome = match connection.close_reason() {
        None => Ok(quic::client(&connection).unwrap()),
        Some(reason) => Err(reason),
    };
    let _ = tell.send(outcome);
    // It lives until the client closes it.
    connection.closed().await;
}

/// quinn's configuration for a client.
pub(super) fn configure(client: &Config, early_data: EarlyData) -> quinn::ClientConfig {
    quic::client_config(client, early_data).unwrap()
}

/// How a connection went at both ends.
pub(super) struct Met {
    pub(super) client: Result<Connection, ConnectionError>,
    pub(super) server: Result<quic::Client, ConnectionError>,
    _endpoint: Endpoint,
}

impl Met {
    #[track_caller]
    pub(super) fn server(&self) -> quic::Server {
        quic::server(self.client.as_ref().unwrap()).unwrap()
    }

    #[track_caller]
    pub(super) fn peer(&self) -> Peer {
        self.server().peer().clone()
    }

    #[track_caller]
    pub(super) fn served(&self) -> Served {
        self.server.as_ref().unwrap().served.clone()
    }

    #[track_caller]
    pub(super) fn protocol(&self) -> Vec<u8> {
        let data = self.client.as_ref().unwrap().handshake_data().unwrap();
        data.downcast::<HandshakeData>().unwrap().protocol.unwrap()
    }

    /// The alert that the client has sent and the server got, and what the server can read.
    #[track_caller]
    pub(super) fn alert_at_server(&self) -> (AlertDescription, String) {
        assert_eq!(sent(&self.client), received(&self.server).0);
        received(&self.server)
    }

    /// The alert that the server has sent and the client got, and what the client can read.
    #[track_caller]
    pub(super) fn alert_at_client(&self) -> (AlertDescription, String) {
        assert_eq!(sent(&self.server), received(&self.client).0);
        received(&self.client)
    }
}

#[track_caller]
fn sent<T>(outcome: &Result<T, ConnectionError>) -> AlertDescription {
    match outcome {
        Err(ConnectionError::TransportError(error)) => alert(error.code.into()),
        Err(other) => panic!("no alert was sent: {other:?}"),
        Ok(_) => panic!("there is a connection"),
    }
}

#[track_caller]
fn received<T>(outcome: &Result<T, ConnectionError>) -> (AlertDescription, String) {
    match outcome {
        Err(ConnectionError::ConnectionClosed(close)) => {
            let reason = String::from_utf8(close.reason.to_vec()).unwrap();
            (alert(close.error_code.into()), reason)
        }
        Err(other) => panic!("no alert was received: {other:?}"),
        Ok(_) => panic!("there is a connection"),
    }
}

/// CRYPTO_ERROR (RFC 9001 §4.8).
#[track_caller]
pub(super) fn alert(code: u64) -> AlertDescription {
    let number = code.checked_sub(0x100).unwrap();
    AlertDescription::from(u8::try_from(number).unwrap())
}

/// Connects, and exchanges a line each way.
pub(super) async fn connect(config: &quinn::ClientConfig, server: &Listening, name: &str) -> Met {
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config.clone(), server.address, name);
    let client = match connecting.unwrap().await {
        Ok(connection) => match exchange(&connection).await {
            Ok(line) => {
                assert_eq!(line, b"ping");
                Ok(connection)
            }
            // The client's handshake is over before its certificate is judged.
            Err(_) => Err(connection.closed().await),
        },
        Err(error) => Err(error),
    };
    Met {
        client,
        server: server.outcome().await,
        _endpoint: endpoint,
    }
}

/// Sends a line, and returns what comes back.
pub(super) async fn exchange(connection: &Connection) -> Result<Vec<u8>, Failed> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(b"ping").await?;
    send.finish()?;
    Ok(receive.read_to_end(100).await?)
}

pub(super) type Failed = Box<dyn std::error::Error + Send + Sync>;
