//! Networks: whom a setting is about.

use std::net::IpAddr;

use ipnet::IpNet;

/// Networks of addresses; none unless somebody names them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// These networks together.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// True if an address is in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        // A socket for both kinds of address shows an IPv4 address within an IPv6 one.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_network_whichever_socket_it_came_to() {
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().unwrap());
        let networks = Networks::new(networks.into());
        for (address, is_in) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.1.2.3", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(
                networks.contains(address.parse().unwrap()),
                is_in,
                "{address}"
            );
        }
        assert!(!Networks::default().contains(IpAddr::from([10, 0, 0, 1])));
    }
}
