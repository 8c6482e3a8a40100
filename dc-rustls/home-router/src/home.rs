//! The home's network as the router is told of it: where it is itself, and who is inside.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One network at home: the router's address in it, and how many bits of that are the network's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

/// All networks at home; none if the router was told of none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home(Vec<Network>);

/// Text that is no `ADDRESS/BITS` of a network at home.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotHome {
    /// It is an address that every link has, or none, or one of many hosts.
    Address,
    /// It is not written so.
    Form,
    /// There are no addresses of so many bits, or that is everybody.
    Bits,
}

impl Network {
    fn has(&self, client: IpAddr) -> bool {
        let is_same_family = self.address.is_ipv4() == client.is_ipv4();
        let outside = u32::from(width(client) - self.bits.min(width(client)));
        // Of no bits there are no networks, so that this does not shift everything out.
        is_same_family && (number(self.address) ^ number(client)) >> outside == 0
    }
}

impl FromStr for Network {
    type Err = NotHome;

    fn from_str(text: &str) -> Result<Self, NotHome> {
        let (address, bits) = text.split_once('/').ok_or(NotHome::Form)?;
        let address: IpAddr = address.parse().map_err(|_| NotHome::Form)?;
        let bits = bits.parse().map_err(|_| NotHome::Form)?;
        let is_of_one_link = match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        if is_of_one_link || address.is_unspecified() || address.is_multicast() {
            return Err(NotHome::Address);
        }
        match (1..=width(address)).contains(&bits) {
            true => Ok(Self { address, bits }),
            false => Err(NotHome::Bits),
        }
    }
}

impl Home {
    pub(crate) fn new(networks: &[Network]) -> Self {
        Self(networks.to_vec())
    }

    /// True if there is no home to serve.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.0.is_empty()
    }

    /// True if a client with this address is inside; the router itself is.
    pub(crate) fn has(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        client.is_loopback() || self.0.iter().any(|network| network.has(client))
    }

    /// The router's addresses.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.0.iter().map(|network| network.address).collect()
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl fmt::Display for NotHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "give an address that is the router's alone, in all of the home",
            Self::Form => {
                "give the router's address and the bits of its network, as in 192.168.1.1/24"
            }
            Self::Bits => "give as many bits as the network has: 1 to 32, or 1 to 128 for IPv6",
        })
    }
}

impl std::error::Error for NotHome {}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn home(networks: &[&str]) -> Home {
        let networks: Vec<Network> = networks.iter().map(|text| text.parse().unwrap()).collect();
        Home::new(&networks)
    }

    #[test]
    fn inside_is_who_has_an_address_of_the_home_or_is_the_router_itself() {
        let home = home(&["192.168.1.1/24", "fd00:0:0:7::1/64"]);
        for (client, is_inside) in [
            ("192.168.1.255", true),
            ("192.168.2.0", false),
            ("::ffff:192.168.1.7", true),
            ("::ffff:192.168.2.7", false),
            ("fd00::7:ffff:0:0:1", true),
            ("fd00:0:0:6:ffff::1", false),
            ("fe80::1", false),
            ("127.0.0.1", true),
            ("::1", true),
            // Its bits are those of an IPv4 address inside.
            ("::c0a8:0101", false),
        ] {
            assert_eq!(home.has(client.parse().unwrap()), is_inside, "{client}");
        }
        assert!(!Home::default().has([192, 168, 1, 1].into()));
    }

    #[test]
    fn what_is_no_network_at_home_is_refused() {
        for (text, fault) in [
            ("192.168.1.1", NotHome::Form),
            ("router/24", NotHome::Form),
            ("192.168.1.1/", NotHome::Form),
            ("192.168.1.1/256", NotHome::Form),
            ("192.168.1.1/33", NotHome::Bits),
            ("192.168.1.1/0", NotHome::Bits),
            ("fd00::1/129", NotHome::Bits),
            ("fe80::1/64", NotHome::Address),
            ("0.0.0.0/24", NotHome::Address),
            ("ff02::fb/64", NotHome::Address),
        ] {
            assert_eq!(text.parse::<Network>(), Err(fault), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_inside_if_the_first_bits_are_the_same(own: u32, client: u32, bits in 1u8..=32) {
            let network = Network { address: Ipv4Addr::from(own).into(), bits };
            let first = |address: u32| format!("{address:032b}")[..bits.into()].to_owned();
            let client_address = Ipv4Addr::from(client).into();
            prop_assert_eq!(network.has(client_address), first(own) == first(client));
        }

        #[test]
        fn the_same_with_ipv6(own: u128, change in 0u8..128, bits in 1u8..=128) {
            let network = Network { address: Ipv6Addr::from(own).into(), bits };
            // One bit is another, counted from the front.
            let client = Ipv6Addr::from(own ^ (1 << (127 - change))).into();
            prop_assert_eq!(network.has(client), change >= bits);
        }
    }
}
