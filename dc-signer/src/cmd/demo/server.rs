//! Servers on loopback sockets, one connection each.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dc_core::UniqueName;
use dc_rustls::client::Peer;
use dc_rustls::server::{Acceptor, Identity, Store, danger};
use rustls::{ConfigBuilder, HandshakeKind, ServerConfig};

use super::cannot;
use super::fleet::Fleet;
use crate::cmd::Error;

/// The server of an honest device: it serves only what is in order.
pub(super) fn honest(fleet: &Fleet, identity: Identity) -> Result<Acceptor, Error> {
    let store = Store::new(fleet.provider.clone());
    store
        .install(identity)
        .map_err(cannot("install an identity"))?;
    Ok(Acceptor::new(store))
}

/// The server of an attacker: it serves whatever it has.
pub(super) fn reckless(fleet: &Fleet, identity: Identity) -> Result<Acceptor, Error> {
    let store = Store::new(fleet.provider.clone());
    danger::install_unchecked(&store, identity).map_err(cannot("install a forged identity"))?;
    Ok(Acceptor::new(store))
}

/// The configuration of an ordinary server of this name, without a credential.
pub(super) fn ordinary(fleet: &Fleet, name: &UniqueName<'_>) -> Result<Arc<ServerConfig>, Error> {
    let certificate = fleet.root.certify_server(name, fleet.now)?;
    let chain = vec![certificate.certificate().clone()];
    ServerConfig::builder_with_provider(fleet.provider.clone())
        .with_safe_default_protocol_versions()
        .map(ConfigBuilder::<ServerConfig, _>::with_no_client_auth)
        .and_then(|config| config.with_single_cert(chain, certificate.private_key()))
        .map(Arc::new)
        .map_err(cannot("configure an ordinary server"))
}

/// Lets `client` talk to a server that answers this one connection.
pub(super) fn serve<R>(
    acceptor: &Acceptor,
    client: impl FnOnce(TcpStream) -> R,
) -> Result<R, Error> {
    // A refused server sees the client's alert; the client's side is the outcome.
    serve_both(acceptor, client).map(|(client, _)| client)
}

/// As [`serve`], with the server's side of it.
pub(super) fn serve_both<R>(
    acceptor: &Acceptor,
    client: impl FnOnce(TcpStream) -> R,
) -> Result<(R, Result<Visitor, dc_rustls::Error>), Error> {
    let (near, far) = connected().map_err(cannot("connect over the loopback interface"))?;
    thread::scope(|scope| {
        let server = scope.spawn(|| answer(acceptor, far));
        let client = client(near);
        match server.join() {
            Ok(server) => Ok((client, server)),
            Err(_) => Err(cannot("serve")("the server's thread panicked")),
        }
    })
}

/// The client, as a server knows it.
#[derive(Debug)]
pub(super) struct Visitor {
    /// `None` if it presented nothing.
    pub(super) peer: Option<Peer>,
    pub(super) resumed: bool,
}

/// Both ends of a TCP connection. The backlog takes it before anybody accepts, so nothing can hang.
fn connected() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    for end in [&near, &far] {
        end.set_read_timeout(Some(TIMEOUT))?;
        end.set_write_timeout(Some(TIMEOUT))?;
    }
    Ok((near, far))
}

fn answer(acceptor: &Acceptor, tcp: TcpStream) -> Result<Visitor, dc_rustls::Error> {
    let mut tls = acceptor.accept(tcp)?;
    let mut request = [0; REQUEST.len()];
    tls.read_exact(&mut request)?;
    tls.write_all(REPLY)?;
    tls.connection_mut().send_close_notify();
    tls.flush()?;
    Ok(Visitor {
        peer: tls.peer().cloned(),
        resumed: tls.connection().handshake_kind() == Some(HandshakeKind::Resumed),
    })
}

/// The request of clients, and its reply.
pub(super) const REQUEST: &[u8] = b"who is there?";
pub(super) const REPLY: &[u8] = b"a CPE";
const TIMEOUT: Duration = Duration::from_secs(5);
