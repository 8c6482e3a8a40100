//! Callers on other machines: TLS 1.3, with a certificate on both sides that the other has in its configuration.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::caller::{Caller, Callers};
use super::error::Error;
use super::hall::{Hall, attend};
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
    /// The same, by where they come from.
    by_address: Arc<ByAddress>,
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
            by_address: Arc::default(),
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
        let own = remotes.by_address.enter(address.ip());
        let place = remotes.handshakes.clone().try_acquire_owned();
        let place = match (own, place) {
            (Some(own), Ok(place)) => (own, place),
            (own, _) => {
                let detail = match own {
                    None => format!("{MOST_OF_ONE} handshakes of this address are in progress"),
                    Some(_) => format!("{MAX_HANDSHAKES} handshakes are in progress"),
                };
                let refused = TurnedAway::new(Refusal::Busy, detail);
                hall.turn_away(refused, Caller::Stranger { address });
                continue;
            }
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
    let shaken = timeout(SHAKING, acceptor.accept(tcp)).await;
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

/// How many handshakes of each address are in progress: one that is flooded from leaves room for others.
#[derive(Debug, Default)]
struct ByAddress(Mutex<BTreeMap<IpAddr, usize>>);

/// One of them, until this is dropped.
#[derive(Debug)]
struct OfAddress(Arc<ByAddress>, IpAddr);

impl ByAddress {
    /// One more of this address, or of its network of 64 bits, which one host may have; none if there are too many.
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<OfAddress> {
        let network = match address.to_canonical() {
            IpAddr::V6(address) => {
                let bits = address.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(bits))
            }
            address => address,
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(network).or_default();
        if *count >= MOST_OF_ONE {
            return None;
        }
        *count += 1;
        Some(OfAddress(self.clone(), network))
    }
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let Self(all, network) = self;
        let mut all = all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(network) {
            *count -= 1;
            if *count == 0 {
                all.remove(network);
            }
        }
    }
}

const MAX_HANDSHAKES: usize = 64;
const MOST_OF_ONE: usize = 8;
/// How long a handshake may take.
const SHAKING: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_flooded_from_leaves_room_for_others() {
        let all = Arc::<ByAddress>::default();
        let enter = |address: &str| all.enter(address.parse().unwrap());
        let held: Vec<_> = (0..MOST_OF_ONE).map(|_| enter("192.0.2.1")).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none() && enter("::ffff:192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        let of_network: Vec<_> = (1..=MOST_OF_ONE)
            .map(|host| enter(&format!("2001:db8::{host:x}")))
            .collect();
        assert!(of_network.iter().all(Option::is_some));
        assert!(enter("2001:db8::ffff").is_none() && enter("2001:db8:0:1::1").is_some());
        drop((held, of_network));
        assert!(enter("192.0.2.1").is_some());
        assert!(all.0.lock().unwrap().is_empty());
    }
}
