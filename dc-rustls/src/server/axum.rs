//! A listener for `axum::serve`.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use ::axum::extract::connect_info::Connected;
use ::axum::serve::{self, IncomingStream};
use tokio::net::TcpStream;

use super::{Accepted, AsyncStream, Listener};

/// For `axum::serve`. axum's feature `http2` is the application's to turn on, if it has `h2` among its
/// [`alpn_protocols`](super::Settings::alpn_protocols).
impl serve::Listener for Listener {
    type Io = AsyncStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match Self::accept(self).await {
            Some(connection) => connection,
            // axum drops a listener to shut it down; whoever has done so before wants no connection.
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(Self::local_addr(self))
    }
}

/// For `into_make_service_with_connect_info`, so that handlers know each client and what it was served with.
///
/// Where [`Settings::client_credentials`](super::Settings::client_credentials) asks for one, that is the client's name too:
///
/// ```
/// use axum::extract::ConnectInfo;
/// use dc_rustls::server::{Accepted, Peer};
///
/// async fn greet(ConnectInfo(client): ConnectInfo<Accepted>) -> String {
///     match client.peer.as_deref() {
///         Some(Peer::Delegated { unique_name: Some(name), .. }) => format!("hello {name}"),
///         _ => "hello stranger".to_owned(),
///     }
/// }
/// # let _ = axum::Router::<()>::new().route("/", axum::routing::get(greet));
/// ```
impl Connected<IncomingStream<'_, Listener>> for Accepted {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self::new(stream.io(), *stream.remote_addr())
    }
}
