//! Clients: ours with each policy, and one that has never heard of credentials.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dc_core::UniqueName;
use dc_rustls::client::{self, Peer};
use dc_rustls::server::Acceptor;
use pki_types::{ServerName, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use super::cannot;
use super::fleet::Fleet;
use super::server::{REPLY, REQUEST, serve};
use crate::cmd::Error;

/// How an attempt to reach a device ended.
pub(super) type Attempt = Result<Accepted, dc_rustls::Error>;

/// A server that a client talked to.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) peer: Peer,
    pub(super) resumed: bool,
}

/// A client that knows credentials. It remembers sessions.
pub(super) struct Client {
    config: client::Config,
    clock: Arc<Clock>,
}

impl Client {
    pub(super) fn new(fleet: &Fleet, policy: client::NamePolicy) -> Result<Self, Error> {
        let clock = Arc::<Clock>::default();
        let config = client::Config::builder(fleet.provider.clone())
            .roots(fleet.roots()?)
            .unique_name(policy)
            .time_provider(clock.clone())
            .build()
            .map_err(cannot("configure a client"))?;
        Ok(Self { config, clock })
    }

    /// Wants to reach `name`, and meets this server.
    pub(super) fn meet(
        &self,
        acceptor: &Acceptor,
        name: &UniqueName<'_>,
    ) -> Result<Attempt, Error> {
        let name = server_name(name)?;
        serve(acceptor, |tcp| {
            let mut stream = self.config.connect(name, tcp)?;
            talk(&mut stream)?;
            Ok(Accepted {
                peer: stream.peer().clone(),
                resumed: stream.connection().handshake_kind() == Some(HandshakeKind::Resumed),
            })
        })
    }

    /// Lets time pass for this client alone.
    pub(super) fn wait(&self, time: Duration) {
        self.clock.0.fetch_add(time.as_secs(), Ordering::Relaxed);
    }
}

/// Meets this server with a client of stock rustls, which offers no credentials.
pub(super) fn meet_with_stock_rustls(
    fleet: &Fleet,
    acceptor: &Acceptor,
    name: &UniqueName<'_>,
) -> Result<Attempt, Error> {
    let config = ClientConfig::builder_with_provider(fleet.provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(cannot("configure a client of stock rustls"))?
        .with_root_certificates(fleet.roots()?)
        .with_no_client_auth();
    let name = server_name(name)?;
    serve(acceptor, |tcp: TcpStream| {
        let connection = ClientConnection::new(config.into(), name)?;
        talk(&mut StreamOwned::new(connection, tcp))?;
        Ok(Accepted {
            peer: Peer::Certificate,
            resumed: false,
        })
    })
}

/// Asks and reads the whole answer, behind which session tickets have arrived too.
pub(super) fn talk(stream: &mut (impl Read + Write)) -> io::Result<()> {
    stream.write_all(REQUEST)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    match reply == REPLY {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

pub(super) fn server_name(name: &UniqueName<'_>) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.as_str().to_owned()).map_err(cannot("name a server"))
}

/// The system's clock, some seconds ahead.
#[derive(Debug, Default)]
struct Clock(AtomicU64);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = DefaultTimeProvider.current_time()?.as_secs();
        let ahead = self.0.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(now + ahead)))
    }
}
