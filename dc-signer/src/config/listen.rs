//! `[listen]`: the address, the service's own certificate, and how much of everything is let in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::Section;
use super::values::{address, count, duration, flag, path};

/// Where the service is reached, and what its connections may cost.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// The address and port.
    pub address: SocketAddr,
    /// The chain of the service's own certificate, in PEM.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Whether TLS 1.2 is allowed beside TLS 1.3.
    pub tls12: bool,
    /// The most handshakes in progress; one more, and the oldest is reset.
    pub max_handshakes: usize,
    /// The most connections.
    pub max_connections: usize,
    /// The most connections of one IPv4 address or IPv6 network of 64 bits.
    pub max_connections_per_address: usize,
    /// The most requests in progress.
    pub max_requests: usize,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How long the head of a request may take, and how long a connection may wait for one.
    pub header_timeout: Duration,
    /// How long nothing may move on a connection.
    pub idle_timeout: Duration,
    /// How long a request may take from its head to its answer.
    pub request_timeout: Duration,
    /// How long a bulk request may take.
    pub bulk_timeout: Duration,
    /// After how long a connection is asked to end.
    pub max_age: Duration,
    /// How long requests in progress get when the service stops.
    pub shutdown_timeout: Duration,
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

    fn half(&self) -> usize {
        (self.max_connections / 2).max(1)
    }

    pub(super) fn read(mut section: Section<'_, '_>, base: &Path) -> Option<Self> {
        let listen = section.required("address", "address = \"[::]:8443\"", address);
        let example = "certificate = \"/etc/dc-signer/tls/chain.pem\"";
        let certificate = section.required("certificate", example, path(base));
        let key = section.required("key", "key = \"/etc/dc-signer/tls/key.pem\"", path(base));
        let tls12 = section.optional("tls12", flag).unwrap_or(false);
        let mut number = |key, default| {
            let read = section.optional(key, count(1..=1_000_000));
            read.unwrap_or(default)
        };
        let max_connections = number("max_connections", 7000);
        let half = (max_connections / 2).max(1);
        let max_handshakes = number("max_handshakes", half.min(512));
        let of_one = max_connections.min(1000);
        let max_connections_per_address = number("max_connections_per_address", of_one);
        let max_requests = number("max_requests", half.min(2000));
        let mut seconds = |key, default| {
            let read = section.optional(key, duration(SHORTEST..=LONGEST));
            read.unwrap_or_else(|| Duration::from_secs(default))
        };
        let read = Self {
            address: listen.unwrap_or_else(|| SocketAddr::from(([0; 4], 0))),
            certificate: certificate.clone().unwrap_or_default(),
            key: key.clone().unwrap_or_default(),
            tls12,
            max_handshakes,
            max_connections,
            max_connections_per_address,
            max_requests,
            handshake_timeout: seconds("handshake_timeout", 5),
            header_timeout: seconds("header_timeout", 10),
            idle_timeout: seconds("idle_timeout", 30),
            request_timeout: seconds("request_timeout", 30),
            bulk_timeout: seconds("bulk_timeout", 600),
            max_age: seconds("max_age", 3600),
            shutdown_timeout: seconds("shutdown_timeout", 30),
        };
        section.finish();
        (listen.is_some() && certificate.is_some() && key.is_some()).then_some(read)
    }
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(86_400);
