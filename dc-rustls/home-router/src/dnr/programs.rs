//! The same for programs that hand it out, as their configuration has it.

use clap::ValueEnum;
use hickory_net::proto::rr::rdata::SVCB;
use hickory_net::proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue};
use hickory_net::proto::serialize::binary::BinEncodable;

use super::{Handout, hex};
use crate::Failure;
use crate::designated::with_hints;

/// The way in which it is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// The bytes, for any program.
    #[default]
    Bytes,
    /// Lines for dnsmasq.conf.
    Dnsmasq,
    /// Lines for a section of /etc/config/dhcp on OpenWrt.
    Odhcpd,
}

impl Handout<'_> {
    /// The lines to print.
    ///
    /// Fails if the name or the addresses do not fit an option.
    pub(crate) fn written(&self, format: Format) -> Result<Vec<String>, Failure> {
        match format {
            Format::Bytes => self.lines(),
            Format::Dnsmasq => self.for_dnsmasq(),
            Format::Odhcpd => self.for_odhcpd(),
        }
    }

    fn for_dnsmasq(&self) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        if !self.v4().is_empty() {
            let option = bytes(&self.fitting()?);
            lines.push(format!("dhcp-option=162,{option}"));
        }
        if !self.v6().is_empty() {
            // It sends the last of several options with one number, and every client of DNR knows DNS over TLS.
            let is_dot = |svcb: &SVCB| {
                let mut parameters = svcb.svc_params.iter().filter_map(parameter);
                parameters.any(|parameter| parameter == "alpn=dot")
            };
            let (services, options) = (self.services()?, self.dhcpv6()?);
            let mut all = services.iter().zip(&options);
            let dot = all.find(|(svcb, _)| is_dot(svcb));
            lines.extend(
                dot.map(|(_, option)| format!("dhcp-option=option6:144,{}", bytes(option))),
            );
        }
        for svcb in self.services()? {
            let record = with_hints(svcb, self.addresses).to_bytes()?;
            lines.push(format!("dns-rr=_dns.resolver.arpa,64,{}", hex(&record)));
        }
        Ok(lines)
    }

    /// As many services as an option of DHCPv4 has room for, the preferred ones first: dnsmasq splits none.
    fn fitting(&self) -> Result<Vec<u8>, Failure> {
        let mut option = Vec::new();
        for instance in self.dhcpv4_instances()? {
            if option.len() + instance.len() > MAX_OPTION {
                break;
            }
            option.extend(instance);
        }
        match option.is_empty() {
            true => Err(format!(
                "{} and its addresses are too long for an option of DHCPv4, of {MAX_OPTION} bytes; hand out fewer addresses",
                self.router
            )
            .into()),
            false => Ok(option),
        }
    }

    /// Priority, name, addresses and parameters, in one list for DHCPv4, DHCPv6 and router advertisements.
    fn for_odhcpd(&self) -> Result<Vec<String>, Failure> {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        let addresses = addresses.join(",");
        let line = |svcb: &SVCB| {
            let (priority, router) = (svcb.svc_priority, self.router);
            let parameters = svcb.svc_params.iter().filter_map(parameter);
            let parameters: Vec<String> = parameters.collect();
            let parameters = parameters.join(" ");
            format!("list dnr '{priority} {router} {addresses} {parameters}'")
        };
        Ok(self.services()?.iter().map(line).collect())
    }
}

/// Those that our services have.
fn parameter((key, value): &(SvcParamKey, SvcParamValue)) -> Option<String> {
    match value {
        SvcParamValue::Alpn(alpn) => Some(format!("alpn={}", alpn.0.join(","))),
        SvcParamValue::Port(port) => Some(format!("port={port}")),
        // Its value is the only one that no type is known for.
        SvcParamValue::Unknown(path) if u16::from(*key) == DOHPATH_KEY => {
            Some(format!("dohpath={}", String::from_utf8_lossy(&path.0)))
        }
        _ => None,
    }
}

fn bytes(of: &[u8]) -> String {
    let bytes: Vec<String> = of.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

/// RFC 9461 §5.
const DOHPATH_KEY: u16 = 7;
const MAX_OPTION: usize = 255;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::designated::Ports;

    const GUIDE: &str = include_str!("../../../../docs/home-router.md");

    fn written(router: &str, format: Format) -> Result<Vec<String>, Failure> {
        let addresses = ["192.168.1.1", "fd00::1"].map(|text| text.parse::<IpAddr>().unwrap());
        let handout = Handout {
            router,
            addresses: &addresses,
            ports: Ports {
                dot: 853,
                https: 443,
                doq: None,
                http3: None,
            },
        };
        handout.written(format)
    }

    #[test]
    fn what_the_guide_shows_for_odhcpd_is_what_is_printed() {
        let lines = written("k3v.cpe.example.com", Format::Odhcpd).unwrap();
        assert_eq!(lines.len(), 2);
        for line in lines {
            assert!(GUIDE.lines().any(|shown| shown.trim() == line), "{line}");
        }
    }

    #[test]
    fn dnsmasq_is_told_the_same_bytes_with_colons() {
        let lines = written("k3v.cpe.example.com", Format::Dnsmasq).unwrap();
        let plain = written("k3v.cpe.example.com", Format::Bytes).unwrap();
        for (line, begins, of) in [
            (&lines[0], "dhcp-option=162,", &plain[0]),
            // Of several it would send the last one alone.
            (&lines[1], "dhcp-option=option6:144,", &plain[1]),
            (&lines[2], "dns-rr=_dns.resolver.arpa,64,", &plain[5]),
            (&lines[3], "dns-rr=_dns.resolver.arpa,64,", &plain[6]),
        ] {
            let said = line.strip_prefix(begins).unwrap().replace(':', "");
            assert_eq!(said, of.split_once(": ").unwrap().1, "{line}");
        }
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_long_name_leaves_the_services_out_that_one_option_has_no_room_for() {
        let octets = |router: &str| {
            let lines = written(router, Format::Dnsmasq).unwrap();
            lines[0].matches(':').count() + 1
        };
        let long = [
            ["x".repeat(60), "y".repeat(60)].join("."),
            "example.com".to_owned(),
        ];
        assert!((129..=MAX_OPTION).contains(&octets(&long.join("."))));
        // Two addresses of DHCPv6 do not count here, but a name of 250 bytes does.
        let longest = [
            "x".repeat(63),
            "y".repeat(63),
            "z".repeat(63),
            "w".repeat(52),
        ]
        .join(".");
        let refused = written(&longest, Format::Dnsmasq).unwrap_err().to_string();
        assert!(refused.contains("of 255 bytes"), "{refused}");
    }
}
