//! Where somebody comes from: an address, and the network around it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address as far as one customer can be told from another, and its network.
///
/// An IPv4 address is one customer, or all of those behind one translator; its network has 24 bits. An IPv6 customer has a network
/// of 64 to 56 bits, of which the 56 are taken; the network around has 48 bits, which is what one site is given at most, and whoever
/// rents machines gets as a matter of course. Both are told apart because a share for each address alone would be worth as much as
/// there are addresses in the hands of one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Whence {
    network: Network,
    address: IpAddr,
}

/// The first bits of an address.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Network(IpAddr);

impl Whence {
    /// The network that the address is in.
    pub(crate) fn network(self) -> Network {
        self.network
    }
}

impl From<IpAddr> for Whence {
    fn from(address: IpAddr) -> Self {
        // A socket for both kinds of address shows an IPv4 address within an IPv6 one.
        let address = address.to_canonical();
        let (customer, network) = match address {
            IpAddr::V4(v4) => (address, first_v4(v4, 24)),
            IpAddr::V6(v6) => (first_v6(v6, 56), first_v6(v6, 48)),
        };
        Self {
            network: Network(network),
            address: customer,
        }
    }
}

fn first_v4(address: Ipv4Addr, bits: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (!0 << (32 - bits))))
}

fn first_v6(address: Ipv6Addr, bits: u32) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(
        address.to_bits() & (!0 << (128 - bits)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_and_networks_are_told_apart_by_their_first_bits() {
        for (one, other, customer, network) in [
            ("192.0.2.1", "192.0.2.1", true, true),
            ("192.0.2.1", "192.0.2.2", false, true),
            ("192.0.2.1", "192.0.3.1", false, false),
            ("192.0.2.1", "::ffff:192.0.2.1", true, true),
            ("2001:db8:1:aa01::1", "2001:db8:1:aaff::2", true, true),
            ("2001:db8:1:aa01::1", "2001:db8:1:ab01::1", false, true),
            ("2001:db8:1::1", "2001:db8:2::1", false, false),
        ] {
            let of = |text: &str| Whence::from(text.parse::<IpAddr>().unwrap());
            let (a, b) = (of(one), of(other));
            let same = (a == b, a.network() == b.network());
            assert_eq!(same, (customer, network), "{one} {other}");
        }
    }
}
