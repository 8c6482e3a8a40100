//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use dc_core::UniqueName;
use dc_rustls::{ListKey, ListPolicy};
use lexopt::prelude::{Long, Short, Value};

use crate::asked::Trust;
use crate::error::Error;
use crate::lists::ListFile;
use crate::ports::Service;
use crate::relay::Limits;
use crate::target::{Place, Target};

/// The task of the program.
#[derive(Debug)]
pub enum Command {
    /// To print its help.
    Help,
    /// To connect.
    Run(Box<Args>),
    /// To print its version.
    Version,
}

/// How to connect.
#[derive(Debug)]
pub struct Args {
    /// Where the local end is.
    pub local: Local,
    /// The file with the roots.
    pub roots: PathBuf,
    /// Where to connect to, whatever address the name has.
    pub to: Option<Place>,
    /// The list of withdrawn names.
    pub list: Option<ListFile>,
    /// The proofs that are accepted.
    pub trust: Trust,
    /// The application protocols, the favourite first.
    pub alpn_protocols: Vec<Vec<u8>>,
    /// How long it may take to connect.
    pub connect_timeout: Duration,
    /// How long connections may last.
    pub limits: Limits,
    /// How many there may be at a time.
    pub max_connections: usize,
}

/// The local end.
#[derive(Debug)]
pub enum Local {
    /// Standard input and output.
    Pipe(Target),
    /// A port.
    Port(SocketAddr, Service),
}

/// Options as they come, before it is known whether they go together.
#[derive(Default)]
struct Given {
    name: Option<String>,
    roots: Option<PathBuf>,
    listen: Option<SocketAddr>,
    proxy: Option<SocketAddr>,
    to: Option<Place>,
    list: Option<PathBuf>,
    keys: Vec<ListKey>,
    zone: Option<UniqueName<'static>>,
    policy: Option<ListPolicy>,
    trust: Trust,
    open_to_others: bool,
    alpn_protocols: Vec<Vec<u8>>,
    connect_timeout: Option<Duration>,
    idle: Option<Duration>,
    recheck: Option<Duration>,
    max_connections: Option<usize>,
}

impl Command {
    /// Reads the arguments behind the program's name.
    ///
    /// Fails with [`Error::Arguments`], [`Error::BadValue`], [`Error::NotLoopback`] and [`Error::Usage`].
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut given = Given::default();
        while let Some(argument) = parser.next().map_err(Error::Arguments)? {
            let option = match argument {
                Short('h') | Long("help") => return Ok(Self::Help),
                Short('V') | Long("version") => return Ok(Self::Version),
                Long("danger-accept-certificate") => {
                    given.trust.certificate = true;
                    continue;
                }
                Long("danger-accept-unnamed") => {
                    given.trust.unnamed = true;
                    continue;
                }
                Long("danger-open-to-others") => {
                    given.open_to_others = true;
                    continue;
                }
                Value(name) if given.name.is_none() => {
                    given.name = Some(text("NAME", name)?);
                    continue;
                }
                Long(option) => match OPTIONS.iter().find(|known| **known == option) {
                    Some(known) => *known,
                    None => return Err(Error::Arguments(argument.unexpected())),
                },
                other => return Err(Error::Arguments(other.unexpected())),
            };
            let value = parser.value().map_err(Error::Arguments)?;
            given.set(option, value)?;
        }
        Ok(Self::Run(Box::new(given.complete()?)))
    }
}

impl Given {
    fn set(&mut self, option: &'static str, value: OsString) -> Result<(), Error> {
        match option {
            "roots" => self.roots = Some(value.into()),
            "withdrawn" => self.list = Some(value.into()),
            _ => return self.set_text(option, text(option, value)?),
        }
        Ok(())
    }

    fn set_text(&mut self, option: &'static str, value: String) -> Result<(), Error> {
        match option {
            "alpn" => self.alpn_protocols.push(read(
                option,
                value,
                "a name of 1 to 255 bytes, such as http/1.1",
                |it| Some(it.as_bytes().to_vec()).filter(|name| (1..256).contains(&name.len())),
            )?),
            "connect-timeout" => self.connect_timeout = Some(duration(option, value)?),
            "idle-timeout" => self.idle = Some(duration(option, value)?),
            "recheck" => self.recheck = Some(duration(option, value)?),
            "list-key" => self.keys.push(read(
                option,
                value,
                "the signer's key for lists, in base64",
                |it| ListKey::try_from(it).ok(),
            )?),
            "list-policy" => {
                self.policy = Some(read(option, value, "require or prefer", |it| match it {
                    "require" => Some(ListPolicy::Require),
                    "prefer" => Some(ListPolicy::Prefer),
                    _ => None,
                })?);
            }
            "list-zone" => {
                self.zone = Some(read(
                    option,
                    value,
                    "the zone, such as cpe.example.com",
                    |it| UniqueName::try_from(it).ok().map(UniqueName::into_owned),
                )?);
            }
            "listen" => self.listen = Some(address(option, value)?),
            "proxy" => self.proxy = Some(address(option, value)?),
            "max-connections" => {
                self.max_connections =
                    Some(read(option, value, "a number from 1 to 65535", |it| {
                        it.parse::<u16>()
                            .ok()
                            .filter(|number| *number > 0)
                            .map(usize::from)
                    })?);
            }
            _ => {
                self.to = Some(read(option, value, "HOST or HOST:PORT", |it| {
                    Place::parse(it).ok()
                })?);
            }
        }
        Ok(())
    }

    fn complete(mut self) -> Result<Args, Error> {
        let target = self.name.take().map(|name| {
            read(
                "NAME",
                name,
                "a name such as k3v.cpe.example.com or k3v.cpe.example.com:853",
                |it| Target::parse(it, Some(HTTPS)).ok(),
            )
        });
        let target = target.transpose()?;
        let list = self.take_list(target.as_ref())?;
        let local = self.local(target)?;
        let usual = matches!(local, Local::Port(..)).then_some(IDLE);
        let idle = self.idle.or(usual);
        Ok(Args {
            local,
            roots: self.roots.ok_or(Error::Usage(
                "give the vendor's root certificates with --roots",
            ))?,
            to: self.to,
            list,
            trust: self.trust,
            alpn_protocols: self.alpn_protocols,
            connect_timeout: self.connect_timeout.unwrap_or(CONNECT),
            limits: Limits {
                idle: idle.filter(|idle| !idle.is_zero()),
                half_closed: HALF_CLOSED,
                recheck: self.recheck.unwrap_or(RECHECK).max(SHORTEST_RECHECK),
            },
            max_connections: self.max_connections.unwrap_or(MAX_CONNECTIONS),
        })
    }

    fn local(&self, target: Option<Target>) -> Result<Local, Error> {
        let local = match (target, self.listen, self.proxy) {
            (Some(target), None, None) => Local::Pipe(target),
            (Some(target), Some(address), None) => Local::Port(address, Service::Device(target)),
            (None, None, Some(address)) => Local::Port(address, Service::Proxy),
            (Some(_), _, Some(_)) => {
                return Err(Error::Usage(
                    "with --proxy, the name comes with each request: leave NAME out",
                ));
            }
            (None, _, None) => {
                return Err(Error::Usage(
                    "give the NAME of the device, or --proxy for any",
                ));
            }
            (None, Some(_), Some(_)) => {
                return Err(Error::Usage("give --listen or --proxy, not both"));
            }
        };
        match local {
            Local::Port(address, _) if !address.ip().is_loopback() && !self.open_to_others => {
                Err(Error::NotLoopback { address })
            }
            local => Ok(local),
        }
    }

    fn take_list(&mut self, target: Option<&Target>) -> Result<Option<ListFile>, Error> {
        let of_name = target.and_then(Target::zone);
        match (self.list.take(), self.keys.is_empty()) {
            (Some(_), false) if self.zone.is_some() && target.is_some() && self.zone != of_name => {
                Err(OTHER_ZONE)
            }
            (Some(path), false) => Ok(Some(ListFile {
                path,
                zone: self.zone.take().or(of_name).ok_or(NO_ZONE)?,
                keys: std::mem::take(&mut self.keys),
                policy: self.policy.unwrap_or(ListPolicy::Require),
            })),
            (Some(_), true) => Err(Error::Usage("--withdrawn needs the signer's --list-key")),
            (None, true) if self.zone.is_none() && self.policy.is_none() => Ok(None),
            (None, _) => Err(Error::Usage(
                "--list-key, --list-zone and --list-policy need --withdrawn",
            )),
        }
    }
}

/// The zone that a device's name is in.
fn text(option: &'static str, value: OsString) -> Result<String, Error> {
    value.into_string().map_err(|value| Error::BadValue {
        option,
        value: value.to_string_lossy().into_owned(),
        wanted: "UTF-8",
    })
}

fn read<T>(
    option: &'static str,
    value: String,
    wanted: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, Error> {
    match read(&value) {
        Some(read) => Ok(read),
        None => Err(Error::BadValue {
            option,
            value,
            wanted,
        }),
    }
}

fn duration(option: &'static str, value: String) -> Result<Duration, Error> {
    read(option, value, "a time such as 10s or 5m", |it| {
        humantime::parse_duration(it).ok()
    })
}

fn address(option: &'static str, value: String) -> Result<SocketAddr, Error> {
    read(
        option,
        value,
        "an address such as 127.0.0.1:3128; port 0 picks a free one",
        |it| it.parse().ok(),
    )
}

const OPTIONS: [&str; 13] = [
    "alpn",
    "connect-timeout",
    "idle-timeout",
    "list-key",
    "list-policy",
    "list-zone",
    "listen",
    "max-connections",
    "proxy",
    "recheck",
    "roots",
    "to",
    "withdrawn",
];

const OTHER_ZONE: Error = Error::Usage(
    "--list-zone is not the zone of NAME, of which that list says nothing: leave --list-zone out, or give what is behind NAME's first label",
);
const NO_ZONE: Error = Error::Usage("--withdrawn needs the zone of the list: give --list-zone");
const HTTPS: u16 = 443;
const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(3600);
const HALF_CLOSED: Duration = Duration::from_secs(60);
const RECHECK: Duration = Duration::from_secs(30);
/// Nothing on a connection changes more often.
const SHORTEST_RECHECK: Duration = Duration::from_millis(10);
const MAX_CONNECTIONS: usize = 64;

/// The text of `--help`.
pub const HELP: &str = "\
Reaches a device by its name, which the device has to prove with a delegated credential

Usage: dc-connect [OPTIONS] --roots <FILE> <NAME[:PORT]>
       dc-connect [OPTIONS] --roots <FILE> --listen <ADDR> <NAME[:PORT]>
       dc-connect [OPTIONS] --roots <FILE> --proxy <ADDR>

Arguments:
  <NAME[:PORT]>  The name of the device, for example k3v.cpe.example.com, and the port, 443 unless it is given

The local end, standard input and output unless one of these is given:
      --listen <ADDR>  A port, for example 127.0.0.1:8080, whose connections all go to NAME; port 0 picks a free one
      --proxy <ADDR>   An HTTP proxy, for example 127.0.0.1:3128, for CONNECT to any name

Options:
      --roots <FILE>            PEM file with the root certificates to trust
      --to <HOST[:PORT]>        Where to connect to, if DNS has no address of the name, or not the right one
      --alpn <PROTOCOL>         Application protocol to ask for, for example http/1.1 or dot; may be given several times
      --withdrawn <FILE>        List of withdrawn names, which is read again when it changes
      --list-key <KEY>          The signer's key for lists, in base64; may be given several times
      --list-zone <ZONE>        The zone of the list; what is behind the first label of NAME unless it is given
      --list-policy <POLICY>    Without a current list, `require` connects to nobody and `prefer` goes on [default: require]
      --connect-timeout <TIME>  How long it may take to connect [default: 10s]
      --idle-timeout <TIME>     How long a connection may be silent, 0s for ever [default: 1h for ports, 0s for a pipe]
      --recheck <TIME>          How often the list is looked at, and open connections against it and their credential's end
                                [default: 30s]
      --max-connections <N>     How many connections a port has at a time; others wait [default: 64]
  -h, --help                    Print help
  -V, --version                 Print version

Less safe:
      --danger-accept-certificate  Take an ordinary certificate for the name too
      --danger-accept-unnamed      Take a credential without a name, or a certificate: any device of the vendor can pose as
                                   any other
      --danger-open-to-others      Let a port be reached by other machines, without TLS

Exit status: 0 if both ends have closed, or the device has and hears or gets no more, 1 if a file or a port cannot be
used or a list is not current, 2 for wrong usage, 3 if nobody was reached, 4 if the name was not proved or is withdrawn,
5 if TLS failed otherwise, 6 if an open connection was cut.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, Error> {
        Command::parse(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> Args {
        match parse(line).unwrap() {
            Command::Run(args) => *args,
            other => panic!("{line}: {other:?}"),
        }
    }

    const KEY: &str = "XVv6jTzYUTnBWMv60dAwKCPaGhrNcLzGvdFs7eSuBLE=";

    #[test]
    fn the_safe_way_is_what_is_had_without_options() {
        let args = run("--roots r.pem k3v.cpe.example.com");
        assert!(!args.trust.certificate && !args.trust.unnamed && args.list.is_none());
        assert!(matches!(&args.local, Local::Pipe(target) if target.port == 443));
        assert_eq!(args.limits.idle, None);
        let args =
            run("--roots=r.pem --listen 127.0.0.1:0 k3v.cpe.example.com:853 --idle-timeout 0s");
        assert!(
            matches!(&args.local, Local::Port(_, Service::Device(target)) if target.port == 853)
        );
        assert_eq!(args.limits.idle, None);
        assert_eq!(run("--roots r --proxy [::1]:0").limits.idle, Some(IDLE));
    }

    #[test]
    fn a_list_is_required_and_of_the_names_own_zone_unless_something_else_is_said() {
        let list = run(&format!(
            "--roots r k3v.cpe.example.com --withdrawn l --list-key {KEY}"
        ))
        .list
        .unwrap();
        assert_eq!(
            (list.zone.as_str(), list.policy),
            ("cpe.example.com", ListPolicy::Require)
        );
        let more = format!("--roots r --proxy 127.0.0.1:0 --withdrawn l --list-key {KEY}");
        assert!(parse(&more).is_err());
        let list = run(&(more + " --list-zone a.example --list-policy prefer"))
            .list
            .unwrap();
        assert_eq!(
            (list.zone.as_str(), list.policy),
            ("a.example", ListPolicy::Prefer)
        );
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_what_to_do() {
        for (line, said) in [
            ("--roots r", "NAME"),
            ("k3v", "--roots"),
            ("--roots r a b", "unexpected"),
            ("--roots r --proxy 127.0.0.1:0 a", "NAME"),
            ("--roots r --proxy 127.0.0.1:0 --listen 127.0.0.1:0", "both"),
            ("--roots r --proxy 0.0.0.0:3128", "127.0.0.1:3128"),
            (
                "--roots r --listen 192.0.2.1:80 a",
                "--danger-open-to-others",
            ),
            ("--roots r --listen localhost:80 a", "127.0.0.1"),
            ("--roots r --withdrawn l a.b", "--list-key"),
            ("--roots r --list-policy prefer a.b", "--withdrawn"),
            (
                &format!(
                    "--roots r --withdrawn l --list-key {KEY} --list-zone b.example a.example"
                ),
                "zone of NAME",
            ),
            ("--roots r --list-policy maybe a.b", "require"),
            ("--roots r --list-key x a.b", "base64"),
            ("--roots r --max-connections 0 a", "65535"),
            ("--roots r --connect-timeout 5 a", "10s"),
            ("--roots r --to a/b a", "HOST"),
            ("--roots r --insecure a", "--insecure"),
            ("--roots r a:0", "k3v.cpe.example.com"),
            ("--roots", "--roots"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.to_string().contains(said), "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn the_help_has_every_option() {
        for option in OPTIONS {
            assert!(HELP.contains(&format!(" --{option} <")), "{option}");
        }
    }
}
