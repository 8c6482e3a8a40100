//! `[secrets]`: the key that seals what all signers of a database share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::{keys, values};
use dc_pki::keys::{TokenUri, Unlock};
use dc_pki::sealing::{SealError, SealingKeys, SealingSource};
use dc_pki::secret::SecretSource;

/// `[secrets]`: the key-encryption key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Secrets {
    /// The place of the key that is in use; none if the secrets are in the data folder.
    #[serde(deserialize_with = "source")]
    pub key: Option<SealingSource>,
    /// The place of the one that replaces it.
    #[serde(deserialize_with = "source")]
    pub next_key: Option<SealingSource>,
    /// The keys as they were read: a pipe gives it once.
    #[serde(skip)]
    read: Arc<OnceLock<Result<Arc<SealingKeys>, SealError>>>,
}

impl Secrets {
    /// With paths that begin at a folder.
    pub(super) fn settle(self, base: &Path) -> Self {
        let settle = |source| match source {
            SealingSource::Key(source) => SealingSource::Key(keys::begin_at(source, base)),
            SealingSource::Passphrase(source) => {
                SealingSource::Passphrase(keys::begin_at(source, base))
            }
            SealingSource::Token(uri) => SealingSource::Token(uri),
        };
        Self {
            key: self.key.map(settle),
            next_key: self.next_key.map(settle),
            read: self.read,
        }
    }

    /// The keys, which are read once; none if there is no place of any. Takes as long as a program or a token does. The PIN of a token
    /// whose URI does not say where it is comes from `unlock`.
    ///
    /// Fails with [`SealError::Secret`], [`SealError::BadKey`], [`SealError::ShortPassphrase`] and [`SealError::Token`].
    pub fn keys(&self, unlock: &Unlock) -> Result<Option<Arc<SealingKeys>>, SealError> {
        let Some(current) = &self.key else {
            return Ok(None);
        };
        let read = || SealingKeys::read(current, self.next_key.as_ref(), unlock).map(Arc::new);
        self.read.get_or_init(read).clone().map(Some)
    }
}

/// A place of a key-encryption key: exactly one of these.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Source {
    #[serde(deserialize_with = "values::argv")]
    command: Option<Vec<String>>,
    #[serde(deserialize_with = "values::word")]
    credential: Option<String>,
    #[serde(deserialize_with = "keys::descriptor")]
    fd: Option<u32>,
    #[serde(deserialize_with = "values::path")]
    file: Option<PathBuf>,
    #[serde(deserialize_with = "keys::source")]
    passphrase: Option<SecretSource>,
}

fn source<'de, D: Deserializer<'de>>(value: D) -> Result<Option<SealingSource>, D::Error> {
    value.deserialize_any(Place).map(Some)
}

/// A table, or the URI of a key in a token.
struct Place;

impl<'de> Visitor<'de> for Place {
    type Value = SealingSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a table such as { file = \"key\" } or { passphrase = { file = \"passphrase\" } }, or a pkcs11: URI",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SealingSource, E> {
        let uri = TokenUri::of_secret_key(text);
        // A text that is meant as a path would be shown, and may be a key.
        let uri =
            uri.map_err(|error| E::custom(format!("is no URI of a key in a token: {error}")))?;
        Ok(SealingSource::Token(Box::new(uri)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SealingSource, A::Error> {
        of_table(Source::deserialize(MapAccessDeserializer::new(map))?)
    }
}

fn of_table<E: Error>(table: Source) -> Result<SealingSource, E> {
    let Source {
        command,
        credential,
        fd,
        file,
        passphrase,
    } = table;
    let keys = [
        command.map(SecretSource::Command),
        credential.map(SecretSource::Credential),
        fd.map(SecretSource::Descriptor),
        file.map(SecretSource::File),
    ];
    let given = keys.into_iter().flatten().map(SealingSource::Key);
    let given = given.chain(passphrase.map(SealingSource::Passphrase));
    keys::only(given, "command, credential, fd, file and passphrase")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(key: &str) -> Result<Secrets, String> {
        let text = format!(
            "data = 'data'\n[listen]\naddress = '[::]:1'\ncertificate = 'c'\nkey = 'k'\n[secrets]\nkey = {key}\n"
        );
        match Config::parse(&text, "/etc".as_ref()) {
            Ok(config) => Ok(config.secrets),
            Err(errors) => Err(errors[0].to_string()),
        }
    }

    #[test]
    fn a_key_comes_from_one_place_or_is_made_of_a_passphrase_from_one() {
        let file = SecretSource::File("/etc/kek".into());
        for (given, expected) in [
            ("{ file = 'kek' }", SealingSource::Key(file.clone())),
            (
                "{ fd = 3 }",
                SealingSource::Key(SecretSource::Descriptor(3)),
            ),
            (
                "{ credential = 'kek' }",
                SealingSource::Key(SecretSource::Credential("kek".to_owned())),
            ),
            (
                "{ passphrase = { file = 'kek' } }",
                SealingSource::Passphrase(file),
            ),
        ] {
            assert_eq!(parse(given).unwrap().key, Some(expected), "{given}");
        }
        let uri = "pkcs11:token=hsm;object=kek;type=secret-key?module-path=/m.so";
        let token = SealingSource::Token(Box::new(TokenUri::of_secret_key(uri).unwrap()));
        assert_eq!(parse(&format!("'{uri}'")).unwrap().key, Some(token));
        for (given, words) in [
            ("'kek'", "is no URI of a key in a token: it does not begin"),
            ("3", "it has to be a table such as { file ="),
            ("'pkcs11:token=hsm;object=kek'", "needs module-path"),
            (
                "'pkcs11:token=hsm;object=kek;type=private?module-path=/m.so'",
                "a key that seals",
            ),
            ("{}", "give exactly one of them"),
            ("{ fd = 3, passphrase = { fd = 4 } }", "exactly one of them"),
            ("{ passphrase = {} }", "exactly one of them"),
            ("{ fd = 2 }", "is 2: use 3 to 1023"),
            ("{ pkcs11 = 'x' }", "pkcs11 does not exist"),
        ] {
            let said = parse(given).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
