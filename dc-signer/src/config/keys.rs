//! `[keys]`: how the keys of delegation certificates are opened.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::values;
use dc_pki::keyd::Remote;
use dc_pki::keys::Unlock;
use dc_pki::secret::SecretSource;

/// `[keys]`: the keys of delegation certificates.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Keys {
    /// The place of the passphrase of those that are encrypted.
    #[serde(deserialize_with = "source")]
    pub passphrase: Option<SecretSource>,
    /// The certificate that a signing process on another machine is shown.
    pub process: Option<Process>,
    /// The same, to open keys with.
    #[serde(skip)]
    pub unlock: Unlock,
}

impl Keys {
    /// With paths that begin at a folder.
    pub(super) fn settle(self, base: &Path) -> Self {
        let passphrase = self.passphrase.map(|source| begin_at(source, base));
        let process = self.process.map(|process| process.begin_at(base));
        let unlock = passphrase
            .clone()
            .map_or_else(Unlock::default, Unlock::with)
            .showing(process.clone().map(Remote::from));
        Self {
            passphrase,
            process,
            unlock,
        }
    }
}

/// `keys.process`: the certificates of this side and of a signing process on another machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with certificate, key and peer"
)]
pub struct Process {
    /// The certificate that is shown.
    #[serde(deserialize_with = "values::path")]
    pub certificate: PathBuf,
    /// The key of that.
    #[serde(deserialize_with = "values::path")]
    pub key: PathBuf,
    /// The certificate that the process has.
    #[serde(deserialize_with = "values::path")]
    pub peer: PathBuf,
}

impl Process {
    fn begin_at(self, base: &Path) -> Self {
        Self {
            certificate: base.join(self.certificate),
            key: base.join(self.key),
            peer: base.join(self.peer),
        }
    }
}

impl From<Process> for Remote {
    fn from(process: Process) -> Self {
        let Process {
            certificate,
            key,
            peer,
        } = process;
        Self {
            certificate,
            key,
            peer,
        }
    }
}

/// A place of a secret: exactly one of these.
#[derive(Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { file = \"passphrase\" }"
)]
#[derive(Default)]
pub(super) struct Source {
    #[serde(deserialize_with = "values::argv")]
    command: Option<Vec<String>>,
    #[serde(deserialize_with = "values::word")]
    credential: Option<String>,
    #[serde(deserialize_with = "descriptor")]
    fd: Option<u32>,
    #[serde(deserialize_with = "values::path")]
    file: Option<PathBuf>,
}

impl Source {
    /// All that were given.
    fn given(self) -> impl Iterator<Item = SecretSource> {
        let Self {
            command,
            credential,
            fd,
            file,
        } = self;
        let given = [
            command.map(SecretSource::Command),
            credential.map(SecretSource::Credential),
            fd.map(SecretSource::Descriptor),
            file.map(SecretSource::File),
        ];
        given.into_iter().flatten()
    }
}

/// The one place that was given.
pub(super) fn only<T, E: Error>(given: impl IntoIterator<Item = T>, keys: &str) -> Result<T, E> {
    let mut given = given.into_iter();
    match (given.next(), given.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(E::custom(format!(
            "needs one of {keys}: give exactly one of them"
        ))),
    }
}

pub(super) fn source<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<SecretSource>, D::Error> {
    let given = Source::deserialize(value)?.given();
    only(given, "command, credential, fd and file").map(Some)
}

/// With a path that begins at a folder.
pub(super) fn begin_at(source: SecretSource, base: &Path) -> SecretSource {
    match source {
        SecretSource::File(path) => SecretSource::File(base.join(path)),
        other => other,
    }
}

/// Not one of the three that every process has.
pub(super) fn descriptor<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    let number = values::count::<D, 3, 1023>(value)?;
    Ok(u32::try_from(number).ok())
}
