//! The clients: full handshakes, one after the other, with a request in each.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_tests::vendor::{Vendor, provider};
use pki_types::ServerName;
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion};

/// A client of either kind, which resumes nothing.
pub(crate) enum Client {
    Stock(Arc<ClientConfig>),
    Ours(Config),
}

impl Client {
    pub(crate) fn stock(vendor: &Vendor, version: &'static SupportedProtocolVersion) -> Self {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(vendor.roots())
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self::Stock(Arc::new(config))
    }

    /// It takes RFC 9345 credentials, which BoringSSL serves too.
    pub(crate) fn ours(vendor: &Vendor) -> Self {
        let config = Config::builder(provider())
            .roots(vendor.roots())
            .unique_name(NamePolicy::Ignored)
            .without_resumption()
            .without_remembering()
            .build()
            .unwrap();
        Self::Ours(config)
    }

    /// The time from the first packet to the reply.
    ///
    /// Without `waits`, the request does not wait until the server has acknowledged the end of the handshake
    /// (Nagle's algorithm). rustls's servers do so at once, with their tickets; BoringSSL's take 40 ms.
    pub(crate) fn visit(&self, port: u16, name: &ServerName<'static>, waits: bool) -> Duration {
        let start = Instant::now();
        let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
        tcp.set_nodelay(!waits).unwrap();
        match self {
            Self::Stock(config) => {
                let connection = ClientConnection::new(Arc::clone(config), name.clone()).unwrap();
                ask(StreamOwned::new(connection, tcp));
            }
            Self::Ours(config) => {
                let tls = config.connect(name.clone(), tcp).unwrap();
                assert!(matches!(tls.peer(), Peer::Delegated { .. }));
                ask(tls);
            }
        }
        start.elapsed()
    }
}

fn ask(mut tls: impl Read + Write) {
    tls.write_all(b"GET / HTTP/1.0\r\nHost: router\r\n\r\n")
        .unwrap();
    let mut reply = [0; crate::server::REPLY.len()];
    tls.read_exact(&mut reply).unwrap();
    assert!(reply.starts_with(b"HTTP/1.0 200"));
}
