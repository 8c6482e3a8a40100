//! URLs of PostgreSQL with several hosts, as libpq takes them: `postgres://signer@db1:5432,db2:5433/signer`.

use std::borrow::Cow;

use zeroize::Zeroizing;

/// The servers of a database.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Hosts {
    /// A URL for each, in the order in which they were given.
    pub(super) urls: Vec<Zeroizing<String>>,
    /// Set if one is used only while it is the primary.
    pub(super) primary: bool,
}

/// The URL of a database says something that cannot be.
///
/// None of them has a part of the URL in it but the value of `target_session_attrs`: a part may be a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlFault {
    /// There is `hostaddr` beside several hosts.
    #[error("has hostaddr beside several hosts: write the addresses where the hosts are")]
    Address,
    /// Servers are to be used that do not write.
    #[error(
        "has target_session_attrs={value}: leave it out, or write read-write; what only reads belongs to 'database.read'"
    )]
    Attributes {
        /// The attributes.
        value: String,
    },
    /// A port is no port.
    #[error(
        "has a port at host {place} of {count} that is no number from 1 to 65535; if that is part of a password, write its characters /?#@ as %2F, %3F, %23 and %40"
    )]
    BadPort {
        /// The host, counted from 1.
        place: usize,
        /// How many there are.
        count: usize,
    },
    /// There is nothing where a host should be.
    #[error("has no host at place {place} of {count}: name one there, or remove a comma")]
    EmptyHost {
        /// The place, counted from 1.
        place: usize,
        /// How many there are.
        count: usize,
    },
    /// There are more or fewer ports than hosts.
    #[error("has {ports} ports for {hosts} hosts: give one for all, or one for each")]
    PortCount {
        /// How many ports.
        ports: usize,
        /// How many hosts.
        hosts: usize,
    },
    /// There are too many hosts: each is asked when the primary is looked for.
    #[error("has {count} hosts: give {max} at most")]
    TooManyHosts {
        /// How many there are.
        count: usize,
        /// The most.
        max: usize,
    },
}

impl Hosts {
    /// Takes a URL to pieces.
    ///
    /// One with a single host is left as it is, whatever it says, unless it names `target_session_attrs`. Fails with a [`UrlFault`].
    pub(super) fn parse(url: &str) -> Result<Self, UrlFault> {
        let parts = Parts::of(url);
        let hosts = parts.hosts()?;
        let primary = parts.wants_primary()? || hosts.len() > 1;
        if hosts.len() == 1 && parts.value("target_session_attrs").is_none() {
            let urls = vec![Zeroizing::new(url.to_owned())];
            return Ok(Self { urls, primary });
        }
        if parts.value("hostaddr").is_some() && hosts.len() > 1 {
            return Err(UrlFault::Address);
        }
        let urls = hosts.iter().map(|host| parts.with(host)).collect();
        Ok(Self { urls, primary })
    }
}

/// Checks what a URL says of hosts and ports; says how many hosts there are.
///
/// Fails with a [`UrlFault`].
pub fn check_url(url: &str) -> Result<usize, UrlFault> {
    Hosts::parse(url).map(|hosts| hosts.urls.len())
}

/// A URL, cut at the places where the hosts are.
struct Parts<'a> {
    scheme: &'a str,
    /// With the `@` at its end, or empty.
    user: &'a str,
    authority: &'a str,
    /// With the `/` at its beginning, or empty.
    path: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

/// A server, as the URL has it: nothing is decoded.
#[derive(Debug, Eq, PartialEq)]
struct Host<'a> {
    name: &'a str,
    port: Option<&'a str>,
    /// Set if it is in the parameters, where a folder of a Unix socket may be.
    is_parameter: bool,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, authority) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self {
            scheme,
            user,
            authority,
            path,
            parameters: pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .collect(),
        }
    }

    /// The last one counts.
    fn value(&self, key: &str) -> Option<&'a str> {
        let mut all = self.parameters.iter().rev();
        all.find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn wants_primary(&self) -> Result<bool, UrlFault> {
        match self.value("target_session_attrs") {
            None => Ok(false),
            Some("read-write" | "primary") => Ok(true),
            Some(value) => Err(UrlFault::Attributes {
                value: value.chars().take(40).collect(),
            }),
        }
    }

    fn hosts(&self) -> Result<Vec<Host<'a>>, UrlFault> {
        let listed = self.value("host").map(list);
        let is_parameter = listed.is_some();
        let names = listed.unwrap_or_else(|| self.authority.split(',').collect());
        let count = names.len();
        if count > MAX {
            return Err(UrlFault::TooManyHosts { count, max: MAX });
        }
        let ports = self.value("port").map(list);
        if let Some(ports) = ports.as_ref().filter(|_| count > 1)
            && ![1, count].contains(&ports.len())
        {
            return Err(UrlFault::PortCount {
                ports: ports.len(),
                hosts: count,
            });
        }
        let mut hosts = Vec::with_capacity(count);
        for (at, name) in names.into_iter().enumerate() {
            let (name, own) = match is_parameter {
                true => (name, None),
                false => name_and_port(name),
            };
            let listed = ports.as_ref().and_then(|ports| match &**ports {
                [only] => Some(*only),
                ports => ports.get(at).copied(),
            });
            // A number that is missing is the usual one.
            let port = listed.or(own).filter(|port| !port.is_empty());
            let place = at + 1;
            if count > 1 && name.is_empty() {
                return Err(UrlFault::EmptyHost { place, count });
            }
            let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
            if count > 1 && !port.is_none_or(is_port) {
                return Err(UrlFault::BadPort { place, count });
            }
            hosts.push(Host {
                name,
                port,
                is_parameter,
            });
        }
        Ok(hosts)
    }

    /// The URL with one host alone.
    fn with(&self, host: &Host<'_>) -> Zeroizing<String> {
        let Self {
            scheme,
            user,
            authority: _,
            path,
            parameters,
        } = self;
        let moved = ["host", "port", "target_session_attrs"];
        let kept = parameters.iter().filter(|(key, _)| !moved.contains(key));
        let mut parameters: Vec<(&str, &str)> = kept.copied().collect();
        let authority = match host.is_parameter {
            // A URL with a user has to have a host.
            true => Cow::Borrowed("localhost"),
            false => Cow::Borrowed(host.name),
        };
        if host.is_parameter {
            parameters.push(("host", host.name));
        }
        parameters.extend(host.port.map(|port| ("port", port)));
        let pairs: Vec<String> = parameters
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        Zeroizing::new(format!(
            "{scheme}://{user}{authority}{path}?{}",
            pairs.join("&")
        ))
    }
}

/// The parts of a list, whose commas may be written as `%2C`.
fn list(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(',').collect();
    for comma in ["%2C", "%2c"] {
        parts = parts.iter().flat_map(|part| part.split(comma)).collect();
    }
    parts
}

/// The port stands behind the last colon, and behind the brackets of an IPv6 address.
fn name_and_port(text: &str) -> (&str, Option<&str>) {
    let address = text.rfind(']').map_or(0, |end| end + 1);
    match text.get(address..).and_then(|rest| rest.rfind(':')) {
        Some(colon) => {
            let (name, port) = text.split_at(address + colon);
            (name, port.get(1..))
        }
        None => (text, None),
    }
}

/// As many as anybody has; all are asked at the same time.
const MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    fn read(url: &str) -> Vec<String> {
        let hosts = Hosts::parse(url).unwrap();
        hosts.urls.iter().map(|url| url.to_string()).collect()
    }

    /// As sqlx understands each of them.
    fn places(url: &str) -> Vec<(String, u16)> {
        let options = |url: &String| url.parse::<PgConnectOptions>().unwrap();
        let place = |url: &String| {
            let options = options(url);
            let socket = options.get_socket().map(|path| path.display().to_string());
            let host = socket.unwrap_or_else(|| options.get_host().to_owned());
            (host, options.get_port())
        };
        read(url).iter().map(place).collect()
    }

    #[test]
    fn a_url_with_one_host_is_left_as_it_is() {
        for url in [
            "postgres://signer:a,b@db/signer?sslmode=verify-full",
            "postgresql:///x?host=/run/postgresql",
            "postgres://u@[::1]:5433/x",
            "postgres://db:no-port/x",
            "postgres://",
        ] {
            let hosts = Hosts::parse(url).unwrap();
            assert_eq!(hosts.urls, [Zeroizing::new(url.to_owned())]);
            assert!(!hosts.primary);
        }
        let one = Hosts::parse("postgres://db/x?target_session_attrs=primary").unwrap();
        assert!(one.primary);
        assert_eq!(*one.urls[0], "postgres://db/x?");
    }

    #[test]
    fn each_host_has_its_own_port_and_all_have_the_rest() {
        let url = "postgres://u:p%40,q@db1:5432,[fd00::1]:5433,db3/signer?sslmode=require";
        let end = "/signer?sslmode=require";
        let expected = [
            format!("postgres://u:p%40,q@db1{end}&port=5432"),
            format!("postgres://u:p%40,q@[fd00::1]{end}&port=5433"),
            format!("postgres://u:p%40,q@db3{end}"),
        ];
        assert_eq!(read(url), expected);
        assert!(Hosts::parse(url).unwrap().primary);
        let expected = [("db1", 5432), ("[fd00::1]", 5433), ("db3", 5432)];
        assert_eq!(
            places(url),
            expected.map(|(host, port)| (host.to_owned(), port))
        );
        let user = read(url)[0].parse::<PgConnectOptions>().unwrap();
        assert_eq!(user.get_username(), "u");
        assert_eq!(user.get_database(), Some("signer"));
    }

    #[test]
    fn hosts_may_be_folders_of_sockets_among_the_parameters() {
        let url = "postgres://u@/x?host=/run/a,%2Frun%2Fb&port=5433%2C5434";
        let expected = [("/run/a", 5433), ("/run/b", 5434)];
        assert_eq!(
            places(url),
            expected.map(|(host, port)| (host.to_owned(), port))
        );
        let one_port = "postgres://u@ignored/x?host=a,b&port=7";
        let expected = [("a", 7), ("b", 7)];
        assert_eq!(
            places(one_port),
            expected.map(|(host, port)| (host.to_owned(), port))
        );
    }

    #[test]
    fn what_cannot_be_is_refused_without_a_part_of_the_password() {
        let max = MAX;
        for (url, fault) in [
            ("a,,b", UrlFault::EmptyHost { place: 2, count: 3 }),
            ("a,", UrlFault::EmptyHost { place: 2, count: 2 }),
            ("a:0,b", UrlFault::BadPort { place: 1, count: 2 }),
            ("a,b:65536", UrlFault::BadPort { place: 2, count: 2 }),
            ("u:hunter,2/@b", UrlFault::BadPort { place: 1, count: 2 }),
            ("a,b?port=1,2,3", UrlFault::PortCount { ports: 3, hosts: 2 }),
            ("a,b?hostaddr=127.0.0.1", UrlFault::Address),
            (
                "a,b,c,d,e,f,g,h,i",
                UrlFault::TooManyHosts { count: 9, max },
            ),
            (
                "a,b?target_session_attrs=any",
                UrlFault::Attributes {
                    value: "any".to_owned(),
                },
            ),
        ] {
            let found = Hosts::parse(&format!("postgres://{url}")).err();
            assert_eq!(found, Some(fault.clone()), "{url}");
            assert!(!fault.to_string().contains("hunter"), "{fault}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_together_is_taken_to_the_same_pieces(
            hosts in prop::collection::vec(("[a-z][a-z0-9.-]{0,20}", prop::option::of(1_u16..)), 1..=MAX),
            user in "([a-z]{1,5}(:[a-z0-9,%:]{0,5}[a-z])?@)?",
        ) {
            let named: Vec<String> = hosts
                .iter()
                .map(|(host, port)| match port {
                    Some(port) => format!("{host}:{port}"),
                    None => host.clone(),
                })
                .collect();
            let url = format!("postgres://{user}{}/x", named.join(","));
            let parts = Parts::of(&url);
            prop_assert_eq!(parts.user, &user);
            let found: Vec<(String, Option<u16>)> = parts
                .hosts()
                .unwrap()
                .iter()
                .map(|host| (host.name.to_owned(), host.port.map(|port| port.parse().unwrap())))
                .collect();
            prop_assert_eq!(&found, &hosts);
            prop_assert_eq!(read(&url).len(), hosts.len());
        }

        #[test]
        fn no_text_is_too_odd_to_be_looked_at(text in ".{0,60}") {
            let _ = Hosts::parse(&text);
            let _ = Hosts::parse(&format!("postgres://{text},b?{text}"));
        }
    }
}
