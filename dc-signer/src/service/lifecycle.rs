//! The process around a service: signals, and what the service manager is told.

use std::path::Path;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Reloader, Service};
use crate::error::Error;
use crate::telemetry::LogControl;

/// Serves until SIGTERM or SIGINT, and reads the configuration again at SIGHUP.
///
/// Fails with [`Error::Signals`].
pub async fn serve(service: Service, config: &Path, log: Option<LogControl>) -> Result<(), Error> {
    let listen = |kind| signal(kind).map_err(|source| Error::Signals { source });
    let (mut terminate, mut interrupt) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    let hangup = listen(SignalKind::hangup())?;
    let reloading = tokio::spawn(reload(service.reloader(log), config.to_owned(), hangup));
    let watchdog = tokio::spawn(watchdog());
    tell(vec![NotifyState::Ready]).await;
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
            Ok(()) => tracing::info!("configuration, certificate and zones are read again"),
            Err(error) => tracing::error!(%error, "not reloaded: everything stays as it was"),
        }
        tell(vec![NotifyState::Ready]).await;
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
async fn tell(news: Vec<NotifyState<'static>>) {
    let telling = tokio::task::spawn_blocking(move || sd_notify::notify(&news));
    match tokio::time::timeout(MOMENT, telling).await {
        Ok(Ok(Err(error))) => tracing::warn!(%error, "the service manager cannot be told"),
        Err(_) => tracing::warn!("the service manager does not read what it is told"),
        Ok(_) => {}
    }
}

const MOMENT: Duration = Duration::from_secs(1);
