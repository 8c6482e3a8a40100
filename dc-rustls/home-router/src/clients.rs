//! The connected clients, and limits for their number.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use dc_core::Form;
use dc_rustls::server::Served;
use tokio::time::Instant;

use crate::resolver::Way;

/// A port that clients connect to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    /// This page and DNS over HTTPS.
    Https,
    /// DNS over TLS.
    Dot,
    /// DNS over QUIC.
    Doq,
    /// DNS without any proof; never on the list.
    Dns,
}

/// The proof that a client was sent to authenticate the router.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Proof {
    /// A credential with the router's name in it.
    Named,
    /// A credential as in RFC 9345, without a name of its own.
    Rfc9345,
    /// The fallback certificate.
    Certificate,
}

impl From<&Served> for Proof {
    fn from(served: &Served) -> Self {
        match served {
            Served::Delegated {
                form: Form::Named, ..
            } => Self::Named,
            Served::Delegated { .. } => Self::Rfc9345,
            _ => Self::Certificate,
        }
    }
}

/// The connections of all services.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    connections: BTreeMap<u64, Arc<Connection>>,
}

/// One connection, as long as it is open.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) address: IpAddr,
    pub(crate) service: Service,
    pub(crate) since: SystemTime,
    opened: Instant,
    /// Milliseconds after `opened`.
    last_used: AtomicU64,
    queries: AtomicU64,
    proof: OnceLock<Proof>,
}

/// Takes a connection off the list when it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    number: u64,
    clients: Clients,
    connection: Arc<Connection>,
}

impl Clients {
    /// Puts a connection on the list; `None` if there are too many, of all or of this address.
    ///
    /// The second limit keeps one device at home from locking all others out.
    pub(crate) fn admit(&self, address: IpAddr, service: Service) -> Option<Admitted> {
        let address = address.to_canonical();
        let mut table = self.lock();
        let of_this_address = |connection: &&Arc<Connection>| connection.address == address;
        let its_own = table.connections.values().filter(of_this_address).count();
        if table.connections.len() >= MAX_CONNECTIONS || its_own >= MAX_PER_ADDRESS {
            return None;
        }
        let connection = Arc::new(Connection::new(address, service));
        let number = table.next;
        table.next += 1;
        table.connections.insert(number, Arc::clone(&connection));
        Some(Admitted {
            number,
            clients: self.clone(),
            connection,
        })
    }

    /// Everybody whose handshake is over, the oldest first.
    pub(crate) fn list(&self) -> Vec<Arc<Connection>> {
        let table = self.lock();
        let greeted = |connection: &&Arc<Connection>| connection.proof().is_some();
        let connections = table.connections.values().filter(greeted);
        connections.cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn new(address: IpAddr, service: Service) -> Self {
        Self {
            address,
            service,
            since: SystemTime::now(),
            opened: Instant::now(),
            last_used: AtomicU64::new(0),
            queries: AtomicU64::new(0),
            proof: OnceLock::new(),
        }
    }

    /// The handshake is over.
    pub(crate) fn greet(&self, served: &Served) {
        self.proof.get_or_init(|| served.into());
    }

    /// Something was asked for.
    pub(crate) fn touch(&self) {
        let now = self.opened.elapsed().as_millis();
        self.last_used
            .store(u64::try_from(now).unwrap_or(u64::MAX), Relaxed);
    }

    /// A DNS query was asked.
    pub(crate) fn count_query(&self) {
        self.touch();
        self.queries.fetch_add(1, Relaxed);
    }

    /// The proof that authenticated the router; `None` before the end of the handshake.
    pub(crate) fn proof(&self) -> Option<Proof> {
        self.proof.get().copied()
    }

    /// How a query comes over it to this address of ours.
    pub(crate) fn way(&self, local: IpAddr) -> Way {
        Way {
            client: self.address,
            local,
            is_private: true,
        }
    }

    /// How many DNS queries there were.
    pub(crate) fn queries(&self) -> u64 {
        self.queries.load(Relaxed)
    }

    /// For how long nothing was asked for.
    pub(crate) fn idle(&self) -> Duration {
        let last_used = Duration::from_millis(self.last_used.load(Relaxed));
        self.opened.elapsed().saturating_sub(last_used)
    }
}

impl Admitted {
    /// The connection.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.clients.lock().connections.remove(&self.number);
    }
}

const MAX_CONNECTIONS: usize = 256;
const MAX_PER_ADDRESS: usize = 32;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn one_address_cannot_lock_the_others_out() {
        let clients = Clients::default();
        let mut open = Vec::new();
        for _ in 0..MAX_PER_ADDRESS {
            open.push(clients.admit(address(1), Service::Dot).unwrap());
        }
        assert!(clients.admit(address(1), Service::Https).is_none());
        let mapped = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().into();
        assert!(clients.admit(mapped, Service::Dot).is_none());
        assert!(clients.admit(address(2), Service::Dot).is_some());
        open.pop();
        assert!(clients.admit(address(1), Service::Dot).is_some());
    }

    #[test]
    fn there_is_a_limit_for_all() {
        let clients = Clients::default();
        let all: Vec<_> = (0..=u8::MAX)
            .flat_map(|last| [last; 2])
            .filter_map(|last| clients.admit(address(last), Service::Dot))
            .collect();
        assert_eq!(all.len(), MAX_CONNECTIONS);
    }

    #[test]
    fn lists_whose_handshake_is_over_until_the_connection_ends() {
        let clients = Clients::default();
        let admitted = clients.admit(address(1), Service::Https).unwrap();
        assert!(clients.list().is_empty());
        admitted.connection().greet(&Served::Certificate);
        admitted.connection().count_query();
        let list = clients.list();
        assert_eq!(list[0].proof(), Some(Proof::Certificate));
        assert_eq!(list[0].queries(), 1);
        drop(admitted);
        assert!(clients.list().is_empty());
    }
}
