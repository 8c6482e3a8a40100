//! Callers on other machines: TLS 1.3, with a certificate on both sides that the other has in its configuration.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::caller::{Caller, Callers};
use super::error::Error;
use super::hall::{Hall, PATIENCE, attend};
use super::turned_away::TurnedAway;
use crate::config::KeydListen;
use dc_pki::keys::Refusal;
use dc_pki::{Sha256, keyd};

/// The port that they connect to.
pub(super) struct Remotes {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    /// Handshakes in progress: of strangers, most likely.
    handshakes: Arc<Semaphore>,
}

impl Remotes {
    /// Fails with [`Error::Missing`] if nobody could ask, with [`Error::Listen`], and as reading certificate and key does.
    pub(super) async fn listen(listen: &KeydListen, callers: &Callers) -> Result<Self, Error> {
        let own = (&*listen.certificate, &*listen.key);
        if callers.certificates().is_empty() {
            return Err(Error::Missing {
                table: "callers]] with a certificate, for [[listen",
            });
        }
        let config = keyd::server_config(own, callers.certificates().to_vec())?;
        let address = listen.address;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| Error::Listen { address, source })?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "callers on other machines can connect");
        }
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: Arc::new(Semaphore::new(MAX_HANDSHAKES)),
        })
    }
}

/// Accepts them for ever; waits for ever if there are to be none.
pub(super) async fn accept(remotes: Option<Remotes>, hall: &Arc<Hall>) {
    let Some(remotes) = remotes else {
        return std::future::pending().await;
    };
    loop {
        let (tcp, address) = match remotes.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a caller could not connect");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = remotes.handshakes.clone().try_acquire_owned() else {
            let detail = format!("{MAX_HANDSHAKES} handshakes are in progress");
            let refused = TurnedAway::new(Refusal::Busy, detail);
            hall.turn_away(refused, Caller::Stranger { address });
            continue;
        };
        let (acceptor, hall) = (remotes.acceptor.clone(), hall.clone());
        tokio::spawn(async move {
            let shaken = shake(&acceptor, tcp).await;
            drop(place);
            match shaken {
                Ok((stream, certificate)) => {
                    let caller = Caller::Remote {
                        certificate,
                        address,
                    };
                    if let Err(error) = attend(&hall, stream, caller).await {
                        tracing::debug!(%error, "a connection ended");
                    }
                }
                Err(why) => {
                    let refused = TurnedAway::new(Refusal::Caller, why);
                    hall.turn_away(refused, Caller::Stranger { address });
                }
            }
        });
    }
}

type Stream = tokio_rustls::server::TlsStream<TcpStream>;

/// Both have shown their certificates.
async fn shake(acceptor: &TlsAcceptor, tcp: TcpStream) -> Result<(Stream, Sha256), String> {
    let _ = tcp.set_nodelay(true);
    let shaken = timeout(PATIENCE, acceptor.accept(tcp)).await;
    let stream = match shaken {
        Err(_) => return Err("the handshake takes too long".to_owned()),
        Ok(Err(error)) => return Err(format!("the handshake fails: {error}")),
        Ok(Ok(stream)) => stream,
    };
    let (_, connection) = stream.get_ref();
    let shown = connection.peer_certificates().and_then(|all| all.first());
    let certificate = shown.map(|shown| Sha256::of(shown));
    let certificate = certificate.ok_or_else(|| "no certificate was shown".to_owned())?;
    Ok((stream, certificate))
}

const MAX_HANDSHAKES: usize = 64;
