//! Those who shake hands, and who of them has to go when there are too many.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, Id};

/// Handshakes that are under way, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Crowd(VecDeque<Place>);

#[derive(Debug)]
struct Place {
    from: IpAddr,
    since: Instant,
    handshake: AbortHandle,
}

impl Crowd {
    pub(super) fn enter(&mut self, address: IpAddr, handshake: AbortHandle) {
        self.0.push_back(Place {
            from: network(address),
            since: Instant::now(),
            handshake,
        });
    }

    /// The handshake is over; it may have been displaced before.
    pub(super) fn leave(&mut self, id: Id) {
        self.0.retain(|place| place.handshake.id() != id);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Ends one: the oldest of the network that has the most. One that connects for real is done long before it is the
    /// oldest, and a crowd from one place costs other places nothing.
    pub(super) fn displace(&mut self) {
        self.displace_after(Duration::ZERO);
    }

    /// Ends one of those that have been here for so long, if there are any.
    pub(super) fn displace_after(&mut self, time: Duration) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        let slow = || self.0.iter().filter(|place| place.since.elapsed() >= time);
        for place in slow() {
            *counts.entry(place.from).or_default() += 1;
        }
        let most = counts.values().max();
        let is_of_most = |place: &Place| most.is_some() && counts.get(&place.from) == most;
        let oldest = self.0.iter().position(is_of_most);
        if let Some(place) = oldest.and_then(|at| self.0.remove(at)) {
            place.handshake.abort();
        }
    }
}

/// The least that one party has: an IPv4 address, or 64 bits of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::JoinSet;

    use super::*;

    /// The numbers of those that have to go, of those who came from these addresses, one after the other.
    async fn displaced(addresses: &[&str], count: usize) -> Vec<usize> {
        let (mut set, mut crowd) = (JoinSet::<()>::new(), Crowd::default());
        let mut ids = Vec::new();
        for address in addresses {
            let handshake = set.spawn(pending());
            ids.push(handshake.id());
            crowd.enter(address.parse().unwrap(), handshake);
        }
        let mut gone = Vec::new();
        for _ in 0..count {
            crowd.displace();
            let error = set.join_next_with_id().await.unwrap().unwrap_err();
            assert!(error.is_cancelled());
            gone.push(ids.iter().position(|id| *id == error.id()).unwrap());
        }
        assert_eq!(crowd.len(), addresses.len() - count);
        gone
    }

    #[tokio::test]
    async fn the_oldest_of_the_fullest_network_goes_first() {
        let crowd = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.2"];
        assert_eq!(displaced(&crowd, 4).await, [1, 0, 2, 3]);
    }

    #[tokio::test]
    async fn an_ipv6_network_is_one_party_and_a_mapped_address_its_own() {
        let crowd = ["2001:db8:0:1::1", "2001:db8::1", "2001:db8::2:0:0:1"];
        assert_eq!(displaced(&crowd, 1).await, [1]);
        let crowd = ["::ffff:192.0.2.1", "::ffff:192.0.2.2", "192.0.2.2"];
        assert_eq!(displaced(&crowd, 1).await, [1]);
    }

    #[tokio::test]
    async fn nobody_is_displaced_who_has_not_been_here_for_long() {
        let (mut set, mut crowd) = (JoinSet::<()>::new(), Crowd::default());
        let hour = Duration::from_secs(3600);
        crowd.displace_after(hour);
        for address in ["192.0.2.1", "192.0.2.2", "192.0.2.2"] {
            crowd.enter(address.parse().unwrap(), set.spawn(pending()));
        }
        crowd.displace_after(hour);
        assert_eq!(crowd.len(), 3);
        let long_ago = Instant::now().checked_sub(hour);
        crowd.0[0].since = long_ago.expect("this machine runs for an hour");
        crowd.displace_after(hour);
        // Those who are many count for nothing as long as they are new.
        assert_eq!(crowd.0[0].from, network("192.0.2.2".parse().unwrap()));
        assert_eq!(crowd.len(), 2);
    }

    #[tokio::test]
    async fn nobody_is_displaced_who_has_left() {
        let mut set = JoinSet::<()>::new();
        let mut crowd = Crowd::default();
        let handshake = set.spawn(async {});
        crowd.enter("192.0.2.1".parse().unwrap(), handshake);
        let (id, ()) = set.join_next_with_id().await.unwrap().unwrap();
        crowd.leave(id);
        crowd.displace();
        assert_eq!(crowd.len(), 0);
    }
}
