//! The address of a connection, as far as one customer can be told from another.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the first 64 bits of an IPv6 address: whoever has one address of those has all of them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Prefix(IpAddr);

/// The address that a request comes from, as the log has it: of its client, if a proxy says whose it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientAddress(pub IpAddr);

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        // A socket for both kinds of address shows an IPv4 address within an IPv6 one.
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        })
    }
}

const NETWORK: u128 = !0 << 64;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn prefix(address: &str) -> Prefix {
        address.parse::<SocketAddr>().unwrap().ip().into()
    }

    #[test]
    fn an_ipv4_address_is_one_customer_and_so_is_an_ipv6_network_of_64_bits() {
        for (one, other, same) in [
            ("192.0.2.1:1", "192.0.2.1:2", true),
            ("192.0.2.1:1", "192.0.2.2:1", false),
            ("192.0.2.1:1", "[::ffff:192.0.2.1]:1", true),
            ("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1", false),
            ("[2001:db8::1]:1", "[2001:db8::ffff:1:2:3]:2", true),
            ("[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false),
        ] {
            assert_eq!(prefix(one) == prefix(other), same, "{one} {other}");
        }
    }
}
