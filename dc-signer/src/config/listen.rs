//! `[listen]`: the address, the service's own certificate, and how much of everything is let in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_admission::QueueLimits;
use serde::{Deserialize, Deserializer};

use super::entrances::{HealthListener, OperatorListener, ProxiedListener};
use super::networks::Networks;
use super::values;

/// `[listen]`: address, certificate, and limits of connections.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Listen {
    /// The address and port.
    #[serde(deserialize_with = "values::address")]
    pub address: SocketAddr,
    /// The chain of the service's own certificate, in PEM.
    #[serde(deserialize_with = "values::path")]
    pub certificate: PathBuf,
    /// Its private key.
    #[serde(deserialize_with = "values::path")]
    pub key: PathBuf,
    /// The proxies that begin each connection with a PROXY header (version 2), and nobody else does.
    #[serde(default, deserialize_with = "values::networks")]
    pub proxy_protocol: Networks,
    /// TLS 1.2 is allowed beside TLS 1.3.
    #[serde(default)]
    pub tls12: bool,
    /// The most handshakes in progress; those beyond wait.
    #[serde(default = "as_many_as_fit", deserialize_with = "number")]
    pub max_handshakes: usize,
    /// The most that wait for their handshake.
    #[serde(default = "as_many_as_fit", deserialize_with = "number")]
    pub max_waiting_handshakes: usize,
    /// How long they wait at most: later no client waits for an answer any more.
    #[serde(default = "seconds::<10>", deserialize_with = "time")]
    pub handshake_wait: Duration,
    /// The most connections.
    #[serde(default = "many", deserialize_with = "number")]
    pub max_connections: usize,
    /// The most connections of one IPv4 address or IPv6 network of 64 bits.
    #[serde(default = "as_many_as_fit", deserialize_with = "number")]
    pub max_connections_per_address: usize,
    /// The most requests in progress.
    #[serde(default = "as_many_as_fit", deserialize_with = "number")]
    pub max_requests: usize,
    /// The longest time of a handshake.
    #[serde(default = "seconds::<5>", deserialize_with = "time")]
    pub handshake_timeout: Duration,
    /// The longest time that the head of a request may take, and that a connection may wait for one.
    #[serde(default = "seconds::<10>", deserialize_with = "time")]
    pub header_timeout: Duration,
    /// The longest time in which nothing moves on a connection.
    #[serde(default = "seconds::<30>", deserialize_with = "time")]
    pub idle_timeout: Duration,
    /// The longest time of a request, from its head to its answer.
    #[serde(default = "seconds::<30>", deserialize_with = "time")]
    pub request_timeout: Duration,
    /// The same of a bulk request.
    #[serde(default = "seconds::<600>", deserialize_with = "time")]
    pub bulk_timeout: Duration,
    /// After how long a connection is asked to end.
    #[serde(default = "seconds::<3600>", deserialize_with = "time")]
    pub max_age: Duration,
    /// The time that requests in progress get when the service stops.
    #[serde(default = "seconds::<30>", deserialize_with = "time")]
    pub shutdown_timeout: Duration,
    /// Where operators come in; at `address` if it is left out.
    #[serde(default)]
    pub operators: Option<OperatorListener>,
    /// Where health and metrics are; at `address` if it is left out.
    #[serde(default)]
    pub health: Option<HealthListener>,
    /// Where proxies that end TLS connect; nowhere if it is left out.
    #[serde(default)]
    pub proxied: Option<ProxiedListener>,
}

impl Listen {
    /// The most handshakes in progress that there really are: half of the places are for others.
    #[must_use]
    pub fn most_handshakes(&self) -> usize {
        self.max_handshakes.min(self.half())
    }

    /// The most requests in progress that there really are: else those that wait could take all places.
    #[must_use]
    pub fn most_requests(&self) -> usize {
        self.max_requests.min(self.half())
    }

    /// The limits of those who wait for a handshake, and of those that make one.
    #[must_use]
    pub fn handshakes(&self) -> QueueLimits {
        QueueLimits {
            inside: self.most_handshakes(),
            waiting: self.max_waiting_handshakes.min(self.half()),
            patience: self.handshake_wait,
            // Longer than an honest one takes over a slow line.
            grace: (self.handshake_timeout / 5).min(Duration::from_secs(1)),
        }
    }

    /// The settings of the listener that operators have to themselves, if they have one.
    #[must_use]
    pub fn for_operators(&self) -> Option<Self> {
        let OperatorListener {
            address,
            proxy_protocol,
            max_connections,
        } = self.operators.clone()?;
        Some(self.of_few(address, proxy_protocol, max_connections))
    }

    /// The settings of the listener with TLS that health and metrics have to themselves, if they have one.
    #[must_use]
    pub fn for_health(&self) -> Option<Self> {
        let HealthListener::Tls(address) = self.health.clone()? else {
            return None;
        };
        Some(self.of_few(address, Networks::default(), FOR_HEALTH))
    }

    /// The settings of the listener that proxies which end TLS have to themselves, if there is one.
    #[must_use]
    pub fn for_proxies(&self) -> Option<Self> {
        let proxied = self.proxied.as_ref()?;
        let (address, most) = (proxied.address, proxied.max_connections);
        Some(self.of_few(address, Networks::default(), most))
    }

    /// As many connections of one address as there may be: these are not strangers.
    fn of_few(&self, address: SocketAddr, proxies: Networks, connections: usize) -> Self {
        Self {
            address,
            proxy_protocol: proxies,
            max_connections: connections,
            max_connections_per_address: connections,
            operators: None,
            health: None,
            proxied: None,
            ..self.clone()
        }
    }

    fn half(&self) -> usize {
        (self.max_connections / 2).max(1)
    }

    /// With paths that begin at a folder, and limits of which nothing was said as high as the others let them be.
    pub(super) fn settle(mut self, base: &Path) -> Self {
        let (half, all) = (self.half(), self.max_connections);
        for (limit, fits) in [
            (&mut self.max_handshakes, half.min(512)),
            (&mut self.max_waiting_handshakes, half.min(2000)),
            (&mut self.max_connections_per_address, all.min(1000)),
            (&mut self.max_requests, half.min(2000)),
        ] {
            if *limit == as_many_as_fit() {
                *limit = fits;
            }
        }
        self.certificate = base.join(&self.certificate);
        self.key = base.join(&self.key);
        self.health = self.health.map(|health| health.begin_at(base));
        self.proxied = self.proxied.map(|proxied| proxied.begin_at(base));
        self
    }
}

fn number<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    values::count::<D, 1, 1_000_000>(value)
}

fn time<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    values::time::<D, 100, 86_400_000>(value)
}

/// Connections: of a service manager, a scraper or two, and somebody who looks.
const FOR_HEALTH: usize = 64;

/// Nobody can write this number.
const fn as_many_as_fit() -> usize {
    usize::MAX
}

const fn many() -> usize {
    7000
}

const fn seconds<const SECONDS: u64>() -> Duration {
    Duration::from_secs(SECONDS)
}
