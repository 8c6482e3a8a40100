//! The process around a service: signals, and what the service manager is told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Error, Reloader, Service};
use crate::authority::Missing;
use crate::config::Config;
use crate::server::telemetry::LogControl;

/// The signals that a service listens to, from before it starts: a start may have to wait for others.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Nothing that comes from now on is lost.
    ///
    /// Fails with [`Error::Signals`]. Needs a tokio runtime.
    pub fn listen() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|source| Error::Signals { source });
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits until somebody wants it to read its files again, or to stop: true for the first.
    pub async fn reload_or_stop(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => false,
            _ = self.interrupt.recv() => false,
            hangup = self.hangup.recv() => hangup.is_some(),
        }
    }

    /// Waits until somebody wants it to stop.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Starts a service; none if somebody stops it before it is ready.
///
/// Fails as [`Service::start`] does.
pub async fn start(
    config: Config,
    provider: Arc<CryptoProvider>,
    signals: &mut Signals,
) -> Result<Option<Service>, Error> {
    tokio::select! {
        started = Service::start(config, provider) => started.map(Some),
        () = signals.stop() => {
            tracing::info!("stopped before it was ready");
            Ok(None)
        }
    }
}

/// Serves until SIGTERM or SIGINT, and reads the configuration again at SIGHUP.
///
/// Fails with [`crate::server::Error::Listen`].
pub async fn serve(
    service: Service,
    config: &Path,
    log: Option<LogControl>,
    signals: Signals,
) -> Result<(), Error> {
    let Signals {
        mut terminate,
        mut interrupt,
        hangup,
    } = signals;
    let reloading = tokio::spawn(reload(service.reloader(log), config.to_owned(), hangup));
    let watchdog = tokio::spawn(watchdog());
    tell(vec![NotifyState::Ready, NotifyState::Status("")]).await;
    service.announce()?;
    tracing::info!(address = %service.address()?, "ready");
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell(vec![NotifyState::Stopping]).await;
        tracing::info!("stopping: requests in progress are finished");
    };
    service.run(stop).await;
    reloading.abort();
    watchdog.abort();
    tracing::info!("stopped");
    Ok(())
}

async fn reload(reloader: Reloader, config: std::path::PathBuf, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        // systemd wants to know when the reload began, by a clock that never jumps.
        let began = NotifyState::monotonic_usec_now();
        let mut news = vec![NotifyState::Reloading];
        news.extend(began);
        tell(news).await;
        match reloader.reload(&config).await {
            Ok(()) => tell_what_is_missing(&reloader.missing()),
            Err(error) => tracing::error!(%error, "not reloaded: everything stays as it was"),
        }
        tell(vec![NotifyState::Ready]).await;
    }
}

/// A reload is not done while a key is missing that somebody may just have brought.
fn tell_what_is_missing(missing: &[Missing]) {
    for missing in missing {
        tracing::error!("{missing}");
    }
    match missing.len() {
        0 => tracing::info!("configuration, certificate and zones are read again"),
        count => tracing::error!(
            "configuration and certificate were read anew, but {count} of the zones' keys could not be"
        ),
    }
}

/// Shows the service manager that the runtime still runs, twice as often as it wants to know.
async fn watchdog() {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut interval = tokio::time::interval((period / 2).max(Duration::from_millis(100)));
    loop {
        interval.tick().await;
        tell(vec![NotifyState::Watchdog]).await;
    }
}

/// Says nothing if nobody listens, and waits no longer than a moment for one who listens but does not read.
pub(super) async fn tell(news: Vec<NotifyState<'static>>) {
    let telling = tokio::task::spawn_blocking(move || sd_notify::notify(&news));
    match tokio::time::timeout(MOMENT, telling).await {
        Ok(Ok(Err(error))) => tracing::warn!(%error, "the service manager cannot be told"),
        Err(_) => tracing::warn!("the service manager does not read what it is told"),
        Ok(_) => {}
    }
}

const MOMENT: Duration = Duration::from_secs(1);
