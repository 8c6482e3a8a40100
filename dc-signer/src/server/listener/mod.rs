//! TLS connections in, HTTP requests out: the accept loop, and what bounds the cost of strangers.
//!
//! A proxy says first whose connection it is, if it is one. Then a connection passes three gates: the number of connections, of one address and in all, its turn to shake hands, and time
//! limits on the handshake, on each request's head, and on silence. A request passes one more: how many
//! are in progress over all connections. Where there are too many somebody makes room: the oldest that has nothing to show
//! for itself, of the address that has most of them. Behind the gates each request carries the [`ClientCertificate`] of
//! its connection, if there is one, and the [`Peer`] that whoever recognises it tells so.

mod address;
mod announced;
mod answering;
mod arriving;
mod certificate;
mod client;
mod connection;
mod crowd;
mod expects;
mod forwarded;
mod groups;
mod handshakes;
mod http1;
mod idle;
mod intake;
mod memory;
mod open;
mod origin;
mod possession;
mod proxied;
mod requests;
mod unread;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::timeout;

pub use address::ClientAddress;
pub(super) use announced::Balancers;
pub use arriving::TooSlow;
pub use certificate::{ServiceCertificate, Validity, tls_config};
pub use client::{ClientCertificate, spki_sha256, valid};
use connection::http;
pub use expects::Expects;
pub use forwarded::Proxies;
pub(super) use http1::{Kept, serve_http1};
pub use memory::most_memory;
pub use open::Peer;
pub use origin::Origin;

use crate::config::{Listen, Live};
use crate::server::Error;
use crate::server::telemetry::{Metrics, Shed};
use address::Prefix;
use announced::Announced;
use connection::Connection;
use handshakes::{Handshakes, Turn};
use intake::Intake;
use open::{Connections, Entered, Most, Open};

/// The part of the settings that is the listener's: it counts for the connections that come from then on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service's certificate and the verifier of clients.
    pub tls: Arc<rustls::ServerConfig>,
    /// The limits.
    pub listen: Listen,
    /// The proxies that alone may connect, and are believed what they say of a request.
    pub proxies: Option<Proxies>,
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    /// The key of the configuration that has the address.
    setting: &'static str,
    house: Arc<House>,
}

/// All that connections share, and the way in.
#[derive(Debug)]
struct House {
    settings: Live<Settings>,
    connections: Arc<Connections>,
    /// The next one to get a place: one at a time waits for it.
    door: Mutex<()>,
    /// The connections of proxies whose header is awaited.
    headers: Arc<Semaphore>,
    handshakes: Arc<Handshakes>,
    intake: Arc<Intake>,
    expects: OnceLock<Expects>,
    metrics: Arc<Metrics>,
    announced: Announced,
}

impl Listener {
    /// Listens at the address of the settings, which is under this key of the configuration; nothing is accepted yet.
    ///
    /// Fails with [`Error::Listen`].
    pub async fn bind(
        setting: &'static str,
        settings: Live<Settings>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let address = settings.load().listen.address;
        let tcp = TcpListener::bind(address).await;
        let tcp = tcp.map_err(|source| Error::Listen {
            address,
            setting,
            source,
        })?;
        let house = House {
            settings,
            connections: Arc::default(),
            door: Mutex::default(),
            headers: Arc::new(Semaphore::new(MOST_HEADERS)),
            handshakes: Handshakes::new(metrics.clone()),
            intake: Arc::default(),
            expects: OnceLock::new(),
            announced: Announced::new(metrics.clone()),
            metrics,
        };
        Ok(Self {
            tcp,
            setting,
            house: house.into(),
        })
    }

    /// Lets those in although all places are taken for whom a time is kept that has come.
    pub fn let_in_whom(&self, expects: Expects) {
        // Whoever said it first knows.
        let _ = self.house.expects.set(expects);
    }

    /// For telling that the limits have changed.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits(self.house.connections.clone())
    }

    /// The address, with the port that the system chose if it was left to it.
    ///
    /// Fails with [`Error::Listen`].
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.tcp.local_addr().map_err(|source| Error::Listen {
            address: self.house.settings.load().listen.address,
            setting: self.setting,
            source,
        })
    }

    /// Serves until `stop` is ready; then takes no more connections, and returns when the requests
    /// in progress are answered, or their time is up.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.accept() => accepted,
            };
            if let Some((tcp, address)) = accepted {
                self.let_in(tcp, address, &router, &stopped).await;
            }
        }
        drop(stopped);
        let Self { tcp, house, .. } = self;
        // Refused from now on, rather than left waiting for nobody.
        drop(tcp);
        let _ = stopping.send(true);
        let limit = house.settings.load().listen.shutdown_timeout;
        if timeout(limit, stopping.closed()).await.is_err() {
            tracing::warn!("some requests were not answered within shutdown_timeout");
        }
    }

    /// The next connection; none if there was one that could not be taken.
    async fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        match self.tcp.accept().await {
            Ok(accepted) => Some(accepted),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; is the limit of open files too low?");
                tokio::time::sleep(AFTER_FAILURE).await;
                None
            }
        }
    }

    /// Serves a connection once there is room for it, and once its proxy has said whose it is.
    async fn let_in(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
        router: &Router,
        stopped: &watch::Receiver<bool>,
    ) {
        let house = &self.house;
        let settings = house.settings.load();
        if let Some(proxies) = &settings.proxies
            && !proxies.may_come_from(address.ip())
        {
            house.announced.turn_away(&tcp, address);
            return;
        }
        if !settings.listen.proxy_protocol.contains(address.ip()) {
            if let Some((tcp, place)) = house.enter(tcp, address.ip()).await {
                let connection = house.connection(false, router.clone(), stopped.clone());
                tokio::spawn(connection.serve(tcp, place));
            }
            return;
        }
        let Ok(permit) = house.headers.clone().try_acquire_owned() else {
            house.shed(Shed::Connections, 1);
            let _ = tcp.set_zero_linger();
            return;
        };
        let connection = house.connection(true, router.clone(), stopped.clone());
        let house = house.clone();
        tokio::spawn(async move {
            let limit = settings.listen.handshake_timeout;
            let named = house.announced.named(tcp, address, limit).await;
            drop(permit);
            if let Some((tcp, client)) = named
                && let Some((tcp, place)) = house.enter(tcp, client.ip()).await
            {
                connection.serve(tcp, place).await;
            }
        });
    }
}

impl House {
    /// A place for a connection, once there is room for one; none if its address has too many.
    async fn enter(&self, tcp: TcpStream, client: IpAddr) -> Option<(TcpStream, Place)> {
        let from = Prefix::from(client);
        let _door = self.door.lock().await;
        let open = match self.connections.enter(from, || self.most()).await {
            Entered::In(open, evicted) => {
                self.shed(Shed::Connections, evicted);
                open
            }
            Entered::TooMany => {
                self.shed(Shed::Connections, 1);
                // So that the client knows at once.
                let _ = tcp.set_zero_linger();
                return None;
            }
        };
        let settings = self.settings.load();
        let limits = settings.listen.handshakes();
        let turn = self.handshakes.enter(from, client.into(), limits);
        Some((tcp, Place { client, open, turn }))
    }

    fn most(&self) -> Most {
        let settings = self.settings.load();
        Most {
            all: settings.listen.max_connections,
            of_one: settings.listen.max_connections_per_address,
        }
    }

    fn shed(&self, reason: Shed, times: usize) {
        for _ in 0..times {
            self.metrics.shed(reason);
        }
    }

    fn connection(
        &self,
        is_named: bool,
        router: Router,
        stopped: watch::Receiver<bool>,
    ) -> Connection {
        Connection {
            settings: self.settings.load(),
            router,
            stopped,
            is_named,
            intake: self.intake.clone(),
            expects: self.expects.get().cloned().unwrap_or_default(),
            metrics: self.metrics.clone(),
        }
    }
}

/// The limits of a listener, which waits for a place while too many connections are open.
#[derive(Clone, Debug)]
pub struct Limits(Arc<Connections>);

impl Limits {
    /// They have changed: whoever waits may have a place now.
    pub fn tell(&self) {
        self.0.look_again();
    }
}

/// The places that a connection takes.
#[derive(Debug)]
struct Place {
    client: IpAddr,
    open: Open,
    turn: Turn,
}

/// Without a pause a lack of file descriptors would keep a core busy.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// Proxies send their header at once, so this is a thousand connections each tenth of a second.
const MOST_HEADERS: usize = 1000;
