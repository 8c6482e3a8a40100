//! The whole service: put together from a configuration, started only when it can issue, reloaded and
//! stopped without losing a request.

mod housekeeping;
mod lifecycle;
mod measured;
mod waiting;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;

use crate::api::{self, App};
use crate::clock;
use crate::config::{Config, Retention};
use crate::desk::{Desk, Missing};
use crate::error::Error;
use crate::listener::{Identity, Listener, Settings, tls_config};
use crate::store::{InUse, Store};
use crate::telemetry::{LogControl, Metrics};
use crate::web::{self, Web};
use housekeeping::Housekeeping;
use measured::Measured;

pub use lifecycle::{Signals, serve, start};

/// A service that listens, and has shown that it can issue.
#[derive(Debug)]
pub struct Service {
    config: Config,
    store: Arc<dyn Store>,
    desk: Arc<Desk>,
    app: Arc<App>,
    web: Arc<Web>,
    listener: Listener,
    settings: Arc<ArcSwap<Settings>>,
    retention: Arc<ArcSwap<Retention>>,
    provider: Arc<CryptoProvider>,
    metrics: Arc<Metrics>,
    in_use: InUse,
}

impl Service {
    /// Opens the database, loads all keys, signs and verifies one credential for each active
    /// delegation certificate, and listens.
    ///
    /// An SQLite file that is not there is made, and a server that does not answer is waited for; older tables are left
    /// to `dc-signer migrate`. Fails with what any of these steps fails with.
    pub async fn start(config: Config, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let metrics = Metrics::new();
        let settings = settings(&config, &provider)?;
        let (store, in_use) = waiting::open(&config).await?;
        let store: Arc<dyn Store> = Arc::new(Measured::new(store, metrics.clone()));
        let desk = Arc::new(Desk::open(&config, store.clone()).await?);
        let signed = metrics.clone();
        desk.time_signatures(move |took| signed.signed(took));
        let tested = desk.self_test(clock::now()?)?;
        tracing::info!(
            delegations = tested,
            "a credential of each was signed and verified"
        );
        let app = App::new(&config, desk.clone(), metrics.clone());
        let gate = app.clone();
        let gate = Box::new(move |operator: &str| gate.operator_may_come(operator));
        let web = Web::new(store.clone(), gate)?;
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let listener = Listener::bind(settings.clone(), metrics.clone()).await?;
        Ok(Self {
            in_use,
            retention: Arc::new(ArcSwap::from_pointee(config.retention)),
            config,
            store,
            desk,
            app,
            web,
            listener,
            settings,
            provider,
            metrics,
        })
    }

    /// Where it listens.
    ///
    /// Fails with [`Error::Listen`].
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.listener.address()
    }

    /// Takes its configuration, certificate and zones anew, for the connections that come from now
    /// on.
    #[must_use]
    pub fn reloader(&self, log: Option<LogControl>) -> Reloader {
        Reloader {
            started: self.config.clone(),
            retention: self.retention.clone(),
            desk: self.desk.clone(),
            app: self.app.clone(),
            settings: self.settings.clone(),
            provider: self.provider.clone(),
            log,
        }
    }

    /// Serves until `stop` is ready, then until the requests in progress are answered.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self {
            retention,
            store,
            desk,
            app,
            web,
            listener,
            metrics,
            in_use,
            ..
        } = self;
        let housekeeping = Housekeeping {
            store: store.clone(),
            app: app.clone(),
            desk,
            metrics,
            retention,
        };
        let housekeeping = tokio::spawn(housekeeping.run());
        app.readiness().started();
        let stopping = app.clone();
        let stop = async move {
            stop.await;
            stopping.readiness().stopping();
        };
        let router = api::router(app, web::router(web), web::stray);
        listener.serve(router, stop).await;
        housekeeping.abort();
        store.close().await;
        drop(in_use);
    }
}

/// Takes a changed configuration while the service runs.
#[derive(Debug)]
pub struct Reloader {
    started: Config,
    retention: Arc<ArcSwap<Retention>>,
    desk: Arc<Desk>,
    app: Arc<App>,
    settings: Arc<ArcSwap<Settings>>,
    provider: Arc<CryptoProvider>,
    log: Option<LogControl>,
}

impl Reloader {
    /// The keys that could not be read.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.desk.missing()
    }

    /// Reads the file again: all of it counts from now on, or nothing.
    ///
    /// Fails with what reading the file, the certificate and the delegation certificates fails with.
    pub async fn reload(&self, path: &Path) -> Result<(), Error> {
        let config = Config::load(path)?;
        let settings = settings(&config, &self.provider)?;
        self.desk.reload(&config).await?;
        if let Some(log) = &self.log {
            log.set(&config.log.filter)?;
        }
        for key in config.needs_restart(&self.started) {
            tracing::warn!("{key} has changed: that takes a restart");
        }
        self.retention.store(config.retention.into());
        self.app.reload(&config);
        self.settings.store(settings.into());
        Ok(())
    }
}

fn settings(config: &Config, provider: &Arc<CryptoProvider>) -> Result<Settings, Error> {
    let listen = &config.listen;
    let identity = Identity::load(&listen.certificate, &listen.key, provider)?;
    if let Some(warning) = identity.warning() {
        tracing::warn!("{warning}");
    }
    Ok(Settings {
        tls: tls_config(&identity, listen, provider.clone())?,
        listen: listen.clone(),
    })
}
