//! From a name to a connection whose device has proved it.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dc_core::pem;
use dc_rustls::Withdrawals;
use dc_rustls::client::{AsyncStream, Config, NamePolicy};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::UnixTime;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::asked::{Asked, Trust};
use crate::error::Error;
use crate::target::{Place, Target};

/// Makes connections.
#[derive(Clone, Debug)]
pub struct Dialer {
    tls: Config,
    lists: Option<Arc<Withdrawals>>,
    to: Option<Place>,
    asked: Asked,
    timeout: Duration,
}

/// A TLS connection with a device that is known.
pub type Connection = AsyncStream<TcpStream>;

impl Dialer {
    /// With these roots, proofs, application protocols, and lists of withdrawn names.
    ///
    /// Fails with [`Error::File`] if the file has no roots, and with [`Error::Unusable`] if they verify nothing.
    pub fn new(
        roots: &Path,
        trust: Trust,
        alpn_protocols: Vec<Vec<u8>>,
        lists: Option<Arc<Withdrawals>>,
    ) -> Result<Self, Error> {
        let asked = Asked {
            to: false,
            alpn: !alpn_protocols.is_empty(),
            trust,
        };
        let builder = Config::builder(Arc::new(ring::default_provider()))
            .roots(read_roots(roots)?)
            .unique_name(match trust.unnamed {
                true => NamePolicy::Preferred,
                false => NamePolicy::Required,
            })
            .alpn_protocols(alpn_protocols);
        let builder = match trust.certificate {
            true => builder.or_certificate(),
            false => builder,
        };
        let builder = match &lists {
            Some(lists) => builder.withdrawals(lists.clone()),
            None => builder,
        };
        Ok(Self {
            tls: builder.build().map_err(Error::Unusable)?,
            lists,
            to: None,
            asked,
            timeout: TIMEOUT,
        })
    }

    /// Connects there, whatever address the name has; the port is the target's if there is none.
    #[must_use]
    pub fn to(mut self, to: Option<Place>) -> Self {
        self.asked.to = to.is_some();
        self.to = to;
        self
    }

    /// How long it may take from the name to the end of the handshake; 10 seconds unless this is called.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects, and returns when the device has proved the name. If there is a list of withdrawn names, and it is not that of the name's zone, that is
    /// said on standard error.
    ///
    /// Fails with [`Error::Unreachable`], [`Error::TooSlow`] and [`Error::NotProved`].
    pub async fn dial(&self, target: &Target) -> Result<Connection, Error> {
        self.say_unlisted(target);
        let end = Instant::now() + self.timeout;
        let too_slow = || Error::TooSlow {
            target: target.clone(),
            after: self.timeout,
        };
        let (tcp, at) = timeout_at(end, self.reach(target, end))
            .await
            .map_err(|_| too_slow())??;
        let shaking = self.tls.connect_async(target.name.clone(), tcp);
        let shaken = timeout_at(end, shaking).await.map_err(|_| too_slow())?;
        shaken.map_err(|source| Error::NotProved {
            target: target.clone(),
            at,
            asked: self.asked,
            source: Box::new(source),
        })
    }

    fn say_unlisted(&self, target: &Target) {
        let Some(lists) = &self.lists else { return };
        let list = target
            .zone()
            .and_then(|zone| lists.standing(&zone, UnixTime::now()));
        if list.is_none() {
            eprintln!(
                "dc-connect: the list of withdrawn names is not that of the zone of {}: whether it is withdrawn is not known",
                target.name.to_str()
            );
        }
    }

    /// The first of the addresses where somebody answers; each has its share of the time.
    async fn reach(&self, target: &Target, end: Instant) -> Result<(TcpStream, SocketAddr), Error> {
        let named = target.name.to_str();
        let (host, port) = match &self.to {
            Some(to) => (to.host.as_str(), to.port.unwrap_or(target.port)),
            None => (named.as_ref(), target.port),
        };
        let unreachable = |source| Error::Unreachable {
            target: target.clone(),
            to: self.to.as_ref().map(|to| Place {
                host: to.host.clone(),
                port: Some(port),
            }),
            source,
        };
        let addresses = resolve(host, port).await.map_err(unreachable)?;
        let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for (done, address) in addresses.iter().enumerate() {
            let left = end.saturating_duration_since(Instant::now());
            let share = u32::try_from(addresses.len() - done).unwrap_or(u32::MAX);
            let until = Instant::now() + left / share;
            match timeout_at(until, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    // Messages are whole, and a peer waits for each. It fails only if that peer is gone.
                    let _ = tcp.set_nodelay(true);
                    return Ok((tcp, *address));
                }
                Ok(Err(error)) => failure = error,
                Err(_) => failure = ErrorKind::TimedOut.into(),
            }
        }
        Err(unreachable(failure))
    }
}

async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![(address, port).into()]),
        Err(_) => Ok(lookup_host((host, port)).await?.collect()),
    }
}

fn read_roots(path: &Path) -> Result<RootCertStore, Error> {
    let fault = |source| Error::File {
        option: "--roots",
        path: path.to_owned(),
        source,
    };
    let file = fs::read(path).map_err(|error| fault(error.into()))?;
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(&file).map_err(|error| fault(error.into()))? {
        roots
            .add(certificate)
            .map_err(|error| fault(error.into()))?;
    }
    Ok(roots)
}

const TIMEOUT: Duration = Duration::from_secs(10);
