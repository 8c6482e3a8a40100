//! `[keys]`: how the keys of delegation certificates are opened.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::values;
use dc_pki::keys::Unlock;
use dc_pki::secret::SecretSource;

/// `[keys]`: the keys of delegation certificates.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Keys {
    /// The place of the passphrase of those that are encrypted.
    #[serde(deserialize_with = "source")]
    pub passphrase: Option<SecretSource>,
    /// The same, to open keys with.
    #[serde(skip)]
    pub unlock: Unlock,
}

impl Keys {
    /// With paths that begin at a folder.
    pub(super) fn settle(self, base: &Path) -> Self {
        let passphrase = match self.passphrase {
            Some(SecretSource::File(path)) => Some(SecretSource::File(base.join(path))),
            other => other,
        };
        let unlock = passphrase
            .clone()
            .map_or_else(Unlock::default, Unlock::with);
        Self { passphrase, unlock }
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
struct Source {
    #[serde(deserialize_with = "values::argv")]
    command: Option<Vec<String>>,
    #[serde(deserialize_with = "values::word")]
    credential: Option<String>,
    #[serde(deserialize_with = "descriptor")]
    fd: Option<u32>,
    #[serde(deserialize_with = "values::path")]
    file: Option<PathBuf>,
}

pub(super) fn source<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<SecretSource>, D::Error> {
    let Source {
        command,
        credential,
        fd,
        file,
    } = Source::deserialize(value)?;
    let given = [
        command.map(SecretSource::Command),
        credential.map(SecretSource::Credential),
        fd.map(SecretSource::Descriptor),
        file.map(SecretSource::File),
    ];
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(source), None) => Ok(Some(source)),
        _ => Err(D::Error::custom(
            "needs one of command, credential, fd and file: give exactly one of them",
        )),
    }
}

/// Not one of the three that every process has.
fn descriptor<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    let number = values::count::<D, 3, 1023>(value)?;
    Ok(u32::try_from(number).ok())
}
