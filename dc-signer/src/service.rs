//! The whole service: put together from a configuration, started with what works, reloaded and
//! stopped without losing a request.

mod housekeeping;
mod lifecycle;
mod routes;
mod waiting;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;

use crate::access::Gate;
use crate::api::App;
use crate::authority::{Authority, Missing};
use crate::config::{Config, Retention};
use crate::error::Error;
use crate::listener::{Identity, Listener, Settings, Validity, tls_config};
use crate::store::{InUse, Observer, Store};
use crate::telemetry::{LogControl, Metrics};
use crate::web::Web;
use dc_pki::clock;
use housekeeping::Housekeeping;

pub use lifecycle::{Signals, serve, start};

/// A service that listens, and says what it can issue.
#[derive(Debug)]
pub struct Service {
    config: Config,
    store: Arc<Store>,
    authority: Arc<Authority>,
    app: Arc<App>,
    web: Arc<Web>,
    listener: Listener,
    settings: Arc<ArcSwap<Settings>>,
    retention: Arc<ArcSwap<Retention>>,
    provider: Arc<CryptoProvider>,
    metrics: Arc<Metrics>,
    in_use: InUse,
}

impl Observer for Metrics {
    fn done(&self, operation: &'static str, took: Duration) {
        self.stored(operation, took);
    }
}

impl Service {
    /// Opens the database, loads all keys, signs and verifies one credential with each, and listens.
    ///
    /// What is over, or not on this machine, stops nothing else: the log, readiness and metrics say what cannot be issued.
    /// An SQLite file that is not there is made, and a server that does not answer is waited for; older tables are left
    /// to `dc-signer migrate`. Fails with what any of these steps fails with.
    pub async fn start(config: Config, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let metrics = Metrics::new();
        let (settings, validity) = settings(&config, &provider)?;
        let (store, in_use) = waiting::open(&config, metrics.clone()).await?;
        let authority = Arc::new(Authority::open(&config, store.clone()).await?);
        let signed = metrics.clone();
        authority.time_signatures(move |took| signed.signed(took));
        authority.leave_alone();
        begin(&authority).await?;
        let gate = Gate::new(&config.limits, authority.clone(), metrics.clone());
        let app = App::new(&config, gate.clone(), metrics.clone());
        app.serves_with(validity);
        let web = Web::new(gate)?;
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let listener = Listener::bind(settings.clone(), metrics.clone()).await?;
        Ok(Self {
            in_use,
            retention: Arc::new(ArcSwap::from_pointee(config.retention)),
            config,
            store,
            authority,
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

    /// Takes the clock for right: somebody sits before it.
    ///
    /// Fails with [`Error::ClockBefore1970`].
    pub fn trust_clock(&self) -> Result<(), Error> {
        self.authority.accept_clock(clock::now()?);
        Ok(())
    }

    /// Takes its configuration, certificate and zones anew, for the connections that come from now
    /// on.
    #[must_use]
    pub fn reloader(&self, log: Option<LogControl>) -> Reloader {
        Reloader {
            started: self.config.clone(),
            retention: self.retention.clone(),
            authority: self.authority.clone(),
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
            authority,
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
            authority: authority.clone(),
            metrics,
            retention,
        };
        app.readiness().started();
        let housekeeping = tokio::spawn(housekeeping.run());
        let stopping = app.clone();
        let stop = async move {
            stop.await;
            stopping.readiness().stopping();
        };
        listener.serve(routes::routes(app, web), stop).await;
        housekeeping.abort();
        leave(&authority).await;
        store.close().await;
        drop(in_use);
    }
}

/// Takes a changed configuration while the service runs.
#[derive(Debug)]
pub struct Reloader {
    started: Config,
    retention: Arc<ArcSwap<Retention>>,
    authority: Arc<Authority>,
    app: Arc<App>,
    settings: Arc<ArcSwap<Settings>>,
    provider: Arc<CryptoProvider>,
    log: Option<LogControl>,
}

impl Reloader {
    /// The keys that could not be read.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.authority.missing()
    }

    /// Reads the file again: all of it counts from now on, or nothing.
    ///
    /// Fails with what reading the file, the certificate and the delegation certificates fails with.
    pub async fn reload(&self, path: &Path) -> Result<(), Error> {
        let config = Config::load(path)?;
        let (settings, validity) = settings(&config, &self.provider)?;
        self.authority.reload(&config).await?;
        if let Some(log) = &self.log {
            log.set(&config.log.filter)?;
        }
        for key in config.needs_restart(&self.started) {
            tracing::warn!("{key} has changed: that takes a restart");
        }
        self.retention.store(config.retention.into());
        self.app.reload(&config);
        self.app.serves_with(validity);
        warn_of_missing(&self.authority);
        self.app.judge().await;
        self.settings.store(settings.into());
        Ok(())
    }
}

/// Moves on what is due, and says what can be issued.
async fn begin(authority: &Authority) -> Result<(), Error> {
    let now = clock::now()?;
    if let Err(error) = authority.keep_zones(now).await {
        tracing::warn!(%error, "the zones cannot be looked after");
    }
    warn_of_missing(authority);
    let judgement = authority.judge(now).await?;
    for fault in judgement.faults() {
        tracing::warn!("nothing is issued: {fault}");
    }
    for ending in judgement.ending(now) {
        tracing::warn!("{ending}");
    }
    tracing::info!(
        delegations = authority.tested(),
        "a credential of each was signed and verified"
    );
    Ok(())
}

/// Reading everything again is no success for a key that cannot be read.
fn warn_of_missing(authority: &Authority) {
    for missing in authority.missing() {
        tracing::warn!("{missing}");
    }
}

/// Says to the other signers that nobody needs to wait for this one; a database that does not answer keeps nobody from
/// stopping.
async fn leave(authority: &Authority) {
    let Ok(now) = clock::now() else { return };
    match tokio::time::timeout(MOMENT, authority.leave(now)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "the other signers are not told that this one stops");
        }
        Err(_) => tracing::warn!(
            "the database does not answer: the other signers are not told that this one stops"
        ),
    }
}

fn settings(
    config: &Config,
    provider: &Arc<CryptoProvider>,
) -> Result<(Settings, Validity), Error> {
    let listen = &config.listen;
    let identity = Identity::load(&listen.certificate, &listen.key, provider)?;
    let ends = identity.validity().warning(clock::now()?);
    for warning in identity.warning().into_iter().chain(&ends) {
        tracing::warn!("{warning}");
    }
    let settings = Settings {
        tls: tls_config(&identity, listen, provider.clone())?,
        listen: listen.clone(),
    };
    Ok((settings, identity.validity().clone()))
}

const MOMENT: Duration = Duration::from_secs(2);
