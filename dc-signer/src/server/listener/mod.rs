//! TLS connections in, HTTP requests out: the accept loop, and what bounds the cost of strangers.
//!
//! A connection passes three gates: the number of connections, of one address and in all, its turn to shake hands, and time
//! limits on the handshake, on each request's head, and on silence. A request passes one more: how many
//! are in progress over all connections. Where there are too many somebody makes room: the oldest that has nothing to show
//! for itself, of the address that has most of them. Behind the gates each request carries the [`ClientCertificate`] of
//! its connection, if there is one, and the [`Peer`] that whoever recognises it tells so.

mod address;
mod answering;
mod arriving;
mod certificate;
mod client;
mod connection;
mod crowd;
mod groups;
mod handshakes;
mod idle;
mod intake;
mod memory;
mod open;
mod origin;
mod possession;
mod requests;
mod unread;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use dc_admission::Whence;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub use arriving::TooSlow;
pub use certificate::{ServiceCertificate, Validity, tls_config};
pub use client::{ClientCertificate, spki_sha256, valid};
pub(super) use connection::http;
pub use memory::most_memory;
pub use open::Peer;
pub use origin::Origin;

use crate::config::{Listen, Live};
use crate::server::Error;
use crate::server::telemetry::{Metrics, Shed};
use address::Prefix;
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
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    settings: Live<Settings>,
    connections: Arc<Connections>,
    handshakes: Arc<Handshakes>,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
}

impl Listener {
    /// Listens at the address of the settings; nothing is accepted yet.
    ///
    /// Fails with [`Error::Listen`].
    pub async fn bind(settings: Live<Settings>, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let address = settings.load().listen.address;
        let tcp = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Listen { address, source })?;
        Ok(Self {
            tcp,
            settings,
            connections: Arc::default(),
            handshakes: Handshakes::new(metrics.clone()),
            intake: Arc::default(),
            metrics,
        })
    }

    /// For telling that the limits have changed.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits(self.connections.clone())
    }

    /// The address, with the port that the system chose if it was left to it.
    ///
    /// Fails with [`Error::Listen`].
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.tcp.local_addr().map_err(|source| Error::Listen {
            address: self.settings.load().listen.address,
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
            if let Some((tcp, place)) = accepted {
                self.spawn(tcp, place, &router, &stopped);
            }
        }
        drop(stopped);
        let Self { tcp, settings, .. } = self;
        // Refused from now on, rather than left waiting for nobody.
        drop(tcp);
        let _ = stopping.send(true);
        let limit = settings.load().listen.shutdown_timeout;
        if tokio::time::timeout(limit, stopping.closed())
            .await
            .is_err()
        {
            tracing::warn!("some requests were not answered within shutdown_timeout");
        }
    }

    /// The next connection, once there is room for one; none if there was one that could not be taken.
    async fn accept(&self) -> Option<(TcpStream, Place)> {
        let (tcp, address) = match self.tcp.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; is the limit of open files too low?");
                tokio::time::sleep(AFTER_FAILURE).await;
                return None;
            }
        };
        let from = Prefix::from(address);
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
        let whence = address.ip().into();
        let turn = self.handshakes.enter(from, whence, limits);
        Some((
            tcp,
            Place {
                from,
                whence,
                open,
                turn,
            },
        ))
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

    fn spawn(
        &self,
        tcp: TcpStream,
        place: Place,
        router: &Router,
        stopped: &watch::Receiver<bool>,
    ) {
        let connection = Connection {
            settings: self.settings.load(),
            router: router.clone(),
            stopped: stopped.clone(),
            intake: self.intake.clone(),
            metrics: self.metrics.clone(),
        };
        tokio::spawn(connection.serve(tcp, place));
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
    from: Prefix,
    whence: Whence,
    open: Open,
    turn: Turn,
}

/// Without a pause a lack of file descriptors would keep a core busy.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
