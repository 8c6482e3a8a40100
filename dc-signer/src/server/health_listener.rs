//! Health and metrics for this machine alone: HTTP without TLS, on a Unix socket or a loopback address.
//!
//! Nobody is known by a connection here. What may not be read by everybody takes a token, as elsewhere.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::config::{HealthListener as Configured, Listen, Live};
use crate::server::Error;
use crate::server::listener::{ClientAddress, Kept, Settings, serve_http1};

/// A socket that listens.
#[derive(Debug)]
pub(super) struct HealthListener {
    socket: Socket,
    settings: Live<Settings>,
    places: Arc<Semaphore>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl HealthListener {
    /// Listens where the configuration says; nothing is accepted yet. None if that is with TLS, or nowhere.
    ///
    /// Fails with [`Error::Listen`] and [`Error::ListenAtPath`].
    pub(super) async fn bind(
        at: Option<&Configured>,
        settings: Live<Settings>,
    ) -> Result<Option<Self>, Error> {
        let socket = match at {
            None | Some(Configured::Tls(_)) => return Ok(None),
            Some(Configured::Plain(address)) => Socket::Tcp(tcp(*address).await?),
            Some(Configured::Unix(path)) => {
                let failed = |source| Error::ListenAtPath {
                    path: path.clone(),
                    source,
                };
                Socket::Unix(unix(path).map_err(failed)?)
            }
        };
        Ok(Some(Self {
            socket,
            settings,
            places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }))
    }

    /// Serves until `stopped` says so; a request in progress gets a moment.
    pub(super) async fn serve(self, router: Router, mut stopped: watch::Receiver<bool>) {
        let stopping = stopped.clone();
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return;
            };
            let listen = self.settings.load().listen.clone();
            let connection = Connection {
                router: router.clone(),
                listen,
                stopped: stopping.clone(),
            };
            tokio::select! {
                () = until(&mut stopped) => break,
                accepted = self.accept() => match accepted {
                    Ok((stream, address)) => {
                        tokio::spawn(async move {
                            connection.serve(stream, address).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection of listen.health");
                        sleep(AFTER_FAILURE).await;
                    }
                },
            }
        }
        let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
        let _ = timeout(MOMENT, self.places.acquire_many(all)).await;
    }

    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<SocketAddr>)> {
        match &self.socket {
            Socket::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                Ok((Box::new(stream), Some(address)))
            }
            Socket::Unix(socket) => Ok((Box::new(socket.accept().await?.0), None)),
        }
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Connection {
    router: Router,
    listen: Listen,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    /// Answers requests until either side has had enough.
    async fn serve(self, stream: Box<dyn Stream>, address: Option<SocketAddr>) {
        let Self {
            router,
            listen,
            stopped,
        } = self;
        let mark = move |known: &mut Extensions| {
            if let Some(address) = address {
                known.insert(ClientAddress(address.ip().to_canonical()));
            }
        };
        let kept = Kept {
            age: listen.max_age,
            rest: MOMENT,
        };
        serve_http1(stream, (router, mark), (&listen, kept), stopped).await;
    }
}

/// Waits without keeping what it was told: others may have to tell.
async fn until(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn tcp(address: SocketAddr) -> Result<TcpListener, Error> {
    let setting = "listen.health.address";
    let listening = TcpListener::bind(address).await;
    listening.map_err(|source| Error::Listen {
        address,
        setting,
        source,
    })
}

/// A socket that a service which is no more has left there is replaced. Whoever reaches the folder may connect: there is nothing here
/// but what every client could ask.
fn unix(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let there = path.symlink_metadata();
    if there.is_ok_and(|there| !there.file_type().is_socket()) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // Under another name until others may connect, so that nobody meets one that they may not.
    let new = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, Permissions::from_mode(0o666))?;
    fs::rename(&new, path)?;
    Ok(listener)
}

/// Of a service manager, a scraper or two, and somebody who looks.
const MAX_CONNECTIONS: usize = 64;
const MOMENT: Duration = Duration::from_secs(2);
/// Without a pause a lack of file descriptors would keep a core busy.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_everybodys_and_takes_the_place_of_nothing_but_an_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("health");
        let first = unix(&path).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        let error = unix(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        let _second = unix(&path).unwrap();
        let other = folder.path().join("file");
        fs::write(&other, "mine").unwrap();
        assert!(unix(&other).is_err());
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
    }
}
