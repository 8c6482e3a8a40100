//! The life of the process: its socket and its port, the log that is brought to the disk, and the end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;

use super::caller::Callers;
use super::desk::Desk;
use super::error::Error;
use super::hall::{Hall, attend};
use super::remote::{self, Remotes};
use super::socket;
use crate::config::KeydConfig;

/// Answers until `stop`, and then ends what is in progress.
///
/// `ready` is called once callers can connect. Fails with [`Error`]. Needs a tokio runtime with threads.
pub async fn serve(
    desk: Arc<Desk>,
    config: &KeydConfig,
    ready: impl Future<Output = ()>,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let callers = Callers::find(&config.callers)?;
    let remotes = match &config.listen {
        Some(listen) => Some(Remotes::listen(listen, &callers).await?),
        None => None,
    };
    let listener = socket::listen(&config.socket, config.group.as_deref())?;
    let hall = Arc::new(Hall::new(desk.clone(), callers));
    let syncing = tokio::spawn(sync(desk.clone()));
    ready.await;
    tokio::select! {
        () = accept(&listener, &hall) => {}
        () = remote::accept(remotes, &hall) => {}
        () = stop => {}
    }
    syncing.abort();
    drop(listener);
    let _ = std::fs::remove_file(&config.socket);
    hall.close().await;
    let last = tokio::task::spawn_blocking(move || desk.sync());
    if let Ok(Err(error)) = last.await {
        tracing::error!(%error, "the log may not be on the disk");
    }
    Ok(())
}

async fn accept(listener: &UnixListener, hall: &Arc<Hall>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: some will be closed.
                tracing::warn!(%error, "a caller could not connect");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let hall = hall.clone();
        tokio::spawn(async move {
            let attended = match stream.peer_cred() {
                Ok(peer) => attend(&hall, stream, peer.into()).await,
                Err(error) => Err(error),
            };
            if let Err(error) = attended {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
}

/// A power cut loses what was logged in the last second, and nothing else does.
async fn sync(desk: Arc<Desk>) {
    let mut each_second = tokio::time::interval(Duration::from_secs(1));
    each_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        each_second.tick().await;
        let desk = desk.clone();
        let synced = tokio::task::spawn_blocking(move || desk.sync()).await;
        if let Ok(Err(error)) = synced {
            tracing::error!(%error, "the log is not brought to the disk");
        }
    }
}
