//! The client that probes: ours with each policy, or stock rustls, which offers no credentials.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dc_rustls::client::{self, NamePolicy, Peer};
use pki_types::ServerName;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::sign::CertifiedKey;
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
    Ours(client::Config, Arc<Empty>),
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
        let empty = Arc::<Empty>::default();
        let builder = client::Config::builder(Arc::clone(&settings.provider))
            .verifier(verifier)
            .unique_name(policy);
        let builder = match &settings.identity {
            // RFC 9345 §4.1.2: clients have credentials in TLS 1.3 alone.
            Some(identity) => builder
                .client_identity(Arc::clone(identity))
                .client_auth(Arc::clone(&empty) as Arc<dyn ResolvesClientCert>),
            None => builder.allow_tls12(),
        };
        builder
            .alpn_protocols(settings.alpn.clone())
            .observe(move |presented| {
                let (first, others) = (presented.end_entity, presented.intermediates);
                seen.put(first, others, presented.credential);
            })
            .build()
            .map(|config| Self::Ours(config, empty))
            .map_err(not_made)
    }

    /// The answer to what the server asked of its client, after a handshake.
    pub(super) fn asked(&self, settings: &Settings) -> Option<Asked> {
        let identity = settings.identity.as_ref()?;
        let Self::Ours(_, empty) = self else {
            return None;
        };
        Some(
            match (identity.presented(), empty.0.load(Ordering::Relaxed)) {
                (1.., _) => Asked::Presented,
                (0, true) => Asked::NothingSuits,
                (0, false) => Asked::Nothing,
            },
        )
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
            Self::Ours(config, _) => {
                let mut stream = config.connect(name, io)?;
                let handshake_in = begin.elapsed();
                stream.get_mut().shorten(linger);
                wait_for_tickets(&mut stream)?;
                let peer = stream.peer().clone();
                stream.get_mut().allow(GOODBYE);
                stream.connection_mut().send_close_notify();
                let _ = stream.flush();
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
                wait_for_tickets(&mut stream)?;
                stream.sock.allow(GOODBYE);
                stream.conn.send_close_notify();
                let _ = stream.flush();
                Ok(Accepted::new(handshake_in, &stream.conn, Peer::Certificate))
            }
        }
    }
}

/// How long a server may take to take the close_notify. To it, and to whatever is behind it, a connection without one was cut off;
/// whoever is gone needs none.
const GOODBYE: Duration = Duration::from_secs(1);

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

/// The answer of a client with an identity to a server's CertificateRequest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Asked {
    /// There was no such request, or the handshake did not come so far.
    Nothing,
    /// None of its credentials has the form and the schemes that were asked for, or all are about to end.
    NothingSuits,
    /// One was presented.
    Presented,
}

/// Has no certificate, and remembers that one was asked for where no credential suits.
#[derive(Debug, Default)]
pub(super) struct Empty(AtomicBool);

impl ResolvesClientCert for Empty {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Tickets come behind the handshake, and so does a server's refusal of its client; both are only noticed by who reads.
///
/// Fails with the server's alert.
fn wait_for_tickets(stream: &mut impl Read) -> Result<(), dc_rustls::Error> {
    let mut greeting = [0; 1024];
    // Some servers speak first, and most wait; either is as good.
    match stream.read(&mut greeting).err().and_then(alert) {
        Some(alert) => Err(dc_rustls::Error::Tls(alert)),
        None => Ok(()),
    }
}

fn alert(error: io::Error) -> Option<rustls::Error> {
    let error = error.into_inner()?.downcast::<rustls::Error>().ok()?;
    matches!(*error, rustls::Error::AlertReceived(_)).then_some(*error)
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
