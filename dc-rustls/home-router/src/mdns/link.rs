//! A link of the home's network, as multicast DNS is spoken on it (RFC 6762).

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as Blocking};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::Failure;
use crate::home::Home;

/// A socket of its own, which hears what everybody on the link is told.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) socket: UdpSocket,
    everybody: SocketAddr,
    index: Option<u32>,
}

impl Link {
    /// The links of these addresses of the router; two addresses of one link are in one.
    ///
    /// Fails if the router has not such an address.
    pub(crate) fn open_all(addresses: &[IpAddr]) -> Result<Vec<Self>, Failure> {
        let mut links: Vec<Self> = Vec::new();
        for address in addresses {
            let index = match address {
                IpAddr::V4(_) => None,
                IpAddr::V6(address) => Some(index(*address)?),
            };
            let is_open = |link: &Self| index.is_some() && link.index == index;
            if !links.iter().any(is_open) {
                let explain = |error| format!("cannot announce services at {address}: {error}");
                links.push(Self::open(*address, index).map_err(explain)?);
            }
        }
        Ok(links)
    }

    fn open(address: IpAddr, index: Option<u32>) -> io::Result<Self> {
        let domain = Domain::for_address(SocketAddr::new(address, PORT));
        let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        // Other programs of the router may listen as well.
        socket.set_reuse_address(true)?;
        let (any, group) = match address {
            IpAddr::V4(address) => {
                socket.join_multicast_v4(&GROUP_V4, &address)?;
                socket.set_multicast_all_v4(false)?;
                socket.set_multicast_if_v4(&address)?;
                socket.set_multicast_ttl_v4(HOPS)?;
                (Ipv4Addr::UNSPECIFIED.into(), IpAddr::V4(GROUP_V4))
            }
            IpAddr::V6(_) => {
                let index = index.unwrap_or_default();
                socket.set_only_v6(true)?;
                socket.join_multicast_v6(&GROUP_V6, index)?;
                socket.set_multicast_all_v6(false)?;
                socket.set_multicast_if_v6(index)?;
                socket.set_multicast_hops_v6(HOPS)?;
                (Ipv6Addr::UNSPECIFIED.into(), IpAddr::V6(GROUP_V6))
            }
        };
        socket.bind(&SocketAddr::new(any, PORT).into())?;
        let socket: Blocking = socket.into();
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            everybody: SocketAddr::new(group, PORT),
            index,
        })
    }

    /// True if somebody on this link sent it: all others are not heard (RFC 6762 §11).
    pub(crate) fn has(&self, from: SocketAddr, home: &Home) -> bool {
        match from {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
                Some(v6.scope_id()) == self.index
            }
            from => home.has(from.ip()),
        }
    }

    /// Says this to everybody; a link that is down hears it when it is asked the next time.
    pub(crate) async fn tell(&self, message: &[u8]) {
        self.answer(message, self.everybody).await;
    }

    /// Says this to one client.
    pub(crate) async fn answer(&self, message: &[u8], to: SocketAddr) {
        let _ = self.socket.send_to(message, to).await;
    }
}

/// The number of the interface that has this address.
fn index(address: Ipv6Addr) -> Result<u32, Failure> {
    let table = fs::read_to_string(INTERFACES).map_err(|error| format!("{INTERFACES}: {error}"))?;
    let found = find(&table, address);
    found.ok_or_else(|| format!("{address} is no address of this machine; give one that is").into())
}

/// A line has an address in 32 digits, and behind it the number of its interface, both hexadecimal.
fn find(table: &str, address: Ipv6Addr) -> Option<u32> {
    let digits = format!("{:032x}", address.to_bits());
    let mut lines = table.lines().map(str::split_whitespace);
    lines.find_map(|mut words| {
        let is_it = words.next() == Some(&digits);
        u32::from_str_radix(words.next().filter(|_| is_it)?, 16).ok()
    })
}

/// Of multicast DNS, as a client's own port too.
pub(crate) const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// RFC 6762 §11: who looks at it knows that no router has passed it on.
const HOPS: u32 = 255;
const INTERFACES: &str = "/proc/net/if_inet6";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_of_an_address_is_found() {
        let table = "00000000000000000000000000000001 01 80 10 80       lo\n\
                     fd000000000000000000000000000001 1a 40 00 80   br-lan\n";
        assert_eq!(find(table, Ipv6Addr::LOCALHOST), Some(1));
        assert_eq!(find(table, "fd00::1".parse().unwrap()), Some(26));
        assert_eq!(find(table, "fd00::2".parse().unwrap()), None);
        assert_eq!(
            find(
                "fd000000000000000000000000000001",
                "fd00::1".parse().unwrap()
            ),
            None
        );
    }
}
