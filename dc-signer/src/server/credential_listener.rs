//! A port where each client is a device that has shown its credential (RFC 9345 §4.1.2), and whose requests say which.
//!
//! It is apart from the [listener](crate::server::listener) for devices and operators, and off unless it is configured. Strangers
//! get no further than their handshake, so what bounds their cost is a limit on handshakes, on their time, and on
//! connections of one device. Behind a load balancer its PROXY header says whose a connection is, as at the other listeners.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use dc_core::UniqueName;
use dc_pki::trust::read_roots;
use dc_rustls::server::{self, Acceptor, AsyncStream, ClientCredentials, Peer, Store};
use hyper::http::Extensions;
use pki_types::UnixTime;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::timeout;

use crate::config::{self, Listen, Live};
use crate::server::Error;
use crate::server::listener::{Balancers, ClientAddress, Kept, Settings, serve_http1};
use crate::server::telemetry::Metrics;

/// The device that has shown its credential in the handshake of a request's connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialHolder {
    /// The name in the credential. Whether a device has it still is not known yet.
    pub name: UniqueName<'static>,
    /// The last second at which the credential is valid: a connection may live longer.
    pub expires: UnixTime,
}

impl CredentialHolder {
    fn of(peer: Option<&Peer>) -> Option<Self> {
        match peer? {
            Peer::Delegated {
                unique_name: Some(name),
                expires,
                ..
            } => Some(Self {
                name: name.clone(),
                expires: *expires,
            }),
            _ => None,
        }
    }
}

/// The settings that ask clients for a credential with a unique name, under a configuration's roots.
///
/// Fails with [`Error::Pki`] if the roots cannot be read, and with [`Error::AskForCredentials`] if nobody can be asked for
/// a certificate under them.
pub fn policy(
    config: &config::CredentialListener,
    provider: &Arc<CryptoProvider>,
) -> Result<server::Settings, Error> {
    let ask = |source| Error::AskForCredentials { source };
    let devices = ClientCredentials::roots(provider, read_roots(&config.roots)?).map_err(ask)?;
    let settings = server::Settings::new(provider.clone());
    settings.client_credentials(devices).map_err(ask)
}

fn acceptor(
    asking: server::Settings,
    settings: Live<Settings>,
    provider: Arc<CryptoProvider>,
) -> Result<Acceptor, Error> {
    let mut own = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|source| Error::Tls { source })?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(OwnCertificate(settings)));
    // Whoever is refused from now on comes with no session of before.
    own.session_storage = Arc::new(NoServerSessionStorage {});
    own.send_tls13_tickets = 0;
    own.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Acceptor::new(Store::with_settings(asking)).fallback(own.into()))
}

/// The service's certificate, whichever it is by now.
#[derive(Debug)]
struct OwnCertificate(Live<Settings>);

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().tls.cert_resolver.resolve(hello)
    }
}

/// A socket that listens.
#[derive(Debug)]
pub struct CredentialListener {
    tls: server::Listener,
    settings: Live<Settings>,
    metrics: Arc<Metrics>,
}

impl CredentialListener {
    /// Listens at the address of the configuration; nothing is accepted yet.
    ///
    /// Fails as [`policy`] does, with [`Error::Tls`] if the provider has no TLS 1.3, and with [`Error::ListenForCredentials`].
    pub async fn bind(
        config: &config::CredentialListener,
        settings: Live<Settings>,
        provider: Arc<CryptoProvider>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let asking = policy(config, &provider)?;
        let acceptor = acceptor(asking, settings.clone(), provider)?;
        let address = config.address;
        let tls = server::Listener::bind(address, acceptor).await;
        let tls = tls.map_err(|source| Error::ListenForCredentials { address, source })?;
        let limit = settings.load().listen.handshake_timeout;
        let balancers = (PROXIES, config.proxy_protocol.clone());
        let balancers = Balancers::new(balancers, limit, metrics.clone());
        let tls = tls.max_handshakes(MAX_HANDSHAKES).handshake_timeout(limit);
        let tls = tls.announced_by(move |tcp, from| balancers.clone().client(tcp, from));
        Ok(Self {
            tls,
            settings,
            metrics,
        })
    }

    /// The address, with the port that the system chose if it was left to it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.tls.local_addr()
    }

    /// Serves until `stopped` says so; then takes no more connections, and returns when the requests in progress are
    /// answered, or their time is up.
    pub async fn serve(self, router: Router, mut stopped: watch::Receiver<bool>) {
        let Self {
            mut tls,
            settings,
            metrics,
        } = self;
        let mut open = Open::default();
        let stopping = stopped.clone();
        loop {
            let (stream, address) = tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(ended) = open.connections.join_next_with_id() => {
                    open.leave(&ended);
                    continue;
                }
                accepted = tls.accept(), if open.connections.len() < MAX_CONNECTIONS => match accepted {
                    Some(accepted) => accepted,
                    None => break,
                },
            };
            // Nobody else is accepted.
            let Some(holder) = CredentialHolder::of(stream.peer()) else {
                continue;
            };
            if open.of(&holder.name) >= MAX_OF_ONE {
                let client = address.ip().to_canonical();
                tracing::debug!(%client, device = %holder.name, "a device has too many connections");
                continue;
            }
            let connection = Connection {
                holder: holder.clone(),
                address: ClientAddress(address.ip().to_canonical()),
                router: router.clone(),
                listen: settings.load().listen.clone(),
                stopped: stopping.clone(),
            };
            let metrics = metrics.clone();
            open.enter(holder.name, async move {
                let _open = metrics.connection();
                connection.serve(stream).await;
            });
        }
        // Refused from now on, rather than left waiting for nobody.
        drop(tls);
        let limit = settings.load().listen.shutdown_timeout;
        let all = async { while open.connections.join_next().await.is_some() {} };
        if timeout(limit, all).await.is_err() {
            tracing::warn!("some devices' requests were not answered within shutdown_timeout");
        }
    }
}

/// The connections, and whose they are.
#[derive(Debug, Default)]
struct Open {
    connections: JoinSet<()>,
    names: HashMap<task::Id, UniqueName<'static>>,
}

impl Open {
    fn of(&self, name: &UniqueName<'_>) -> usize {
        self.names.values().filter(|other| *other == name).count()
    }

    fn enter(
        &mut self,
        name: UniqueName<'static>,
        connection: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.connections.spawn(connection).id();
        self.names.insert(id, name);
    }

    fn leave(&mut self, ended: &Result<(task::Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.names.remove(&id);
    }
}

/// One device's connection.
struct Connection {
    holder: CredentialHolder,
    address: ClientAddress,
    router: Router,
    listen: Listen,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    /// Answers requests until either side has had enough.
    async fn serve(self, stream: AsyncStream<TcpStream>) {
        let Self {
            holder,
            address,
            router,
            listen,
            stopped,
        } = self;
        let mark = move |known: &mut Extensions| {
            known.insert(holder.clone());
            known.insert(address);
        };
        let kept = Kept {
            age: listen.max_age.min(MAX_AGE),
            rest: listen.shutdown_timeout,
        };
        serve_http1(stream, (router, mark), (&listen, kept), stopped).await;
    }
}

const PROXIES: &str = "credential_listener.proxy_protocol";
/// Each takes up to 180 KB, and lasts no longer than `listen.handshake_timeout`.
const MAX_HANDSHAKES: usize = 128;
const MAX_CONNECTIONS: usize = 256;
/// More than any device needs that asks one thing.
const MAX_OF_ONE: usize = 4;
/// After how long a connection ends, also of a device that does not read its answers.
const MAX_AGE: Duration = Duration::from_secs(300);
