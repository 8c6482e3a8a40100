//! `[checkpoints]` and `[[checkpoint_places]]`: who signs for the audit log, and where that is sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_evidence::{VerifyingKey, WitnessKey};
use dc_pki::keyd::TLS;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::values;

/// `[checkpoints]`: the log's name and key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoints {
    /// The log's name, which is in every checkpoint.
    pub name: String,
    /// The key that signs.
    pub key: CheckpointKey,
    /// How long a record waits for a checkpoint at most, 1 s to 1 h.
    pub every: Duration,
    /// How many records wait for one at most.
    pub records: u64,
}

/// The key of a log, or whoever has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CheckpointKey {
    /// A file, Ed25519 in PEM (PKCS#8).
    File(PathBuf),
    /// A signing process, `dc-signer keyd`.
    Process {
        /// Its socket.
        socket: PathBuf,
        /// The key that its checkpoints are verified with, as `dc-signer keyd status` shows it; its name is the log's.
        key: VerifyingKey,
    },
}

/// `[checkpoints]` as it is written: with a key or a signing process.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct WrittenCheckpoints {
    #[serde(deserialize_with = "values::log_name")]
    name: String,
    #[serde(default, deserialize_with = "values::path")]
    key: Option<PathBuf>,
    #[serde(default, deserialize_with = "values::path")]
    keyd: Option<PathBuf>,
    #[serde(default, deserialize_with = "values::log_key")]
    log_key: Option<VerifyingKey>,
    #[serde(default = "minute", deserialize_with = "every")]
    every: Duration,
    #[serde(default = "records", deserialize_with = "count")]
    records: u64,
}

impl<'de> Deserialize<'de> for Checkpoints {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let WrittenCheckpoints {
            name,
            key,
            keyd,
            log_key,
            every,
            records,
        } = WrittenCheckpoints::deserialize(value)?;
        let key = match (key, keyd, log_key) {
            (Some(path), None, None) => CheckpointKey::File(path),
            (None, Some(socket), Some(key)) if key.name() == name => {
                CheckpointKey::Process { socket, key }
            }
            (None, Some(_), Some(key)) => {
                return Err(D::Error::custom(format!(
                    "has the name {name}, and log_key is the key of {}: give both the same",
                    key.name()
                )));
            }
            _ => {
                return Err(D::Error::custom(
                    "needs either key, or keyd and log_key: give one of both",
                ));
            }
        };
        Ok(Self {
            name,
            key,
            every,
            records,
        })
    }
}

impl Checkpoints {
    /// With paths that begin at a folder.
    pub(super) fn begin_at(mut self, base: &Path) -> Self {
        self.key = match self.key {
            CheckpointKey::File(path) => CheckpointKey::File(base.join(path)),
            CheckpointKey::Process { socket, key } => CheckpointKey::Process {
                // An address on another machine begins nowhere.
                socket: match socket.starts_with(TLS) {
                    true => socket,
                    false => base.join(socket),
                },
                key,
            },
        };
        self
    }
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

const fn records() -> u64 {
    10_000
}

fn every<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    values::time::<D, 1_000, 3_600_000>(value)
}

fn count<'de, D: Deserializer<'de>>(value: D) -> Result<u64, D::Error> {
    let count = values::count::<D, 1, 1_000_000>(value)?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

/// A place outside of the database that checkpoints are sent to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CheckpointPlace {
    /// A file that is only added to.
    File(PathBuf),
    /// A server that takes each by POST.
    Post(Server),
    /// A witness (C2SP `tlog-witness`), with the key that it cosigns with.
    Witness(Server, WitnessKey),
}

/// A server that is reached over HTTPS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Its URL.
    pub url: String,
    /// The certificates that its own leads to, in PEM.
    pub roots: PathBuf,
    /// A file with a bearer token, if it wants one.
    pub token: Option<PathBuf>,
}

impl CheckpointPlace {
    /// With paths that begin at a folder.
    pub(super) fn begin_at(self, base: &Path) -> Self {
        let server = |server: Server| Server {
            roots: base.join(server.roots),
            token: server.token.map(|path| base.join(path)),
            url: server.url,
        };
        match self {
            Self::File(path) => Self::File(base.join(path)),
            Self::Post(to) => Self::Post(server(to)),
            Self::Witness(to, key) => Self::Witness(server(to), key),
        }
    }

    /// Its name in the log and the metrics: the path or the URL.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Post(server) | Self::Witness(server, _) => server.url.clone(),
        }
    }
}

/// A place as it is written: either a file or a server.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct Written {
    #[serde(deserialize_with = "values::path")]
    file: Option<PathBuf>,
    #[serde(deserialize_with = "values::https")]
    url: Option<String>,
    #[serde(deserialize_with = "values::path")]
    roots: Option<PathBuf>,
    #[serde(deserialize_with = "values::path")]
    token: Option<PathBuf>,
    #[serde(deserialize_with = "values::witness")]
    witness: Option<WitnessKey>,
}

impl<'de> Deserialize<'de> for CheckpointPlace {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let Written {
            file,
            url,
            roots,
            token,
            witness,
        } = Written::deserialize(value)?;
        let is_file_alone = roots.is_none() && token.is_none() && witness.is_none();
        match (file, url, roots) {
            (Some(file), None, None) if is_file_alone => Ok(Self::File(file)),
            (None, Some(url), Some(roots)) => {
                let server = Server { url, roots, token };
                Ok(match witness {
                    None => Self::Post(server),
                    Some(key) => Self::Witness(server, key),
                })
            }
            _ => Err(D::Error::custom(
                "needs either file, or url and roots (with token and witness if there are any): give one of both",
            )),
        }
    }
}
