//! The settings: options of the command line, and the same in a TOML file.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::prelude::{Long, Short};
use toml::de::{DeTable, DeValue};

use crate::backend::Backend;
use crate::error::Error;
use crate::user::User;

/// The task of the program.
#[derive(Debug)]
pub enum Command {
    /// To print its help.
    Help,
    /// To serve.
    Serve(Box<Options>),
    /// To print its version.
    Version,
}

/// Everything that can be set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// The ports, one at least.
    pub listen: Vec<SocketAddr>,
    /// The folder of the identity.
    pub identity: PathBuf,
    /// The server to pass to.
    pub backend: Backend,
    /// True if that server wants to be told who the client is.
    pub proxy_protocol: bool,
    /// The application protocols, the favourite first.
    pub alpn_protocols: Vec<Vec<u8>>,
    /// Whom to become.
    pub user: Option<User>,
    /// Chain and key for clients that know no credentials.
    pub fallback: Option<(PathBuf, PathBuf)>,
    /// Connections at a time.
    pub max_connections: usize,
    /// Times after which something ends.
    pub times: Times,
}

/// Times after which something ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    /// A handshake.
    pub handshake: Duration,
    /// A connection without a byte.
    pub idle: Duration,
    /// The attempt to reach the server behind.
    pub backend: Duration,
    /// The connections that are open when the program is to end.
    pub drain: Duration,
    /// The pause until the identity is looked at again.
    pub reload: Duration,
}

impl Command {
    /// Reads the arguments behind the program's name, and the file that they name.
    ///
    /// Fails with [`Error::Arguments`], [`Error::BadValue`], [`Error::File`], [`Error::NoUser`], [`Error::RootAsUser`] and
    /// [`Error::Usage`].
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let (mut pairs, mut config) = (Vec::new(), None);
        while let Some(argument) = parser.next().map_err(Error::Arguments)? {
            let option = match argument {
                Short('h') | Long("help") => return Ok(Self::Help),
                Short('V') | Long("version") => return Ok(Self::Version),
                Long(option) => option.to_owned(),
                other => return Err(Error::Arguments(other.unexpected())),
            };
            if option == PROXY_PROTOCOL {
                pairs.push((option, "true".to_owned()));
                continue;
            }
            if !OPTIONS.contains(&option.as_str()) {
                return Err(Error::Arguments(Long(&option).unexpected()));
            }
            let value = parser.value().map_err(Error::Arguments)?;
            match value.into_string() {
                Ok(path) if option == CONFIG => config = Some(PathBuf::from(path)),
                Ok(value) => pairs.push((option, value)),
                Err(value) => {
                    let value = value.to_string_lossy().into_owned();
                    return Err(Error::BadValue {
                        option,
                        value,
                        wanted: "UTF-8",
                    });
                }
            }
        }
        let mut given = Given::default();
        if let Some(path) = config {
            for (key, value) in read_file(&path)? {
                given.set(&key, &value)?;
            }
        }
        for (option, value) in pairs {
            given.set(&option, &value)?;
        }
        Ok(Self::Serve(Box::new(given.complete()?)))
    }
}

/// The settings of a file, as options have them.
fn read_file(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let fault = |source| Error::File {
        option: "--config",
        path: path.to_owned(),
        source,
    };
    let text = fs::read_to_string(path).map_err(|error| fault(error.into()))?;
    let table = DeTable::parse(&text).map_err(|error| fault(error.into()))?;
    let mut pairs = Vec::new();
    for (key, value) in table.into_inner() {
        let key = key.into_inner().replace('_', "-");
        match value.into_inner() {
            DeValue::Array(values) => {
                let values = values
                    .into_iter()
                    .map(|value| (key.clone(), text_of(&value.into_inner())));
                pairs.extend(values);
            }
            value => pairs.push((key, text_of(&value))),
        }
    }
    Ok(pairs)
}

/// A value as an option has it; of what no option is, the name of its type.
fn text_of(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        other => other.type_str().to_owned(),
    }
}

#[derive(Default)]
struct Given {
    listen: Vec<SocketAddr>,
    identity: Option<PathBuf>,
    backend: Option<Backend>,
    proxy_protocol: bool,
    alpn_protocols: Vec<Vec<u8>>,
    user: Option<User>,
    chain: Option<PathBuf>,
    key: Option<PathBuf>,
    max_connections: Option<usize>,
    times: Times,
}

impl Given {
    fn set(&mut self, option: &str, value: &str) -> Result<(), Error> {
        let fault = |wanted| Error::BadValue {
            option: option.to_owned(),
            value: value.to_owned(),
            wanted,
        };
        let time =
            || humantime::parse_duration(value).map_err(|_| fault("a time such as 10s or 5m"));
        match option {
            "listen" => self.listen.push(
                value
                    .parse()
                    .map_err(|_| fault("an address such as [::]:443"))?,
            ),
            "identity" => self.identity = Some(value.into()),
            "backend" => {
                let backend = Backend::parse(value);
                self.backend = Some(backend.ok_or_else(|| {
                    fault("an address such as 127.0.0.1:80, a port, or the path of a socket")
                })?);
            }
            PROXY_PROTOCOL => {
                self.proxy_protocol = value.parse().map_err(|_| fault("true or false"))?;
            }
            "alpn" => match value.len() {
                1..256 => self.alpn_protocols.push(value.as_bytes().to_vec()),
                _ => return Err(fault("a name of 1 to 255 bytes, such as http/1.1")),
            },
            "user" => self.user = Some(User::find(value)?),
            "fallback-cert" => self.chain = Some(value.into()),
            "fallback-key" => self.key = Some(value.into()),
            "max-connections" => match value.parse() {
                Ok(number @ 1u16..) => self.max_connections = Some(number.into()),
                _ => return Err(fault("a number from 1 to 65535")),
            },
            "handshake-timeout" => self.times.handshake = time()?,
            "idle-timeout" => self.times.idle = time()?,
            "backend-timeout" => self.times.backend = time()?,
            "drain-timeout" => self.times.drain = time()?,
            "reload" => self.times.reload = time()?.max(SHORTEST_RELOAD),
            _ => return Err(fault("nothing: it is no setting, or not one for a file")),
        }
        Ok(())
    }

    fn complete(self) -> Result<Options, Error> {
        if self.listen.is_empty() {
            return Err(Error::Usage("give the port for clients with --listen"));
        }
        Ok(Options {
            listen: self.listen,
            identity: self.identity.ok_or(Error::Usage(
                "give the folder that the agent keeps with --identity",
            ))?,
            backend: self
                .backend
                .ok_or(Error::Usage("give the server to pass to with --backend"))?,
            proxy_protocol: self.proxy_protocol,
            alpn_protocols: self.alpn_protocols,
            user: self.user,
            fallback: match (self.chain, self.key) {
                (Some(chain), Some(key)) => Some((chain, key)),
                (None, None) => None,
                _ => {
                    return Err(Error::Usage(
                        "give both of --fallback-cert and --fallback-key",
                    ));
                }
            },
            max_connections: self.max_connections.unwrap_or(MAX_CONNECTIONS),
            times: self.times,
        })
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            backend: Duration::from_secs(5),
            drain: Duration::from_secs(30),
            reload: Duration::from_secs(10),
        }
    }
}

const CONFIG: &str = "config";
const PROXY_PROTOCOL: &str = "proxy-protocol";
const OPTIONS: [&str; 14] = [
    "alpn",
    "backend",
    "backend-timeout",
    CONFIG,
    "drain-timeout",
    "fallback-cert",
    "fallback-key",
    "handshake-timeout",
    "identity",
    "idle-timeout",
    "listen",
    "max-connections",
    "reload",
    "user",
];
const MAX_CONNECTIONS: usize = 256;
const SHORTEST_RELOAD: Duration = Duration::from_millis(10);

/// The text of `--help`.
pub const HELP: &str = "\
Serves TLS with a device's delegated credential, for a server beside it that knows nothing of either

Usage: dc-terminator [OPTIONS] --identity <DIR> --listen <ADDR> --backend <ADDR>
       dc-terminator --config <FILE>

Options:
      --config <FILE>             TOML file with any of these settings, which is read again on SIGHUP; options add to it
      --identity <DIR>            Folder with chain.pem, credential.pem and key.pem; followed when it changes
      --listen <ADDR>             Where clients connect, for example [::]:443; may be given several times
      --backend <ADDR>            Where the server is: 127.0.0.1:80, a port of this machine, or the path of a Unix socket
      --proxy-protocol            Tell the server who the client is, in a header of the PROXY protocol, version 2
      --alpn <PROTOCOL>           Application protocol that the server speaks, for example http/1.1 or dot; may be given
                                  several times
      --user <USER>               Whom to become when the ports are open: a name, or numbers such as 1000:1000; root has to
                                  give it, because nothing is served as root
      --fallback-cert <FILE>      Certificate chain for clients that do not understand credentials
      --fallback-key <FILE>       Its private key
      --max-connections <N>       Connections at a time; others wait [default: 256]
      --handshake-timeout <TIME>  How long a handshake may take [default: 10s]
      --idle-timeout <TIME>       How long a connection may be silent [default: 5m]
      --backend-timeout <TIME>    How long to wait for the server [default: 5s]
      --drain-timeout <TIME>      How long open connections may go on after SIGTERM [default: 30s]
      --reload <TIME>             How often to look at the identity [default: 10s]
  -h, --help                      Print help
  -V, --version                   Print version

SIGTERM closes the ports and ends when the last connection has. SIGHUP reads the file and the fallback again.

Exit status: 0 after SIGTERM, 1 if something cannot be served, 2 for wrong usage.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, Error> {
        Command::parse(line.split_whitespace().map(OsString::from))
    }

    fn options(line: &str) -> Options {
        match parse(line).unwrap() {
            Command::Serve(options) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    const LEAST: &str = "--identity i --listen 127.0.0.1:0 --backend 80";

    #[test]
    fn a_file_says_the_same_as_options() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "identity = 'i'\nlisten = ['127.0.0.1:0', '[::1]:0']\nbackend = 80\nproxy_protocol = true\nidle-timeout = '1m'\n";
        fs::write(file.path(), text).unwrap();
        let config = format!("--config {}", file.path().display());
        let same = format!("{LEAST} --listen [::1]:0 --proxy-protocol --idle-timeout 1m");
        assert_eq!(options(&config), options(&same));
        // What is said on the command line comes later.
        let more = options(&format!("{config} --idle-timeout 2m --backend 81"));
        assert_eq!(
            (more.times.idle.as_secs(), more.backend.to_string().as_str()),
            (120, "127.0.0.1:81")
        );
        for (text, said) in [
            ("x = 1", "no setting"),
            ("listen = {}", "address"),
            ("identity", "--config"),
            ("config = 'a'", "file"),
        ] {
            fs::write(file.path(), text).unwrap();
            let error = parse(&config).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_refused_with_what_to_do() {
        for (line, said) in [
            ("", "--listen"),
            ("--listen 127.0.0.1:0 --backend 80", "--identity"),
            ("--listen 127.0.0.1:0 --identity i", "--backend"),
            ("--listen localhost:443", "[::]:443"),
            ("--backend localhost:80", "127.0.0.1:80"),
            ("--backend relative/socket", "socket"),
            ("--user nobody-of-this-name", "1000:1000"),
            ("--user root", "--user root: nothing is served as root"),
            ("--user 1000:0", "--user 1000:0: nothing is served as root"),
            ("--max-connections 0", "65535"),
            ("--idle-timeout 5", "10s"),
            ("--unknown x", "--unknown"),
            ("x", "unexpected"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.to_string().contains(said), "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        let error = parse(&format!("{LEAST} --fallback-cert c"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("--fallback-key"), "{error}");
    }

    #[test]
    fn the_help_has_every_option() {
        for option in OPTIONS {
            assert!(HELP.contains(&format!(" --{option} <")), "{option}");
        }
    }
}
