//! The signer's own secrets: what names and codes are derived with, and what lists are signed with.

pub(super) mod delegations;
mod export;
mod keyring;
mod keys;
mod open;
mod reseal;
mod rotate;
mod seal;
mod versions;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use pki_types::UnixTime;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

use super::error::PkiError;
use super::{Error, SetupError};
use dc_pki::files::{self, Access, NewFile};
use dc_store::Store;
use dc_store::registry::{Purpose, SharedSecret};

pub use export::{Exported, export};
pub(super) use keyring::{Keyring, Sealing, sealing_keys};
pub use reseal::reseal;
pub use rotate::{Rotation, rotate, take_back};
pub use seal::{Secured, seal};
pub(super) use versions::no_key;

/// The signer's own secrets, from a folder that only its owner can read.
///
/// Signers that share a database need the same ones: copy the folder, or seal them into the database.
pub struct Secrets {
    names: Zeroizing<Vec<u8>>,
    codes: Zeroizing<Vec<u8>>,
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
            Self::random()?.write(&folder)?;
        }
        let read = |purpose| {
            let path = folder.join(file(purpose));
            let secret = files::read(&path)?;
            match is_one(purpose, &secret) {
                true => Ok(secret),
                false => Err(Error::from(SetupError::BadSecret { path })),
            }
        };
        Ok(Self {
            names: read(Purpose::Names)?,
            codes: read(Purpose::Codes)?,
            lists: read(Purpose::Lists)?,
        })
    }

    /// New ones.
    ///
    /// Fails with [`PkiError::Randomness`].
    fn random() -> Result<Self, PkiError> {
        Ok(Self {
            names: new(Purpose::Names)?,
            codes: new(Purpose::Codes)?,
            lists: new(Purpose::Lists)?,
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
    ) -> Result<(Self, Vec<SharedSecret>), Error> {
        let known = store.secrets().await?;
        let folder = Self::folder(data);
        let was_there = files::is_there(&folder)?;
        let secrets = Self::open(data, is_new && known.is_empty())?;
        let known = match known.is_empty() {
            true => store.claim_secrets(&secrets.first(now)).await,
            false => Ok(known),
        };
        let checked = match known {
            Ok(known) => secrets.check(&folder, &known).map(|()| known),
            Err(error) => Err(error.into()),
        };
        // Another signer was faster: these secrets are nobody's.
        if checked.is_err() && !was_there {
            let failed = files::write_failed(&folder);
            fs::remove_dir_all(&folder).map_err(failed)?;
        }
        checked.map(|known| (secrets, known))
    }

    /// The folder of secrets in a data folder.
    #[must_use]
    pub fn folder(data: &Path) -> PathBuf {
        data.join("secrets")
    }

    /// One of them, as it is written.
    fn of(&self, purpose: Purpose) -> &Zeroizing<Vec<u8>> {
        match purpose {
            Purpose::Codes => &self.codes,
            Purpose::Lists => &self.lists,
            Purpose::Names => &self.names,
        }
    }

    /// The first version of each, as the database is told of it.
    fn first(&self, now: UnixTime) -> [SharedSecret; 3] {
        Purpose::ALL.map(|purpose| SharedSecret {
            purpose,
            version: 1,
            fingerprint: purpose.fingerprint(self.of(purpose)),
            sealed: None,
            since: now,
            until: None,
        })
    }

    /// Fails with [`SetupError::OtherThanDatabase`] if one of them is another than the database is used with, and with
    /// [`SetupError::OldSecret`] if it was used with it.
    fn check(&self, folder: &Path, known: &[SharedSecret]) -> Result<(), Error> {
        for purpose in Purpose::ALL {
            let path = folder.join(file(purpose));
            is_newest(purpose, self.of(purpose), &path, known)?;
        }
        Ok(())
    }

    /// Makes all of them or none, so that a folder that is there is whole.
    fn write(&self, folder: &Path) -> Result<(), PkiError> {
        let files = Purpose::ALL.map(|purpose| NewFile {
            name: file(purpose),
            contents: self.of(purpose),
            access: Access::Owner,
        });
        match files::create_folder(folder, Access::Owner, &files) {
            // Another process was faster.
            Err(_) if files::exists(&folder.join(LISTS)) => Ok(()),
            made => made,
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Checks that what is left in a data folder, where the secrets are in the database, is what the database has.
///
/// Fails with [`SetupError::OtherThanDatabase`] and [`SetupError::OldSecret`].
fn look_at_rest(data: &Path, known: &[SharedSecret]) -> Result<(), Error> {
    let folder = Secrets::folder(data);
    for purpose in Purpose::ALL {
        let path = folder.join(file(purpose));
        if files::is_there(&path)? {
            is_newest(purpose, &files::read(&path)?, &path, known)?;
        }
    }
    Ok(())
}

/// Fails if a secret in a file is not the version that the database uses.
fn is_newest(
    purpose: Purpose,
    secret: &[u8],
    path: &Path,
    known: &[SharedSecret],
) -> Result<(), Error> {
    let here = purpose.fingerprint(secret);
    let newest = newest(known, purpose);
    let Some(newest) = newest.filter(|newest| newest.fingerprint != here) else {
        return Ok(());
    };
    let path = path.to_path_buf();
    let mut of_purpose = known.iter().rev().filter(|row| row.purpose == purpose);
    let error = match of_purpose.find(|row| row.fingerprint == here) {
        Some(old) => SetupError::OldSecret {
            path,
            purpose,
            version: old.version,
            current: newest.version,
            is_sealed: newest.sealed.is_some(),
        },
        None => SetupError::OtherThanDatabase {
            path,
            here,
            there: newest.fingerprint,
        },
    };
    Err(error.into())
}

/// Checks that nobody has put an older version of a secret back into the database: the log says which one is used.
///
/// Fails with [`SetupError::SecretPutBack`].
async fn is_by_log(store: &Store) -> Result<(), Error> {
    match store.secret_behind_log().await? {
        Some((row, record)) => Err(SetupError::SecretPutBack {
            purpose: row.purpose,
            version: row.version,
            record,
        }
        .into()),
        None => Ok(()),
    }
}

/// The version of a secret that is used for what is new.
fn newest(known: &[SharedSecret], purpose: Purpose) -> Option<&SharedSecret> {
    let of_purpose = known.iter().filter(|known| known.purpose == purpose);
    of_purpose.max_by_key(|known| known.version)
}

/// A new secret, as it is written.
///
/// Fails with [`PkiError::Randomness`].
fn new(purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, PkiError> {
    Ok(match purpose {
        Purpose::Codes | Purpose::Names => {
            let random = Zeroizing::new(dc_pki::random::<32>()?);
            Zeroizing::new(random.to_vec())
        }
        Purpose::Lists => {
            let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
            let pair = pair.map_err(|_| PkiError::Randomness)?;
            Zeroizing::new(pair.as_ref().to_vec())
        }
    })
}

/// True if this may have been written as a secret for this.
fn is_one(purpose: Purpose, secret: &[u8]) -> bool {
    match purpose {
        Purpose::Codes | Purpose::Names => secret.len() == 32,
        Purpose::Lists => Ed25519KeyPair::from_pkcs8(secret).is_ok(),
    }
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

    fn fingerprints(secrets: &Secrets) -> [String; 3] {
        Purpose::ALL.map(|purpose| purpose.fingerprint(secrets.of(purpose)).to_string())
    }

    #[test]
    fn are_made_once_and_only_their_owner_reads_them() {
        let data = tempfile::tempdir().unwrap();
        let first = Secrets::open(data.path(), true).unwrap();
        let again = Secrets::open(data.path(), false).unwrap();
        assert_eq!(fingerprints(&first), fingerprints(&again));
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
            fingerprints(&Secrets::open(data.path(), true).unwrap())
        });
        assert!(one.iter().all(|one| !other.contains(one)));
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
