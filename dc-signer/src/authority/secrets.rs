//! The signer's own secrets: what names and codes are derived with, and what lists are signed with.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use pki_types::UnixTime;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::error::PkiError;
use super::{Error, SetupError};
use dc_pki::files::{self, Access, NewFile};
use dc_store::Store;
use dc_store::registry::{CodeKey, NameKey, Purpose, SharedSecret};

/// The signer's own secrets, from a folder that only its owner can read.
///
/// Signers that share a database need the same ones: copy the folder.
pub struct Secrets {
    raw: Raw,
    /// The key that names are derived with.
    pub(super) names: NameKey,
    /// The key of the hashes of activation codes.
    pub(super) codes: CodeKey,
    /// The key that signs lists of withdrawn names, and never a credential.
    pub(super) lists: Ed25519KeyPair,
}

/// The secrets as they are written.
struct Raw {
    names: Zeroizing<[u8; 32]>,
    codes: Zeroizing<[u8; 32]>,
    /// In PKCS#8.
    lists: Zeroizing<Vec<u8>>,
}

impl Secrets {
    /// The files in the folder.
    pub const FILES: [&str; 3] = [NAMES, CODES, LISTS];

    /// Reads the secrets in a data folder; makes them if they are not there and `may_make` allows it.
    ///
    /// Fails with [`SetupError::MissingSecrets`] if they are not there and must not be made, with
    /// [`SetupError::BadSecret`] if one is not what was written, with [`PkiError::Read`], [`PkiError::Write`] and
    /// [`PkiError::Randomness`].
    pub fn open(data: &Path, may_make: bool) -> Result<Self, Error> {
        let folder = Self::folder(data);
        if !files::is_there(&folder)? {
            if !may_make {
                return Err(SetupError::MissingSecrets { folder }.into());
            }
            make(&folder)?;
        }
        let raw = Raw {
            names: key(&folder, NAMES)?,
            codes: key(&folder, CODES)?,
            lists: files::read(&folder.join(LISTS))?,
        };
        let path = folder.join(LISTS);
        let lists = Ed25519KeyPair::from_pkcs8(&raw.lists);
        Ok(Self {
            names: NameKey::new(&raw.names),
            codes: CodeKey::new(&raw.codes),
            lists: lists.map_err(|_| SetupError::BadSecret { path })?,
            raw,
        })
    }

    /// Opens the secrets of a data folder if they are those of the database; makes them if neither the folder nor the database
    /// has any, and `is_new` says that the database was not used.
    ///
    /// Fails as [`Self::open`] does, with [`SetupError::OtherThanDatabase`], and with [`Error::Store`].
    pub(super) async fn of_database(
        data: &Path,
        store: &Store,
        is_new: bool,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let known = store.secrets().await?;
        let folder = Self::folder(data);
        let was_there = files::is_there(&folder)?;
        let secrets = Self::open(data, is_new && known.is_empty())?;
        let known = match known.is_empty() {
            true => store.claim_secrets(&secrets.first(now)).await,
            false => Ok(known),
        };
        let checked = match known {
            Ok(known) => secrets.check(&folder, &known),
            Err(error) => Err(error.into()),
        };
        // Another signer was faster: these secrets are nobody's.
        if checked.is_err() && !was_there {
            let failed = files::write_failed(&folder);
            fs::remove_dir_all(&folder).map_err(failed)?;
        }
        checked.map(|()| secrets)
    }

    /// Looks whether the secrets of a data folder are those of the database, and makes none.
    ///
    /// Fails as [`Self::of_database`] does.
    pub(crate) async fn look(data: &Path, store: &Store, is_new: bool) -> Result<(), Error> {
        let known = store.secrets().await?;
        let folder = Self::folder(data);
        if known.is_empty() && is_new && !files::is_there(&folder)? {
            return Ok(());
        }
        Self::open(data, false)?.check(&folder, &known)
    }

    /// The folder of secrets in a data folder.
    #[must_use]
    pub fn folder(data: &Path) -> PathBuf {
        data.join("secrets")
    }

    /// The first version of each, as the database is told of it.
    fn first(&self, now: UnixTime) -> [SharedSecret; 3] {
        Purpose::ALL.map(|purpose| SharedSecret {
            purpose,
            version: 1,
            fingerprint: purpose.fingerprint(self.raw.of(purpose)),
            sealed: None,
            since: now,
            until: None,
        })
    }

    /// Fails with [`SetupError::OtherThanDatabase`] if one of them is another than the database was used with.
    fn check(&self, folder: &Path, known: &[SharedSecret]) -> Result<(), Error> {
        for purpose in Purpose::ALL {
            let here = purpose.fingerprint(self.raw.of(purpose));
            let mut of_purpose = known.iter().filter(|known| known.purpose == purpose);
            if let Some(known) = of_purpose.next_back()
                && known.fingerprint != here
            {
                return Err(SetupError::OtherThanDatabase {
                    path: folder.join(file(purpose)),
                    here,
                    there: known.fingerprint,
                }
                .into());
            }
        }
        Ok(())
    }

    /// The public key of the lists, raw Ed25519.
    pub(super) fn list_key(&self) -> &[u8] {
        self.lists.public_key().as_ref()
    }
}

impl Raw {
    fn of(&self, purpose: Purpose) -> &[u8] {
        match purpose {
            Purpose::Codes => &*self.codes,
            Purpose::Lists => &self.lists,
            Purpose::Names => &*self.names,
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Makes all of them or none, so that a folder that is there is whole.
fn make(folder: &Path) -> Result<(), PkiError> {
    let new = || dc_pki::random::<32>().map(Zeroizing::new);
    let (names, codes) = (new()?, new()?);
    let lists = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let lists = lists.map_err(|_| PkiError::Randomness)?;
    let files = [
        (NAMES, &names[..]),
        (CODES, &codes[..]),
        (LISTS, lists.as_ref()),
    ]
    .map(|(name, contents)| NewFile {
        name,
        contents,
        access: Access::Owner,
    });
    match files::create_folder(folder, Access::Owner, &files) {
        // Another process was faster.
        Err(_) if files::exists(&folder.join(LISTS)) => Ok(()),
        made => made,
    }
}

fn key(folder: &Path, name: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    let path = folder.join(name);
    let file = files::read(&path)?;
    let key = <[u8; 32]>::try_from(&file[..]).map_err(|_| SetupError::BadSecret { path })?;
    Ok(Zeroizing::new(key))
}

const fn file(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Codes => CODES,
        Purpose::Lists => LISTS,
        Purpose::Names => NAMES,
    }
}

const NAMES: &str = "names.key";
const CODES: &str = "codes.key";
const LISTS: &str = "lists.key";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use dc_pki::names::ZoneName;
    use dc_store::registry::NameInput;

    fn name(secrets: &Secrets) -> String {
        let input = NameInput {
            tenant: "t",
            external_id: &"id".parse().unwrap(),
            slot: 0,
            epoch: 0,
        };
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        secrets.names.name(&zone, &input).unwrap().to_string()
    }

    #[test]
    fn are_made_once_and_only_their_owner_reads_them() {
        let data = tempfile::tempdir().unwrap();
        let first = Secrets::open(data.path(), true).unwrap();
        let again = Secrets::open(data.path(), false).unwrap();
        assert_eq!(name(&first), name(&again));
        assert_eq!(first.list_key(), again.list_key());
        assert_eq!(format!("{first:?}"), "Secrets(..)");
        for entry in fs::read_dir(Secrets::folder(data.path())).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn differ_from_signer_to_signer() {
        let [one, other] = [(); 2].map(|()| {
            let data = tempfile::tempdir().unwrap();
            name(&Secrets::open(data.path(), true).unwrap())
        });
        assert_ne!(one, other);
    }

    #[test]
    fn are_not_made_anew_for_a_database_that_has_seen_devices() {
        let data = tempfile::tempdir().unwrap();
        let error = Secrets::open(data.path(), false).unwrap_err();
        let Error::Setup(source) = error else {
            panic!("{error}")
        };
        assert!(
            matches!(source, SetupError::MissingSecrets { .. }),
            "{source}"
        );
    }

    #[test]
    fn a_secret_that_was_cut_off_is_refused() {
        for file in [NAMES, CODES, LISTS] {
            let data = tempfile::tempdir().unwrap();
            Secrets::open(data.path(), true).unwrap();
            let path = Secrets::folder(data.path()).join(file);
            let whole = fs::read(&path).unwrap();
            fs::write(&path, &whole[1..]).unwrap();
            let error = Secrets::open(data.path(), true).unwrap_err();
            let Error::Setup(source) = error else {
                panic!("{error}")
            };
            assert!(matches!(source, SetupError::BadSecret { .. }), "{source}");
        }
    }
}
