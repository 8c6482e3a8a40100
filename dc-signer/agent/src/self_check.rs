//! A look at this device's own server, as a client has it: does it serve the credential that was installed?

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use pki_types::{ServerName, UnixTime};
use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use rustls::time_provider::TimeProvider;

use super::generation::Generation;

/// Connects to a server and wants the generation's name and key, at the time that the agent believes in.
///
/// Fails with [`SelfCheckError`].
pub fn run(
    address: SocketAddr,
    roots: &Arc<RootCertStore>,
    generation: &Generation,
    now: UnixTime,
) -> Result<(), SelfCheckError> {
    let unreachable = |source| SelfCheckError::Unreachable { address, source };
    let refused = |source| SelfCheckError::Refused { address, source };
    let name = ServerName::try_from(generation.meta.name.clone())
        .map_err(|source| unreachable(io::Error::other(source)))?;
    let named = generation
        .server
        .credentials
        .iter()
        .any(|stored| stored.form == Form::Named);
    let client = Config::builder(Arc::new(default_provider()))
        .roots(roots.clone())
        .unique_name(match named {
            true => NamePolicy::Required,
            false => NamePolicy::Ignored,
        })
        .time_provider(Arc::new(At(now)))
        .without_resumption()
        .build()
        .map_err(refused)?;
    let tcp = TcpStream::connect_timeout(&address, TIMEOUT).map_err(unreachable)?;
    tcp.set_read_timeout(Some(TIMEOUT)).map_err(unreachable)?;
    tcp.set_write_timeout(Some(TIMEOUT)).map_err(unreachable)?;
    let mut stream = client.connect(name, tcp).map_err(refused)?;
    // To a server, and to whatever is behind it, a connection without this was cut off. Whoever is gone needs none.
    stream.connection_mut().send_close_notify();
    let _ = stream.flush();
    match stream.peer() {
        Peer::Delegated { spki, .. } if *spki == generation.server.spki => Ok(()),
        _ => Err(SelfCheckError::NotTheCurrentOne {
            address,
            number: generation.number,
        }),
    }
}

/// The time that the agent believes in.
#[derive(Debug)]
struct At(UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// The reason that clients do not get the new credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfCheckError {
    /// The server has another one: an older one, as a rule.
    #[error(
        "the server at {address} does not serve dc-{number}: see that it follows 'current' or that the hook reloads it"
    )]
    NotTheCurrentOne {
        /// The server.
        address: SocketAddr,
        /// The generation that it should serve.
        number: u64,
    },
    /// A client would not accept what the server serves.
    #[error("clients do not accept what the server at {address} serves: {source}")]
    Refused {
        /// The server.
        address: SocketAddr,
        /// The cause.
        source: dc_rustls::Error,
    },
    /// There is no connection.
    #[error("the server at {address} cannot be reached: {source}: start it, or check 'self_check'")]
    Unreachable {
        /// The server.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
}

/// It is on the same machine.
const TIMEOUT: Duration = Duration::from_secs(5);
