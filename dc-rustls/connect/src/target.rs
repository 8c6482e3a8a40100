//! Names and ports, as they are written on command lines and in requests.

use std::fmt;

use dc_core::UniqueName;
use rustls::pki_types::ServerName;

/// The device that somebody wants to reach.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The name that it has to prove.
    pub name: ServerName<'static>,
    /// The port, never 0.
    pub port: u16,
}

/// A host, by name or address, and perhaps a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Without the brackets of an IPv6 address.
    pub host: String,
    /// Never 0.
    pub port: Option<u16>,
}

/// Text that is no name or address with a port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotAPlace;

impl Place {
    /// Reads `HOST`, `HOST:PORT`, `[IPV6]:PORT`, or an IPv6 address alone.
    ///
    /// Fails with [`NotAPlace`] if the host is neither a DNS name nor an address, or the port is not from 1 to 65535.
    pub fn parse(text: &str) -> Result<Self, NotAPlace> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or(NotAPlace)?;
                match behind {
                    "" => (host, None),
                    port => (host, Some(port.strip_prefix(':').ok_or(NotAPlace)?)),
                }
            }
            None => match text.split_once(':') {
                Some((_, rest)) if rest.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        ServerName::try_from(host).map_err(|_| NotAPlace)?;
        Ok(Self {
            host: host.to_owned(),
            port: port.map(parse_port).transpose()?,
        })
    }
}

impl Target {
    /// The zone that the name is directly below, in whose list it would be; none if it is an address.
    #[must_use]
    pub fn zone(&self) -> Option<UniqueName<'static>> {
        let name = self.name.to_str().to_ascii_lowercase();
        let (_, zone) = name.split_once('.')?;
        UniqueName::try_from(zone).ok().map(UniqueName::into_owned)
    }

    /// Reads what [`Place::parse`] does, with this port if there is none.
    ///
    /// Fails with [`NotAPlace`] as it does, and if there is no port at all.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, NotAPlace> {
        let Place { host, port } = Place::parse(text)?;
        Ok(Self {
            name: ServerName::try_from(host).map_err(|_| NotAPlace)?,
            port: port.or(default_port).ok_or(NotAPlace)?,
        })
    }
}

fn parse_port(text: &str) -> Result<u16, NotAPlace> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port @ 1..) if digits => Ok(port),
        _ => Err(NotAPlace),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (_, None) => f.write_str(&self.host),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            ServerName::IpAddress(_) if self.name.to_str().contains(':') => {
                write!(f, "[{}]:{}", self.name.to_str(), self.port)
            }
            name => write!(f, "{}:{}", name.to_str(), self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(host: &str, port: Option<u16>) -> Result<Place, NotAPlace> {
        let host = host.to_owned();
        Ok(Place { host, port })
    }

    #[test]
    fn reads_names_and_addresses_with_and_without_a_port() {
        assert_eq!(
            Place::parse("k3v.cpe.example.com"),
            place("k3v.cpe.example.com", None)
        );
        assert_eq!(Place::parse("k3v:853"), place("k3v", Some(853)));
        assert_eq!(Place::parse("192.0.2.1:1"), place("192.0.2.1", Some(1)));
        assert_eq!(Place::parse("[fd00::1]:443"), place("fd00::1", Some(443)));
        assert_eq!(Place::parse("[fd00::1]"), place("fd00::1", None));
        assert_eq!(Place::parse("fd00::1"), place("fd00::1", None));
    }

    #[test]
    fn refuses_what_is_no_host_and_no_port() {
        for text in [
            "",
            ":443",
            "k3v:",
            "k3v:0",
            "k3v:+1",
            "k3v:65536",
            "k3v:x",
            "a b",
            "[fd00::1",
            "[fd00::1]443",
            "[k3v]:",
            "k3v/",
            "http://k3v",
            "k3v@x:1",
        ] {
            assert_eq!(Place::parse(text), Err(NotAPlace), "{text}");
        }
        assert_eq!(Target::parse("k3v", None), Err(NotAPlace));
    }

    #[test]
    fn the_zone_is_as_lists_have_it_however_the_name_is_written() {
        let zone = |text: &str| Target::parse(text, Some(443)).unwrap().zone();
        let zone = zone("K3V.CPE.Example.com").unwrap();
        assert_eq!(zone.as_str(), "cpe.example.com");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_was_read_is_written_the_same(text in "\\PC{0,40}|[a-z0-9:.\\[\\]]{0,20}") {
            if let Ok(target) = Target::parse(&text, Some(443)) {
                prop_assert_eq!(Target::parse(&target.to_string(), None), Ok(target));
            }
        }
    }
}
