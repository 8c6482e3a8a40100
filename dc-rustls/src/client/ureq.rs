//! A connector for agents of ureq.

use std::fmt;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time;

use ::ureq::config::Config as AgentConfig;
use ::ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ::ureq::unversioned::transport::time::{Duration, Instant};
use ::ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, TcpConnector, Transport,
    TransportAdapter,
};
use ::ureq::{Agent, Error as AgentError};
use http::Uri;

use super::{Config, Stream, url};
use crate::Error;

/// Makes TLS connections for an agent of ureq 3, in its chain of connectors behind the one that makes TCP connections.
///
/// [`agent`](Self::agent) is the whole chain. ureq keeps connections apart by scheme, host and port, so no request for
/// one device goes to another. It has no way to say who answered: use [`Builder::authorize`](super::Builder::authorize) to look at
/// the peer.
///
/// ureq's interface for connectors may change in any of its releases 3.x; this follows it.
///
/// ```no_run
/// use dc_rustls::client::{Config, UreqConnector};
///
/// # fn get(config: Config) -> Result<(), Box<dyn std::error::Error>> {
/// let agent = UreqConnector::new(config).agent();
/// println!("{}", agent.get("https://k3v.cpe.example.com/").call()?.into_body().read_to_string()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct UreqConnector {
    config: Config,
}

impl UreqConnector {
    /// A connector with this configuration, which offers `http/1.1` with ALPN or nothing: ureq speaks no other.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// An agent that connects with this, to `https` URIs alone and without a proxy, and gives up after 30 seconds.
    ///
    /// For other settings, [`agent_with`](Self::agent_with).
    #[must_use]
    pub fn agent(self) -> Agent {
        self.agent_with(settings())
    }

    /// The same for a device whose address is known from elsewhere: all requests go there, and the names in their URIs
    /// are what it has to prove to have.
    #[must_use]
    pub fn agent_at(self, address: SocketAddr) -> Agent {
        Agent::with_parts(settings(), self.chained(), At(address))
    }

    /// An agent with these settings, of which those for TLS are not used. It has to have no proxy.
    #[must_use]
    pub fn agent_with(self, config: AgentConfig) -> Agent {
        Agent::with_parts(config, self.chained(), DefaultResolver::default())
    }

    fn chained(self) -> impl Connector<Out = UreqTransport> {
        ().chain(TcpConnector::default()).chain(self)
    }
}

fn settings() -> AgentConfig {
    Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .build()
}

/// Has one address for every name.
#[derive(Debug)]
struct At(SocketAddr);

impl Resolver for At {
    fn resolve(
        &self,
        _: &Uri,
        _: &AgentConfig,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, AgentError> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}

/// Fails with ureq's `Other`, which has an [`Error`] inside, for all reasons but time-outs and those of the network.
impl<In: Transport> Connector<In> for UreqConnector {
    type Out = UreqTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<UreqTransport>, AgentError> {
        let name = url::server_name(details.uri).map_err(to_ureq)?;
        let Some(chained) = chained else {
            return Ok(None);
        };
        let clock = details.current_time.clone();
        let mut io = TransportAdapter::new(chained.boxed(), clock);
        io.set_timeout(left(details));
        let tls = self.config.connect(name, io).map_err(to_ureq)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(UreqTransport { tls, buffers }))
    }
}

/// A TLS connection of an agent of ureq.
pub struct UreqTransport {
    tls: Stream<TransportAdapter>,
    buffers: LazyBuffers,
}

impl Transport for UreqTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), AgentError> {
        self.tls.get_mut().set_timeout(timeout);
        let output = self.buffers.output();
        self.tls
            .write_all(output.get(..amount).unwrap_or_default())?;
        Ok(self.tls.flush()?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, AgentError> {
        self.tls.get_mut().set_timeout(timeout);
        let read = self.tls.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        // A credential that has ended meanwhile is as good as none.
        self.tls.recheck().is_ok() && self.tls.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for UreqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tls, buffers: _ } = self;
        f.debug_struct("UreqTransport")
            .field("peer", tls.peer())
            .finish_non_exhaustive()
    }
}

/// Of the time for connecting, what the TCP connection has left.
fn left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    let now = (details.current_time)();
    if let (Duration::Exact(after), Instant::Exact(began), Instant::Exact(now)) =
        (timeout.after, details.now, now)
    {
        let spent = now.saturating_duration_since(began);
        timeout.after = Duration::Exact(after.saturating_sub(spent));
    }
    timeout
}

fn to_ureq(error: Error) -> AgentError {
    match error {
        // It may carry one of ureq's own, a time-out as an example.
        Error::Io(error) => error.into(),
        error => AgentError::Other(Box::new(error)),
    }
}

const TIMEOUT: time::Duration = time::Duration::from_secs(30);
