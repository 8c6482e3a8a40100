//! The agent's configuration: every key is known or refused.
//!
//! `sample.toml` beside this file documents every key; a test loads it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dc_core::ListKey;
use rustls::RootCertStore;
use serde::Deserialize;

use super::config_error::ConfigError;
use super::group;
use super::hook::Hook;
use super::withdrawn::WithdrawnList;
use crate::error::Error;
use dc_pki::files;
use dc_pki::time::parse_span;
use dc_pki::trust::read_roots;

/// The sample file, which is the documentation of all keys.
pub const SAMPLE: &str = include_str!("sample.toml");

/// All that an agent is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The signer's address.
    pub signer: String,
    /// The roots that the signer's own certificate has to lead to.
    pub signer_roots: Arc<RootCertStore>,
    /// The roots that the device's clients have for its credentials.
    pub roots: Arc<RootCertStore>,
    /// The identity folder, whose `current` servers follow.
    pub identity: PathBuf,
    /// The folder of what the agent keeps for itself.
    pub state: PathBuf,
    /// How the device gets in.
    pub enrolment: Enrolment,
    /// After how long the device gets another enrolment key, with its next renewal; `None` for never.
    pub enrolment_key_lifetime: Option<Duration>,
    /// The number of the group that may read the credential's key.
    pub key_group: Option<u32>,
    /// That the device is a client too, which presents a credential to servers that ask for one; `None` if it is not.
    pub client: Option<ClientRole>,
    /// The command to run after each renewal.
    pub hook: Option<Hook>,
    /// Where to connect after each renewal, to see whether the new credential is served.
    pub self_check: Option<SocketAddr>,
    /// The list of withdrawn names, for the clients in the device's network; `None` if nobody wants it.
    pub withdrawn: Option<WithdrawnList>,
    /// Over how long to spread what is due when the device starts.
    pub start_delay: Duration,
    /// How long a request may take, from the name's lookup to the answer's last byte.
    pub timeout: Duration,
}

/// The device as a client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClientRole {
    /// The number of the group that may read the key of its credential.
    pub key_group: Option<u32>,
}

/// How a device gets in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Enrolment {
    /// With an activation code, which is in this file.
    Code(PathBuf),
    /// With the manufacturer's certificate and its key, for renewals too.
    Manufacturer {
        /// The file with the certificate, and whatever is above it.
        chain: PathBuf,
        /// Where the key is.
        key: ManufacturerKey,
    },
    /// The signer knows the device's enrolment key already.
    Known,
}

/// Where the manufacturer's key is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ManufacturerKey {
    /// In this file.
    File(PathBuf),
    /// Behind this program, with its arguments.
    Program(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    signer: String,
    signer_roots: PathBuf,
    roots: PathBuf,
    identity: PathBuf,
    state: PathBuf,
    start_delay: Option<String>,
    timeout: Option<String>,
    key_group: Option<String>,
    self_check: Option<String>,
    enrolment_key_lifetime: Option<String>,
    code_file: Option<PathBuf>,
    manufacturer: Option<Manufacturer>,
    client: Option<ClientTable>,
    hook: Option<HookTable>,
    withdrawn: Option<ListTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientTable {
    key_group: Option<String>,
}

impl ClientTable {
    fn load(&self) -> Result<Result<ClientRole, ConfigError>, Error> {
        let group = self.key_group.as_deref().map(key_group).transpose()?;
        Ok(group.transpose().map(|key_group| ClientRole { key_group }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manufacturer {
    chain: PathBuf,
    key: Option<PathBuf>,
    sign_command: Option<Vec<String>>,
}

impl Manufacturer {
    /// With paths that begin at a folder; none if it is not clear where the key is.
    fn enrolment(self, base: &Path) -> Option<Enrolment> {
        let key = match (self.key, self.sign_command) {
            (Some(key), None) => ManufacturerKey::File(base.join(key)),
            (None, Some(command)) if !command.is_empty() => ManufacturerKey::Program(command),
            _ => return None,
        };
        let chain = base.join(self.chain);
        Some(Enrolment::Manufacturer { chain, key })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HookTable {
    command: Vec<String>,
    timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListTable {
    keys: Vec<String>,
    file: Option<PathBuf>,
    every: Option<String>,
}

impl ListTable {
    fn load(self, base: &Path, identity: &Path) -> Result<WithdrawnList, ConfigError> {
        let keys = self.keys.iter().map(|given| {
            ListKey::try_from(given.as_str()).map_err(|_| ConfigError::ListKey {
                given: given.clone(),
            })
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(ConfigError::NoListKey);
        }
        let every = match self.every {
            None => LIST_EVERY,
            Some(given) => match parse_span(&given) {
                Some(time) if (LIST_OFTEN..=LIST_SELDOM).contains(&time) => time,
                _ => return Err(ConfigError::ListEvery { given }),
            },
        };
        let file = match self.file {
            None => identity.join("withdrawn-names"),
            Some(file) => base.join(file),
        };
        if file.file_name().and_then(OsStr::to_str).is_none() {
            return Err(ConfigError::ListFile { given: file });
        }
        Ok(WithdrawnList { keys, file, every })
    }
}

impl Config {
    /// Reads a file, and the roots that it names; paths in it are relative to its folder.
    ///
    /// Fails with [`Error::BadConfig`], and with what reading the files fails with.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = files::read(path)?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        let file = parse(&text).map_err(|(line, wrong)| bad(path, line, wrong))?;
        file.check().map_err(|wrong| bad(path, 0, wrong))?;
        file.load(path, base)
    }
}

fn bad(path: &Path, line: usize, wrong: ConfigError) -> Error {
    let path = path.into();
    Error::BadConfig { path, line, wrong }
}

fn parse(text: &[u8]) -> Result<File, (usize, ConfigError)> {
    let text = str::from_utf8(text).map_err(|_| (0, ConfigError::NotUtf8))?;
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        (
            before.matches('\n').count() + 1,
            ConfigError::Toml(error.into()),
        )
    })
}

impl File {
    /// Checks the rules that concern more than one key.
    fn check(&self) -> Result<(), ConfigError> {
        if !self.signer.starts_with("https://") {
            return Err(ConfigError::NotHttps);
        }
        if self.code_file.is_some() && self.manufacturer.is_some() {
            return Err(ConfigError::TwoWaysIn);
        }
        if self.enrolment_key_lifetime.is_some() && self.manufacturer.is_some() {
            return Err(ConfigError::ManufacturersKeyStays);
        }
        if self.self_check.is_some() && !cfg!(feature = "self-check") {
            return Err(ConfigError::NoSelfCheck);
        }
        match &self.hook {
            Some(hook) if hook.command.is_empty() => Err(ConfigError::EmptyHook),
            _ => Ok(()),
        }
    }

    fn load(self, path: &Path, base: &Path) -> Result<Config, Error> {
        let time = |key, text: Option<String>, default| match text {
            None => Ok(default),
            Some(text) => time(key, &text).map_err(|wrong| bad(path, 0, wrong)),
        };
        let rotates = self.enrolment_key_lifetime.as_deref().map(key_lifetime);
        let checks = self.self_check.as_deref().map(address);
        let group = self.key_group.as_deref().map(key_group).transpose()?;
        let client = self.client.as_ref().map(ClientTable::load).transpose()?;
        let start_delay = time("start_delay", self.start_delay, START_DELAY)?;
        let timeout = time("timeout", self.timeout, TIMEOUT)?;
        let hook = match self.hook {
            None => None,
            Some(HookTable { command, timeout }) => {
                let timeout = time("hook.timeout", timeout, HOOK_TIMEOUT)?;
                let mut words = command.into_iter();
                words
                    .next()
                    .map(|program| Hook::new(program, words.collect(), timeout))
            }
        };
        let enrolment = match (self.code_file, self.manufacturer) {
            (_, Some(manufacturer)) => manufacturer
                .enrolment(base)
                .ok_or_else(|| bad(path, 0, ConfigError::ManufacturersKey))?,
            (Some(code), None) => Enrolment::Code(base.join(code)),
            (None, None) => Enrolment::Known,
        };
        let identity = base.join(self.identity);
        let list = self.withdrawn.map(|list| list.load(base, &identity));
        Ok(Config {
            signer: self.signer,
            signer_roots: read_roots(&base.join(self.signer_roots))?.into(),
            roots: read_roots(&base.join(self.roots))?.into(),
            identity,
            state: base.join(self.state),
            enrolment,
            enrolment_key_lifetime: rotates.transpose().map_err(|wrong| bad(path, 0, wrong))?,
            key_group: group.transpose().map_err(|wrong| bad(path, 0, wrong))?,
            client: client.transpose().map_err(|wrong| bad(path, 0, wrong))?,
            hook,
            self_check: checks.transpose().map_err(|wrong| bad(path, 0, wrong))?,
            withdrawn: list.transpose().map_err(|wrong| bad(path, 0, wrong))?,
            start_delay,
            timeout,
        })
    }
}

fn key_lifetime(text: &str) -> Result<Duration, ConfigError> {
    match parse_span(text) {
        Some(time) if time >= SHORTEST_KEY_LIFETIME => Ok(time),
        _ => Err(ConfigError::KeyLifetime {
            given: text.to_owned(),
        }),
    }
}

fn address(text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError::NotAnAddress {
        given: text.to_owned(),
    })
}

fn key_group(text: &str) -> Result<Result<u32, ConfigError>, Error> {
    let number = group::number(text)?;
    Ok(number.ok_or_else(|| ConfigError::NoSuchGroup {
        given: text.to_owned(),
    }))
}

fn time(key: &'static str, text: &str) -> Result<Duration, ConfigError> {
    match parse_span(text) {
        Some(time) if time <= LONGEST => Ok(time),
        _ => Err(ConfigError::Time {
            key,
            given: text.to_owned(),
        }),
    }
}

const START_DELAY: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(60);
const HOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// Each rotation is a change at the signer, and in its audit log.
const SHORTEST_KEY_LIFETIME: Duration = Duration::from_secs(86_400);
const LONGEST: Duration = Duration::from_secs(3600);
const LIST_EVERY: Duration = Duration::from_secs(3600);
/// The signer lets caches keep a list for so long.
const LIST_OFTEN: Duration = Duration::from_secs(300);
/// Half a list's life, so that one failure costs nobody the list.
const LIST_SELDOM: Duration = Duration::from_secs(12 * 3600);

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    /// Without a comment sign, a line of the sample that shows a key.
    fn everything() -> String {
        let shown = |line: &str| match line.strip_prefix("#: ") {
            Some(key) => key.to_owned(),
            None => line.to_owned(),
        };
        SAMPLE.lines().map(|line| shown(line) + "\n").collect()
    }

    fn wrong(text: &str) -> String {
        match parse(text.as_bytes()) {
            Err((line, wrong)) => format!("line {line}: {wrong}"),
            Ok(file) => file.check().unwrap_err().to_string(),
        }
    }

    #[test]
    fn the_sample_is_a_configuration_and_so_is_all_of_it() {
        let file = parse(SAMPLE.as_bytes()).map_err(|(line, wrong)| format!("{line}: {wrong}"));
        file.unwrap().check().unwrap();
        let File {
            signer: _,
            signer_roots: _,
            roots: _,
            identity: _,
            state: _,
            start_delay,
            timeout,
            key_group,
            self_check,
            enrolment_key_lifetime,
            code_file,
            manufacturer,
            client,
            hook,
            withdrawn,
        } = parse(everything().as_bytes())
            .map_err(|(line, wrong)| format!("{line}: {wrong}"))
            .unwrap();
        assert!(start_delay.is_some() && timeout.is_some());
        let address = address(&self_check.unwrap()).unwrap();
        assert_eq!(address.port(), 443);
        assert!(key_group.is_some() && key_lifetime(&enrolment_key_lifetime.unwrap()).is_ok());
        assert!(code_file.is_some());
        let Manufacturer {
            chain: _,
            key,
            sign_command,
        } = manufacturer.unwrap();
        assert!(key.is_some() && sign_command.is_some());
        assert!(client.unwrap().key_group.is_some());
        assert!(hook.is_some_and(|hook| hook.timeout.is_some()));
        let list = withdrawn.unwrap().load(Path::new("/etc"), Path::new("/i"));
        assert_eq!(list.unwrap().every, LIST_EVERY);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let text = wrong(&SAMPLE.replace("identity = ", "identify = "));
        assert!(text.contains("identify"), "{text}");
        assert!(!text.contains('\n'), "{text}");
        assert!(wrong(&SAMPLE.replace("https:", "http:")).contains("https://"));
        assert!(wrong(&everything()).contains("remove one"));
        assert!(wrong("signer = 5").starts_with("line 1: "));
    }

    #[test]
    fn paths_begin_at_the_file_and_roots_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = rcgen::generate_simple_self_signed(["root".to_owned()]).unwrap();
        fs::write(folder.path().join("root.pem"), root.cert.pem()).unwrap();
        let text = "signer = 'https://s'\nsigner_roots = 'root.pem'\nroots = 'root.pem'\nidentity = 'i'\nstate = '/s'\n";
        let path = folder.path().join("agent.toml");
        fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap();
        assert_eq!(config.identity, folder.path().join("i"));
        assert_eq!(config.state, Path::new("/s"));
        assert_eq!(
            (config.roots.len(), config.enrolment),
            (1, Enrolment::Known)
        );
        fs::write(&path, format!("{text}start_delay = '2h'\n")).unwrap();
        let error = Config::load(&path).unwrap_err().to_string();
        assert!(error.contains("an hour at most"), "{error}");
        for (line, words) in [
            ("key_group = 'no such group'", "/etc/group"),
            ("[client]\nkey_group = 'no such group'", "/etc/group"),
            ("[client]\nkey = 'k'", "key_group"),
            ("enrolment_key_lifetime = '1h'", "a day at least"),
            ("self_check = 'localhost'", SELF_CHECK),
            ("[withdrawn]\nkeys = []", "GET /v1/withdrawn/"),
            ("[withdrawn]\nkeys = ['k']", "base64"),
            (
                "[withdrawn]\nkeys = ['AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=']\nevery = '1s'",
                "5 min",
            ),
            ("[manufacturer]\nchain = 'c'", "sign_command"),
            (
                "[manufacturer]\nchain = 'c'\nsign_command = []",
                "sign_command",
            ),
            (
                "[manufacturer]\nchain = 'c'\nkey = 'k'\nsign_command = ['s']",
                "either",
            ),
            (
                "enrolment_key_lifetime = '9d'\n[manufacturer]\nchain = 'c'\nkey = 'k'",
                "for good",
            ),
        ] {
            fs::write(&path, format!("{text}{line}\n")).unwrap();
            let error = Config::load(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    /// The message about an address that is none; in a build without the check, that there is any.
    const SELF_CHECK: &str = match cfg!(feature = "self-check") {
        true => "127.0.0.1:443",
        false => "--features",
    };

    proptest! {
        #[test]
        fn no_file_panics(text: Vec<u8>, cut in 0..2000_usize, letter: char) {
            let _ = parse(&text);
            let mut sample: String = SAMPLE.chars().take(cut).collect();
            sample.push(letter);
            let _ = parse(sample.as_bytes());
        }
    }
}
