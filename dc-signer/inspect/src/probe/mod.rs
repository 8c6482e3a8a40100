//! Connects to a server and says everything about the handshake, accepted or not.

mod client;
mod error;
mod handshake;
mod hello;
mod recorder;
mod seen;
mod target;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dc_rustls::client::IdentityStore;
use pki_types::ServerName;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

pub use self::client::{Accepted, Asked, Offer};
pub use self::error::Error;
pub use self::handshake::{HandshakeError, SentBy, alert_name};
pub use self::hello::{Chosen, Offered};
pub use self::seen::Seen;
pub use self::target::Target;

use self::client::Client;
use self::recorder::{Log, Recorder};

/// How to probe.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name to want, which also goes into server_name.
    pub name: ServerName<'static>,
    /// Which credentials to offer to understand.
    pub offer: Offer,
    /// The credentials to present if the server asks clients for one; with them, TLS 1.3 alone is offered.
    pub identity: Option<Arc<IdentityStore>>,
    /// The application protocols to offer.
    pub alpn: Vec<Vec<u8>>,
    /// The roots to trust; without them every chain passes, and is shown as unknown.
    pub roots: Option<Arc<RootCertStore>>,
    /// How long to wait for the connection, and again for the handshake.
    pub timeout: Duration,
    /// The cryptography to use.
    pub provider: Arc<CryptoProvider>,
}

/// One handshake with a server.
#[derive(Debug)]
#[non_exhaustive]
pub struct Probe {
    /// The address that was connected to.
    pub address: SocketAddr,
    /// How long it took until the TCP connection stood.
    pub connected_in: Duration,
    /// The offer of the ClientHello.
    pub offered: Option<Offered>,
    /// The choices of the ServerHello.
    pub chosen: Option<Chosen>,
    /// The certificates and the credential that arrived.
    pub seen: Option<Seen>,
    /// The connection, or the reason that there is none.
    pub result: Result<Accepted, HandshakeError>,
    /// The answer to a request for the client's own credential; `None` without an identity.
    pub client: Option<Asked>,
    /// True if a second connection resumed the session of the first; `None` if it was not tried or
    /// not made.
    pub resumed: Option<bool>,
}

/// Connects once, and once more to see whether the session is resumed.
///
/// Whatever the server does is an outcome. Fails with [`Error::Unreachable`] if there is no TCP
/// connection, and with [`Error::NotMade`] if the settings make no client.
pub fn probe(target: &Target, settings: &Settings) -> Result<Probe, Error> {
    let seen = seen::Shared::default();
    let client = Client::new(settings, &seen)?;
    let begin = Instant::now();
    let (tcp, address) = connect(target, settings.timeout)?;
    let connected_in = begin.elapsed();
    let log = Log::default();
    let io = Recorder::new(tcp, settings.timeout, log.clone());
    // A server judges its client behind the handshake.
    let linger = settings.identity.as_ref().map_or(TICKETS, |_| JUDGEMENT);
    let result = client.connect(settings.name.clone(), io, linger);
    let result = result.map_err(|error| HandshakeError::new(error, &log, settings.timeout));
    let asked = client.asked(settings);
    let resumed = match result {
        Ok(_) => resumes(&client, address, settings),
        Err(_) => None,
    };
    Ok(Probe {
        address,
        connected_in,
        offered: log.sent(hello::client_hello),
        chosen: log.received(hello::server_hello),
        seen: seen.take(),
        result,
        client: asked,
        resumed,
    })
}

fn resumes(client: &Client, address: SocketAddr, settings: &Settings) -> Option<bool> {
    let tcp = TcpStream::connect_timeout(&address, settings.timeout).ok()?;
    let io = Recorder::new(tcp, settings.timeout, Log::default());
    let again = client
        .connect(settings.name.clone(), io, Duration::ZERO)
        .ok()?;
    Some(again.is_resumed)
}

/// The first address of the target that answers.
fn connect(target: &Target, timeout: Duration) -> Result<(TcpStream, SocketAddr), Error> {
    let unreachable = |source| Error::Unreachable {
        target: target.clone(),
        source,
    };
    let mut last = std::io::ErrorKind::NotFound.into();
    for address in target.addresses().map_err(unreachable)? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(tcp) => return Ok((tcp, address)),
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// How long a server that has tickets may take to send them.
const TICKETS: Duration = Duration::from_millis(300);
/// How long a server may take to refuse its client.
const JUDGEMENT: Duration = Duration::from_secs(2);
