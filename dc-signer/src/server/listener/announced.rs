//! Connections of load balancers, which say in front of each whose it is, and those of everybody else, who must not.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::proxied::{self, HeaderError};
use crate::config::Networks;
use crate::server::telemetry::{Handshake, Metrics};

/// The balancers of a listener that has nothing else to do with a connection before its handshake.
#[derive(Clone, Debug)]
pub(in crate::server) struct Balancers {
    networks: Networks,
    /// The key of the configuration that has them.
    setting: &'static str,
    limit: Duration,
    announced: Arc<Announced>,
}

impl Balancers {
    pub(in crate::server) fn new(
        (setting, networks): (&'static str, Networks),
        limit: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            networks,
            setting,
            limit,
            announced: Announced::new(metrics).into(),
        }
    }

    /// A connection with the address of its client, once it has said something; none if it was reset: it is a balancer's that does
    /// not say whose it is, or somebody else's who does.
    pub(in crate::server) async fn client(
        self,
        tcp: TcpStream,
        from: SocketAddr,
    ) -> Option<(TcpStream, SocketAddr)> {
        if self.networks.contains(from.ip()) {
            return self.announced.named(tcp, from, self.limit).await;
        }
        // Readiness may be a mistake: then it is heard as one that has said something else.
        tcp.readable().await.ok()?;
        if !proxied::is_ahead(&tcp).await {
            return Some((tcp, from));
        }
        self.announced
            .metrics
            .handshake_ended(Handshake::ProxyHeader);
        refuse_header(&tcp, from.ip(), self.setting);
        None
    }
}

/// Resets the connection of somebody who says whose it is, and is not believed.
pub(super) fn refuse_header(tcp: &TcpStream, from: IpAddr, setting: &str) {
    tracing::debug!(
        client = %from.to_canonical(),
        "a connection is reset that begins with a PROXY header, and is of none of {setting}"
    );
    let _ = tcp.set_zero_linger();
}

/// The words of balancers, and of the log about those who say nothing.
#[derive(Debug)]
pub(super) struct Announced {
    metrics: Arc<Metrics>,
    complaint: Complaint,
}

impl Announced {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            complaint: Complaint::default(),
        }
    }

    /// A proxy's connection with the address of its client, which is the proxy itself if it says so; none if the proxy does not say it.
    pub(super) async fn named(
        &self,
        mut tcp: TcpStream,
        proxy: SocketAddr,
        limit: Duration,
    ) -> Option<(TcpStream, SocketAddr)> {
        let read = timeout(limit, proxied::read(&mut tcp)).await;
        let (outcome, why) = match read {
            Ok(Ok(client)) => return Some((tcp, client.unwrap_or(proxy))),
            Ok(Err(error)) => (Handshake::ProxyHeader, Some(error)),
            Err(_) => (Handshake::TimedOut, None),
        };
        self.metrics.handshake_ended(outcome);
        let proxy = proxy.ip().to_canonical();
        match &why {
            None => tracing::debug!(
                %proxy,
                "a proxy's connection is reset: its PROXY header did not come within listen.handshake_timeout"
            ),
            // Some look in this way whether anybody is there.
            Some(error @ HeaderError::Ended(_)) => {
                tracing::debug!(%proxy, "a proxy's connection is reset: {error}");
            }
            Some(error) if self.complaint.is_due() => {
                tracing::warn!(%proxy, "a proxy's connection is reset: {error}");
            }
            Some(error) => tracing::debug!(%proxy, "a proxy's connection is reset: {error}"),
        }
        let _ = tcp.set_zero_linger();
        None
    }

    /// Resets the connection of somebody who is no proxy where proxies connect.
    pub(super) fn turn_away(&self, tcp: &TcpStream, address: SocketAddr) {
        self.metrics.handshake_ended(Handshake::ProxyHeader);
        let client = address.ip().to_canonical();
        let why = "a connection is reset to listen.proxied.address, which is from none of listen.proxied.proxies";
        match self.complaint.is_due() {
            true => tracing::warn!(%client, "{why}"),
            false => tracing::debug!(%client, "{why}"),
        }
        let _ = tcp.set_zero_linger();
    }
}

/// A warning that a proxy could make come very often.
#[derive(Debug, Default)]
struct Complaint(Mutex<Option<Instant>>);

impl Complaint {
    /// True at most once a minute.
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() >= BETWEEN_COMPLAINTS);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(60);
