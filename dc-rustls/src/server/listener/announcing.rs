//! The bytes in front of a handshake, and an application's way to read them.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpStream;

type Reading = Pin<Box<dyn Future<Output = Option<(TcpStream, SocketAddr)>> + Send>>;

/// An application's way to read them.
#[derive(Clone)]
pub(super) struct Announcing(Arc<dyn Fn(TcpStream, SocketAddr) -> Reading + Send + Sync>);

impl Announcing {
    pub(super) fn new<F>(read: impl Fn(TcpStream, SocketAddr) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<(TcpStream, SocketAddr)>> + Send + 'static,
    {
        Self(Arc::new(move |tcp, address| Box::pin(read(tcp, address))))
    }

    /// A connection with the address that counts from now on; none if it is refused.
    pub(super) fn read(&self, tcp: TcpStream, from: SocketAddr) -> Reading {
        (self.0)(tcp, from)
    }
}

impl fmt::Debug for Announcing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Announcing(..)")
    }
}
