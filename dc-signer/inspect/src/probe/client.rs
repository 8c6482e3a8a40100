//! The client that probes: ours with each policy, or stock rustls, which offers no credentials.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dc_rustls::client::{self, NamePolicy, Peer};
use pki_types::ServerName;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use super::Settings;
use super::error::Error;
use super::recorder::Recorder;
use super::seen::{Onlooker, Shared};

/// Which credentials to offer to understand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Offer {
    /// None: as any TLS client does.
    Nothing,
    /// Those of RFC 9345, or a certificate.
    Rfc9345,
    /// One with the wanted name, and nothing else.
    Named,
    /// Both forms, or a certificate.
    Both,
}

/// A handshake that was accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Accepted {
    /// How long the handshake took, from the ClientHello on.
    pub handshake_in: Duration,
    /// The application protocol that the server chose.
    pub alpn: Option<Vec<u8>>,
    /// The peer.
    pub peer: Peer,
    /// True if it was a resumed session.
    pub is_resumed: bool,
}

pub(super) enum Client {
    Ours(client::Config),
    Stock(Arc<ClientConfig>),
}

impl Client {
    pub(super) fn new(settings: &Settings, seen: &Shared) -> Result<Self, Error> {
        let verifier = Arc::new(Onlooker {
            roots: roots(settings)?,
            provider: Arc::clone(&settings.provider),
            seen: seen.clone(),
        });
        let policy = match settings.offer {
            Offer::Nothing => return stock(settings, verifier).map(Self::Stock),
            Offer::Rfc9345 => NamePolicy::Ignored,
            Offer::Named => NamePolicy::Required,
            Offer::Both => NamePolicy::Preferred,
        };
        let seen = seen.clone();
        client::Config::builder(Arc::clone(&settings.provider))
            .verifier(verifier)
            .unique_name(policy)
            .allow_tls12()
            .alpn_protocols(settings.alpn.clone())
            .observe(move |presented| {
                let (first, others) = (presented.end_entity, presented.intermediates);
                seen.put(first, others, presented.credential);
            })
            .build()
            .map(Self::Ours)
            .map_err(not_made)
    }

    /// Does a handshake, and waits so long for what comes behind it.
    pub(super) fn connect(
        &self,
        name: ServerName<'static>,
        io: Recorder,
        linger: Duration,
    ) -> Result<Accepted, dc_rustls::Error> {
        let begin = Instant::now();
        match self {
            Self::Ours(config) => {
                let mut stream = config.connect(name, io)?;
                let handshake_in = begin.elapsed();
                stream.get_mut().shorten(linger);
                wait_for_tickets(&mut stream);
                let peer = stream.peer().clone();
                Ok(Accepted::new(handshake_in, stream.connection(), peer))
            }
            Self::Stock(config) => {
                let connection = ClientConnection::new(Arc::clone(config), name)?;
                let mut stream = StreamOwned::new(connection, io);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                let handshake_in = begin.elapsed();
                stream.sock.shorten(linger);
                wait_for_tickets(&mut stream);
                Ok(Accepted::new(handshake_in, &stream.conn, Peer::Certificate))
            }
        }
    }
}

impl Accepted {
    fn new(handshake_in: Duration, connection: &ClientConnection, peer: Peer) -> Self {
        Self {
            handshake_in,
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            peer,
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// Tickets come behind the handshake, and are only noticed by who reads.
fn wait_for_tickets(stream: &mut impl Read) {
    let mut greeting = [0; 1024];
    // Some servers speak first, and most wait; either is as good.
    let _ = stream.read(&mut greeting);
}

fn roots(settings: &Settings) -> Result<Option<Arc<dyn ServerCertVerifier>>, Error> {
    let Some(roots) = settings.roots.clone() else {
        return Ok(None);
    };
    let provider = Arc::clone(&settings.provider);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(dc_rustls::Error::Roots)
        .map_err(not_made)?;
    Ok(Some(verifier))
}

fn stock(
    settings: &Settings,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<Arc<ClientConfig>, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&settings.provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| not_made(error.into()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = settings.alpn.clone();
    Ok(Arc::new(config))
}

fn not_made(source: dc_rustls::Error) -> Error {
    Error::NotMade { source }
}
