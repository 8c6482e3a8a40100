//! The service: built from a configuration, started with what works, reloaded and stopped without losing a request.

mod error;
mod housekeeping;
mod lifecycle;
mod others;
mod people;
mod renewing;
mod routes;
mod settings;
mod waiting;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use tokio::sync::watch;

use crate::access::{Gate, Overload};
use crate::api::App;
use crate::authority::{Authority, Missing};
use crate::checkpoints::Checkpoints;
use crate::config::Config;
use crate::server;
use crate::server::credential_listener::CredentialListener;
use crate::server::listener::{Expects, Limits, Listener};
use crate::server::telemetry::{LogControl, Metrics};
use crate::web::Web;
use dc_pki::clock;
use dc_store::{InUse, Observer, Store};
use housekeeping::Housekeeping;
use others::Others;
use renewing::Renewing;
use settings::{Current, Settings};

pub use error::Error;
pub use lifecycle::{Signals, serve, start};

/// A service that listens, and says what it can issue.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    store: Arc<Store>,
    web: Arc<Web>,
    listener: Listener,
    /// None unless they are configured.
    others: Others,
    renewing: Renewing,
    /// None unless it signs for the audit log.
    checkpoints: Option<Checkpoints>,
    in_use: InUse,
}

impl Observer for Metrics {
    fn done(&self, operation: &'static str, took: Duration) {
        self.stored(operation, took);
    }
}

/// The state that a service and its reloader share.
#[derive(Debug)]
struct Shared {
    /// The configuration that the service was started with.
    started: Config,
    settings: Current,
    authority: Arc<Authority>,
    app: Arc<App>,
    metrics: Arc<Metrics>,
    provider: Arc<CryptoProvider>,
}

impl Service {
    /// Opens the database, loads all keys, signs and verifies one credential with each, and listens.
    ///
    /// A delegation that is over, or not on this machine, stops nothing else: the log, readiness and metrics say what cannot be issued.
    /// An SQLite file that is not there is made, and a server that does not answer is waited for; older tables are left
    /// to `dc-signer migrate`. Fails with what any of these steps fails with.
    pub async fn start(config: Config, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let metrics = Metrics::new();
        let settings = Current::new(Settings::load(&config, &provider, None)?);
        let (store, in_use) = waiting::open(&config, metrics.clone()).await?;
        let part = settings.part(|settings| &settings.authority);
        let authority = Arc::new(Authority::open_with(&config, part, store.clone()).await?);
        let signed = metrics.clone();
        authority.time_signatures(move |took| signed.signed(took));
        authority.leave_alone();
        begin(&authority).await?;
        let part = settings.part(|settings| &settings.api);
        let limits = settings.part(|settings| &settings.limits);
        let admission = settings.part(|settings| &settings.overload);
        let overload = Overload::new(admission, metrics.clone());
        let gate = Gate::new(limits, overload, authority.clone(), metrics.clone());
        let app = App::new(part, gate.clone(), metrics.clone());
        app.measure_certificate();
        // Who starts anew begins where it, or another, has stopped.
        if let Err(error) = app.share_limits(clock::now()?).await {
            tracing::warn!(%error, "how often devices came lately is not known: their limits begin anew");
        }
        let expecting = gate.clone();
        let expects = Expects::new(move |key| expecting.expects(key));
        let web = Web::new(gate)?;
        let part = settings.part(|settings| &settings.listener);
        let listener = Listener::bind("listen.address", part, metrics.clone()).await?;
        listener.let_in_whom(expects.clone());
        let others = Others::bind(&config, &settings, &provider, &metrics).await?;
        others.let_in_whom(expects);
        let renewing = Renewing::new(
            &config,
            store.clone(),
            authority.clone(),
            metrics.clone(),
            settings.clone(),
        )?;
        let told = app.checkpoints().clone();
        let checkpoints =
            Checkpoints::open(&config, store.clone(), &provider, metrics.clone(), told)?;
        let shared = Shared {
            started: config,
            settings,
            authority,
            app,
            metrics,
            provider,
        };
        Ok(Self {
            shared: shared.into(),
            store,
            web,
            listener,
            others,
            renewing,
            checkpoints,
            in_use,
        })
    }

    /// The address that it listens at.
    ///
    /// Fails with [`crate::server::Error::Listen`].
    pub fn address(&self) -> Result<SocketAddr, server::Error> {
        self.listener.address()
    }

    /// The address at which devices are known by their credentials, if there is one.
    #[must_use]
    pub fn credential_address(&self) -> Option<SocketAddr> {
        let listener = self.others.by_credential.as_ref();
        listener.map(CredentialListener::address)
    }

    /// Says in the log where else than at its address it listens.
    ///
    /// Fails with [`crate::server::Error::Listen`].
    pub fn announce(&self) -> Result<(), server::Error> {
        self.others.announce()
    }

    /// Takes the clock for right: somebody sits before it.
    ///
    /// Fails with [`Error::Pki`].
    pub fn trust_clock(&self) -> Result<(), Error> {
        self.shared.authority.accept_clock(clock::now()?);
        Ok(())
    }

    /// Takes its configuration, certificate and zones anew, for the connections that come from now
    /// on.
    #[must_use]
    pub fn reloader(&self, log: Option<LogControl>) -> Reloader {
        Reloader {
            shared: self.shared.clone(),
            changed: self.others.limits(self.listener.limits()),
            log,
        }
    }

    /// Serves until `stop` is ready, then until the requests in progress are answered.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self {
            shared,
            store,
            web,
            listener,
            others,
            renewing,
            checkpoints,
            in_use,
        } = self;
        let (app, authority) = (&shared.app, &shared.authority);
        let housekeeping = Housekeeping {
            store: store.clone(),
            app: app.clone(),
            authority: authority.clone(),
            metrics: shared.metrics.clone(),
            settings: shared.settings.clone(),
        };
        app.readiness().started();
        let housekeeping = tokio::spawn(housekeeping.run());
        let renewing = tokio::spawn(renewing.run());
        let checkpoints = checkpoints.map(|checkpoints| {
            let holder = checkpoints.holder().to_owned();
            (holder, tokio::spawn(checkpoints.run()))
        });
        let stopping = app.clone();
        let (stops, stopped) = watch::channel(false);
        let stop = async move {
            stop.await;
            stopping.readiness().stopping();
            let _ = stops.send(true);
        };
        let listen = &shared.started.listen;
        let routes = routes::routes(listen, app.clone(), web.clone());
        let serving = listener.serve(routes, stop);
        tokio::join!(serving, others.serve(listen, app, &web, stopped));
        housekeeping.abort();
        if let Ok(now) = clock::now() {
            if let Err(error) = app.record_reads(now).await {
                tracing::warn!(%error, "what operators have read is not on record");
            }
            if let Err(error) = app.share_limits(now).await {
                tracing::debug!(%error, "the other signers are not told how often devices came");
            }
        }
        renewing.abort();
        if let Some((holder, checkpoints)) = checkpoints {
            checkpoints.abort();
            let _ = checkpoints.await;
            give_turn_back(&store, &holder).await;
        }
        leave(authority).await;
        store.close().await;
        drop(in_use);
    }
}

/// Takes a changed configuration while the service runs.
#[derive(Debug)]
pub struct Reloader {
    shared: Arc<Shared>,
    changed: Vec<Limits>,
    log: Option<LogControl>,
}

impl Reloader {
    /// The keys that could not be read.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.shared.authority.missing()
    }

    /// Reads the file again: all of it counts from now on, or nothing.
    ///
    /// Fails with what reading the file, the certificate and the delegation certificates fails with.
    pub async fn reload(&self, path: &Path) -> Result<(), Error> {
        let read = self.read_again(path).await;
        self.shared.metrics.set_reload_failed(read.is_err());
        read
    }

    async fn read_again(&self, path: &Path) -> Result<(), Error> {
        let Shared {
            started,
            settings,
            authority,
            app,
            provider,
            ..
        } = &*self.shared;
        let mut config = Config::load(path)?;
        let restart = config.needs_restart(started);
        // Names follow from it.
        config.tenant.clone_from(&started.tenant);
        let new = Settings::load(&config, provider, Some(&settings.load()))?;
        authority.reload().await?;
        if let Some(log) = &self.log {
            log.set(&config.log.filter)?;
        }
        for key in restart {
            tracing::warn!("{key} has changed: that takes a restart");
        }
        settings.swap(new);
        self.changed.iter().for_each(Limits::tell);
        app.measure_certificate();
        warn_of_missing(authority);
        app.refresh_readiness().await;
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
    let status = authority.issuing_status(now).await?;
    for fault in status.faults() {
        tracing::warn!("nothing is issued: {fault}");
    }
    for ending in status.ending(now) {
        tracing::warn!("{ending}");
    }
    tracing::info!(
        id = authority.id(),
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

/// The next one that signs checkpoints does not wait until this one's turn is over.
async fn give_turn_back(store: &Store, holder: &str) {
    match tokio::time::timeout(MOMENT, store.give_turn_back(holder)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the turn to sign checkpoints is not given back"),
        Err(_) => tracing::warn!(
            "the database does not answer: the turn to sign checkpoints is not given back"
        ),
    }
}

const MOMENT: Duration = Duration::from_secs(2);
