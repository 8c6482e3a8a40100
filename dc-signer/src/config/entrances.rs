//! `[listen.operators]`, `[listen.health]` and `[listen.proxied]`: addresses of their own for those who are not devices.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::networks::Networks;
use super::values;

/// `[listen.operators]`: where operators come in, and nowhere else then.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct OperatorListener {
    /// The address and port.
    #[serde(deserialize_with = "values::address")]
    pub address: SocketAddr,
    /// The proxies that begin each connection with a PROXY header.
    #[serde(default, deserialize_with = "values::networks")]
    pub proxy_protocol: Networks,
    /// The most connections.
    #[serde(default = "few", deserialize_with = "number")]
    pub max_connections: usize,
}

/// `[listen.health]`: where health and metrics are, and nowhere else then.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HealthListener {
    /// HTTP on a Unix socket.
    Unix(PathBuf),
    /// HTTP on this machine's own addresses.
    Plain(SocketAddr),
    /// HTTPS with the service's certificate.
    Tls(SocketAddr),
}

impl HealthListener {
    /// With paths that begin at a folder.
    pub(super) fn begin_at(self, base: &Path) -> Self {
        match self {
            Self::Unix(path) => Self::Unix(base.join(path)),
            at @ (Self::Plain(_) | Self::Tls(_)) => at,
        }
    }

    /// The address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix(_) => None,
            Self::Plain(address) | Self::Tls(address) => Some(*address),
        }
    }
}

/// `[listen.proxied]`: where proxies that end TLS connect, and nobody else.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ProxiedListener {
    /// The address and port.
    #[serde(deserialize_with = "values::address")]
    pub address: SocketAddr,
    /// The proxies that may connect.
    #[serde(deserialize_with = "values::networks")]
    pub proxies: Networks,
    /// The certificates of which each of them has to show one, in PEM; none if their address is enough.
    #[serde(default, deserialize_with = "path")]
    pub certificates: Option<PathBuf>,
    /// The header in which they say where a request comes from.
    #[serde(default)]
    pub client_header: ClientHeader,
    /// The most connections.
    #[serde(default = "many", deserialize_with = "number")]
    pub max_connections: usize,
}

impl ProxiedListener {
    /// With paths that begin at a folder.
    pub(super) fn begin_at(mut self, base: &Path) -> Self {
        self.certificates = self.certificates.map(|path| base.join(path));
        self
    }
}

/// The header in which proxies say where a request comes from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(
    rename_all = "kebab-case",
    expecting = "\"x-forwarded-for\" or \"forwarded\""
)]
pub enum ClientHeader {
    /// RFC 7239.
    Forwarded,
    /// The one that most of them send.
    #[default]
    XForwardedFor,
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct Health {
    #[serde(default, deserialize_with = "address")]
    address: Option<SocketAddr>,
    #[serde(default, deserialize_with = "path")]
    unix: Option<PathBuf>,
    #[serde(default = "yes")]
    tls: bool,
}

impl<'de> Deserialize<'de> for HealthListener {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let Health { address, unix, tls } = Health::deserialize(value)?;
        match (address, unix) {
            (None, Some(path)) => Ok(Self::Unix(path)),
            (Some(address), None) if tls => Ok(Self::Tls(address)),
            (Some(address), None) if address.ip().to_canonical().is_loopback() => {
                Ok(Self::Plain(address))
            }
            (Some(address), None) => Err(D::Error::custom(format!(
                "has tls = false at {address}, where others can read along: use an address such as 127.0.0.1:9443, a 'unix' socket, or TLS"
            ))),
            (None, None) | (Some(_), Some(_)) => Err(D::Error::custom(
                "needs either 'address' or 'unix': give exactly one of them",
            )),
        }
    }
}

fn address<'de, D: Deserializer<'de>>(value: D) -> Result<Option<SocketAddr>, D::Error> {
    values::address(value).map(Some)
}

fn path<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PathBuf>, D::Error> {
    values::path(value).map(Some)
}

fn number<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    values::count::<D, 8, 100_000>(value)
}

const fn few() -> usize {
    200
}

const fn many() -> usize {
    1000
}

const fn yes() -> bool {
    true
}
