//! The configuration of the signing process `dc-signer keyd`: one TOML file, which the service's user cannot write.
//!
//! `keyd.toml` beside this file documents every key; a test loads it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_core::{DEFAULT_LIFETIME, MAX_VALIDITY};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::error::{Error, KeyError};
use super::keys::{self, Keys};
use super::log::Log;
use super::{file, reader, values};
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};

/// The sample file, which is the documentation of all keys.
pub const KEYD_SAMPLE: &str = include_str!("keyd.toml");

/// The configuration of the signing process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeydConfig {
    /// The Unix socket that it is asked over.
    #[serde(deserialize_with = "values::path")]
    pub socket: PathBuf,
    /// The group that may connect; without one the process's own user alone.
    #[serde(default, deserialize_with = "word")]
    pub group: Option<String>,
    /// The address for callers on other machines; none if it is left out.
    #[serde(default)]
    pub listen: Option<KeydListen>,
    /// The folder of its log, of what it has signed last, and of the keys that it makes.
    #[serde(deserialize_with = "values::path")]
    pub state: PathBuf,
    /// The users whose processes may ask.
    #[serde(default)]
    pub callers: Vec<KeydCaller>,
    /// The zones that it issues in, each with its ceilings.
    #[serde(default)]
    pub zones: Vec<Ceiling>,
    /// The delegation certificates that it holds besides those whose keys it made.
    #[serde(default)]
    pub delegations: Vec<KeydDelegation>,
    /// The roots that installed chains have to lead to, a PEM file; any chain is taken if it is left out.
    #[serde(default, deserialize_with = "values::path")]
    pub anchors: Option<PathBuf>,
    /// The checkpoints of the audit log; none are signed if it is left out.
    #[serde(default)]
    pub checkpoints: Option<KeydCheckpoints>,
    /// The keys of delegation certificates.
    #[serde(default)]
    pub keys: Keys,
    /// The log on standard error.
    #[serde(default)]
    pub log: Log,
}

/// `[listen]`: callers on other machines, over TLS 1.3.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct KeydListen {
    /// The address and port.
    #[serde(deserialize_with = "values::address")]
    pub address: SocketAddr,
    /// Its own certificate, which callers have in their configuration.
    #[serde(deserialize_with = "values::path")]
    pub certificate: PathBuf,
    /// The key of that.
    #[serde(deserialize_with = "values::path")]
    pub key: PathBuf,
}

/// `[[callers]]`: somebody who may ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeydCaller {
    /// The processes of a user of this machine, by name or number.
    User(String),
    /// Whoever has the key of this certificate, a PEM file.
    Certificate(PathBuf),
}

/// A caller as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct WrittenCaller {
    #[serde(deserialize_with = "word")]
    user: Option<String>,
    #[serde(deserialize_with = "values::path")]
    certificate: Option<PathBuf>,
}

impl<'de> Deserialize<'de> for KeydCaller {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let WrittenCaller { user, certificate } = WrittenCaller::deserialize(value)?;
        let given = [user.map(Self::User), certificate.map(Self::Certificate)];
        keys::only(given.into_iter().flatten(), "user and certificate")
    }
}

/// `[[zones]]`: the most that is issued in a zone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Ceiling {
    /// The zone.
    #[serde(deserialize_with = "zone")]
    pub zone: ZoneName,
    /// The longest lifetime of a credential.
    #[serde(
        default = "lifetime",
        deserialize_with = "values::time::<_, MINUTE, { MAX_VALIDITY.as_secs() * 1000 }>"
    )]
    pub lifetime: Duration,
    /// The forms.
    #[serde(default = "named", deserialize_with = "forms")]
    pub forms: Forms,
    /// The ends of connections.
    #[serde(default = "server", deserialize_with = "roles")]
    pub roles: Roles,
    /// The most credentials in a minute.
    #[serde(
        default = "per_minute",
        deserialize_with = "values::count::<_, 1, 1_000_000>"
    )]
    pub per_minute: usize,
    /// The most credentials in an hour.
    #[serde(
        default = "per_hour",
        deserialize_with = "values::count::<_, 1, 10_000_000>"
    )]
    pub per_hour: usize,
}

/// `[[delegations]]`: a delegation certificate with its key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct KeydDelegation {
    /// The folder of `chain.pem`, and of `key.pem` or `key.uri`.
    #[serde(deserialize_with = "values::path")]
    pub folder: PathBuf,
}

/// `[checkpoints]`: checkpoints of the audit log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct KeydCheckpoints {
    /// The log's name, such as `signer.example.com/audit`.
    #[serde(deserialize_with = "values::text")]
    pub origin: String,
    /// The key that signs, Ed25519: a PEM file, or the `pkcs11:` URI of one in a token.
    #[serde(deserialize_with = "values::text")]
    pub key: String,
    /// The most records in an hour by which checkpoints go beyond those before; beyond nothing, for the first.
    #[serde(default = "most_new", deserialize_with = "records")]
    pub most_new: u64,
    /// Signs also without a proof that the log begins with the one that was signed for last: then for a forged one too.
    #[serde(default)]
    pub danger_without_proof: bool,
    /// The key of a time before a proof was always wanted.
    #[serde(default, rename = "require_proof", deserialize_with = "always")]
    _require_proof: Option<()>,
}

impl KeydConfig {
    /// Reads a file; paths in it are relative to its folder.
    ///
    /// Fails with [`Error::Read`], and with [`Error::Invalid`], which has everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, Error> {
        file::load(path, Self::parse)
    }

    /// Reads the text of a file whose relative paths begin at `base`.
    ///
    /// Fails with everything that is wrong, in the order of the lines.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Vec<KeyError>> {
        let mut reading = reader::read::<Self>(text);
        reading.errors.sort_by_key(|error| error.line);
        match reading.errors.is_empty() {
            true => Ok(reading.value.begin_at(base)),
            false => Err(reading.errors),
        }
    }

    fn begin_at(mut self, base: &Path) -> Self {
        self.socket = base.join(self.socket);
        self.state = base.join(self.state);
        if let Some(listen) = &mut self.listen {
            listen.certificate = base.join(&listen.certificate);
            listen.key = base.join(&listen.key);
        }
        for caller in &mut self.callers {
            if let KeydCaller::Certificate(path) = caller {
                *path = base.join(&*path);
            }
        }
        self.anchors = self.anchors.map(|anchors| base.join(anchors));
        self.keys = self.keys.settle(base);
        for delegation in &mut self.delegations {
            delegation.folder = base.join(&delegation.folder);
        }
        self
    }
}

fn zone<'de, D: Deserializer<'de>>(value: D) -> Result<ZoneName, D::Error> {
    ZoneName::parse(&values::text(value)?)
        .map_err(|error| de::Error::custom(format!("is no zone: {error}")))
}

fn forms<'de, D: Deserializer<'de>>(value: D) -> Result<Forms, D::Error> {
    values::text(value)?.parse().map_err(de::Error::custom)
}

fn roles<'de, D: Deserializer<'de>>(value: D) -> Result<Roles, D::Error> {
    values::text(value)?.parse().map_err(de::Error::custom)
}

fn word<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    values::word(value).map(Some)
}

fn records<'de, D: Deserializer<'de>>(value: D) -> Result<u64, D::Error> {
    let count = values::count::<D, 1, 4_000_000_000>(value)?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// A proof is wanted without a word, and to do without has a name that says what it is.
fn always<'de, D: Deserializer<'de>>(value: D) -> Result<Option<()>, D::Error> {
    match bool::deserialize(value)? {
        true => Ok(None),
        false => Err(de::Error::custom(
            "is false, and a proof is always wanted, which every service sends: remove the line, or have 'danger_without_proof = true' in its place, which lets whoever takes the service over have a forged log signed for",
        )),
    }
}

const fn most_new() -> u64 {
    100_000_000
}

const fn lifetime() -> Duration {
    DEFAULT_LIFETIME
}

const fn named() -> Forms {
    Forms::Named
}

const fn server() -> Roles {
    Roles::Server
}

const fn per_minute() -> usize {
    600
}

const fn per_hour() -> usize {
    10_000
}

const MINUTE: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_read_and_has_every_key() {
        let base = Path::new("/etc/dc-keyd");
        let config = KeydConfig::parse(KEYD_SAMPLE, base).unwrap();
        assert_eq!(config.socket, Path::new("/run/dc-keyd/socket"));
        assert_eq!(config.callers, [KeydCaller::User("dc-signer".to_owned())]);
        assert_eq!(config.zones[0].lifetime, DEFAULT_LIFETIME);
        // What is left out is what the sample says.
        let all: String = KEYD_SAMPLE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if !key.starts_with(' ') => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let full = KeydConfig::parse(&all, base).unwrap();
        assert_eq!(full.zones, config.zones);
        assert_eq!(full.log, config.log);
        assert!(full.checkpoints.is_some() && full.group.is_some() && full.listen.is_some());
        let other = KeydCaller::Certificate(base.join("signer.pem"));
        assert_eq!(full.callers[1], other);
        assert_eq!(full.delegations[0].folder, base.join("cpe.example.com"));
        assert_eq!(full.anchors, Some(base.join("ca-roots.pem")));
        assert_eq!(config.anchors, None);
        for key in [
            "socket",
            "group",
            "state",
            "anchors",
            "address",
            "certificate",
            "user",
            "zone",
            "lifetime",
            "forms",
            "roles",
            "per_minute",
            "per_hour",
            "folder",
            "origin",
            "key",
            "most_new",
            "danger_without_proof",
            "passphrase",
            "format",
            "filter",
        ] {
            assert!(
                all.lines()
                    .any(|line| line.starts_with(&format!("{key} = "))),
                "{key}"
            );
        }
    }

    #[test]
    fn a_proof_is_always_wanted_and_to_do_without_is_called_a_danger() {
        let read = |line: &str| {
            let text = format!(
                "socket = 's'\nstate = 's'\n[checkpoints]\norigin = 'a'\nkey = 'k'\n{line}"
            );
            let config = KeydConfig::parse(&text, Path::new("/"));
            config.map(|config| config.checkpoints.unwrap().danger_without_proof)
        };
        assert!(!read("").unwrap());
        assert!(!read("require_proof = true").unwrap());
        assert!(read("danger_without_proof = true").unwrap());
        let errors = read("require_proof = false").unwrap_err();
        let said = errors[0].to_string();
        assert!(
            said.starts_with("line 6: checkpoints.require_proof is false")
                && said.contains("danger_without_proof = true"),
            "{said}"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let text = "socket = \"s\"\n[[callers]]\nuser = \"a b\"\n[[zones]]\nzone = \"com\"\nforms = \"all\"\nper_minut = 3\n";
        let errors = KeydConfig::parse(text, Path::new("/")).unwrap_err();
        let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
        for part in [
            "line 1: state is missing: add a line such as 'state = \"/var/lib/dc-keyd\"'",
            "line 3: callers.user is \"a b\"",
            "line 5: zones.zone is no zone: ",
            "line 6: zones.forms forms are one of named, both, rfc9345",
            "line 7: zones.per_minut does not exist: do you mean per_minute?",
        ] {
            assert!(
                said.iter().any(|line| line.starts_with(part)),
                "{part}: {said:#?}"
            );
        }
    }
}
