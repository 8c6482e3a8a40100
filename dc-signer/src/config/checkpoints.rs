//! `[checkpoints]` and `[[checkpoint_places]]`: who signs for the audit log, and where that is sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_evidence::WitnessKey;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::values;

/// `[checkpoints]`: the log's name and key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Checkpoints {
    /// The log's name, which is in every checkpoint.
    #[serde(deserialize_with = "values::log_name")]
    pub name: String,
    /// The key that signs, Ed25519 in PEM (PKCS#8).
    #[serde(deserialize_with = "values::path")]
    pub key: PathBuf,
    /// How long a record waits for a checkpoint at most, 1 s to 1 h.
    #[serde(default = "minute", deserialize_with = "every")]
    pub every: Duration,
    /// How many records wait for one at most.
    #[serde(default = "records", deserialize_with = "count")]
    pub records: u64,
}

impl Checkpoints {
    /// With paths that begin at a folder.
    pub(super) fn begin_at(mut self, base: &Path) -> Self {
        self.key = base.join(&self.key);
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
