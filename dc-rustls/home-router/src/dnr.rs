//! The router's name as the network tells it to clients (DNR, RFC 9463): as DHCP and router advertisements
//! carry it; and what a plain resolver answers about it (DDR, RFC 9462).

mod programs;

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_net::proto::rr::Name;
use hickory_net::proto::rr::rdata::SVCB;
use hickory_net::proto::serialize::binary::BinEncodable;

use crate::Failure;
use crate::designated::{Ports, page, services, with_hints};
pub(crate) use programs::Format;

/// The data that is handed out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handout<'a> {
    /// The router's unique name, which clients hold it to: the authentication-domain-name.
    pub(crate) router: &'a str,
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) ports: Ports,
}

impl Handout<'_> {
    /// Everything in hex, for the configuration of other programs.
    ///
    /// Fails if the name or the addresses do not fit an option.
    fn lines(&self) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        if !self.v4().is_empty() {
            lines.push(format!(
                "DHCPv4 option 162: {}",
                hex(&self.dhcpv4_instances()?.concat())
            ));
        }
        if !self.v6().is_empty() {
            for option in self.dhcpv6()? {
                lines.push(format!("DHCPv6 option 144: {}", hex(&option)));
            }
            for option in self.advertisement()? {
                lines.push(format!("router advertisement: {}", hex(&option)));
            }
        }
        for svcb in self.services()? {
            let svcb = with_hints(svcb, self.addresses);
            lines.push(format!(
                "_dns.resolver.arpa SVCB: {}",
                hex(&svcb.to_bytes()?)
            ));
        }
        // Without HTTP/3 it says little.
        let (owner, records) = page(self.router, self.ports);
        for record in records.into_iter().filter(|_| self.ports.http3.is_some()) {
            let record = with_hints(record, self.addresses).to_bytes()?;
            lines.push(format!("{owner} HTTPS: {}", hex(&record)));
        }
        Ok(lines)
    }

    /// RFC 9463 §5.1: what is one after the other in the value of the option, an instance for each service.
    fn dhcpv4_instances(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let addresses: Vec<u8> = self.v4().iter().flat_map(Ipv4Addr::octets).collect();
        let instance = |svcb: &SVCB| {
            let mut instance = svcb.svc_priority.to_be_bytes().to_vec();
            let name = svcb.target_name.to_bytes()?;
            instance.push(u8::try_from(name.len())?);
            instance.extend(name);
            instance.push(u8::try_from(addresses.len())?);
            instance.extend(&addresses);
            instance.extend(parameters(svcb)?);
            vector(instance)
        };
        self.services()?.iter().map(instance).collect()
    }

    /// RFC 9463 §4.1: the value of an option for each service.
    fn dhcpv6(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let option = |svcb: &SVCB| {
            let mut option = svcb.svc_priority.to_be_bytes().to_vec();
            option.extend(vector(svcb.target_name.to_bytes()?)?);
            option.extend(vector(self.v6_octets())?);
            option.extend(parameters(svcb)?);
            Ok(option)
        };
        self.services()?.iter().map(option).collect()
    }

    /// RFC 9463 §6.1: a whole option for each service, with its type and its length.
    fn advertisement(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let option = |svcb: &SVCB| {
            let mut option = vec![OPTION, 0];
            option.extend(svcb.svc_priority.to_be_bytes());
            option.extend(LIFETIME.to_be_bytes());
            option.extend(vector(svcb.target_name.to_bytes()?)?);
            option.extend(vector(self.v6_octets())?);
            option.extend(vector(parameters(svcb)?)?);
            option.resize(option.len().next_multiple_of(8), 0);
            let units = u8::try_from(option.len() / 8)?;
            if let Some(length) = option.get_mut(1) {
                *length = units;
            }
            Ok(option)
        };
        self.services()?.iter().map(option).collect()
    }

    fn services(&self) -> Result<Vec<SVCB>, Failure> {
        services(self.router, self.ports)
            .ok_or_else(|| format!("{} is no name in DNS", self.router).into())
    }

    fn v4(&self) -> Vec<Ipv4Addr> {
        let v4 = |address: &IpAddr| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        };
        self.addresses.iter().filter_map(v4).collect()
    }

    fn v6(&self) -> Vec<Ipv6Addr> {
        let v6 = |address: &IpAddr| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(*address),
        };
        self.addresses.iter().filter_map(v6).collect()
    }

    fn v6_octets(&self) -> Vec<u8> {
        self.v6().iter().flat_map(Ipv6Addr::octets).collect()
    }
}

/// The parameters of a service as RFC 9460 §2.2 encodes them. They have no address hints, which RFC 9463 §3.1.8
/// forbids: the addresses stand beside them.
fn parameters(svcb: &SVCB) -> Result<Vec<u8>, Failure> {
    let bare = SVCB::new(svcb.svc_priority, Name::root(), svcb.svc_params.clone());
    // Behind the priority and the root's name.
    Ok(bare.to_bytes()?.split_off(3))
}

/// Bytes behind their length in two bytes.
fn vector(bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let length = u16::try_from(bytes.len())?.to_be_bytes();
    Ok([length.to_vec(), bytes].concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The type of the option in router advertisements.
const OPTION: u8 = 144;
/// Seconds; RFC 9463 §6.1 proposes three times the interval of advertisements, which is 10 minutes at most by default.
const LIFETIME: u32 = 1800;

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../docs/home-router.md");

    const PORTS: Ports = Ports {
        dot: 853,
        https: 443,
        doq: None,
        http3: None,
    };

    fn lines() -> Vec<String> {
        let handout = Handout {
            router: "k3v.cpe.example.com",
            addresses: &[[192, 168, 1, 1].into(), "fd00::1".parse().unwrap()],
            ports: PORTS,
        };
        handout.lines().unwrap()
    }

    /// The bytes at the beginning of each line of the guide's first block behind these words.
    fn in_the_guide(words: &str) -> String {
        let (_, behind) = GUIDE.split_once(words).unwrap();
        let block = behind.split("```").nth(1).unwrap();
        let bytes = |line: &str| line.split("  ").next().unwrap().replace(' ', "");
        block.lines().skip(1).map(bytes).collect()
    }

    #[test]
    fn what_the_guide_works_out_by_hand_is_what_is_handed_out() {
        let lines = lines();
        for (words, line) in [
            ("field by field, in DHCPv4", &lines[0]),
            ("as an option of a router advertisement", &lines[3]),
        ] {
            let (_, bytes) = line.split_once(": ").unwrap();
            assert_eq!(in_the_guide(words), bytes, "{words}");
        }
    }

    #[test]
    fn what_the_guide_shows_is_what_is_printed() {
        let lines = lines();
        assert_eq!(lines.len(), 7);
        for line in lines {
            assert!(GUIDE.lines().any(|shown| shown == line), "{line}");
        }
    }

    #[test]
    fn what_is_served_over_quic_is_handed_out_too() {
        let handout = Handout {
            router: "k3v.cpe.example.com",
            addresses: &[[192, 168, 1, 1].into()],
            ports: Ports {
                doq: Some(853),
                http3: Some(443),
                ..PORTS
            },
        };
        let lines = handout.lines().unwrap();
        assert_eq!(lines.len(), 5);
        for line in &lines {
            assert!(GUIDE.lines().any(|shown| shown == line), "{line}");
        }
        let [dhcp, doq, dot, doh, page] = &lines[..] else {
            unreachable!();
        };
        // Three instances in one option, and the services once more for DNS.
        for (service, line) in [
            ("03646f71", doq),
            ("03646f74", dot),
            ("02683302683208", doh),
        ] {
            assert!(
                dhcp.contains(service) && line.contains(service),
                "{service}"
            );
        }
        assert!(
            page.starts_with("k3v.cpe.example.com HTTPS: 000100"),
            "{page}"
        );
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        let long = ["x".repeat(64), "example".to_owned()].join(".");
        let handout = Handout {
            router: &long,
            addresses: &[],
            ports: PORTS,
        };
        assert!(handout.lines().is_err());
    }
}
