//! The device's keys: one that it is known by, and a new one for each credential.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use zeroize::Zeroizing;

use super::schedule::Draw;
use crate::error::Error;
use dc_pki::files::{self, Access, NewFile};
use dc_pki::keys::KeyError;
use dc_pki::pem;

/// A P-256 key of the device. Our copy is wiped when it is dropped.
pub struct Key(Zeroizing<KeyPair>);

impl Key {
    /// Makes a new one.
    ///
    /// Fails with [`Error::Randomness`](dc_pki::Error::Randomness).
    pub fn generate() -> Result<Self, Error> {
        let pair = KeyPair::generate().map_err(|_| dc_pki::Error::Randomness)?;
        Ok(Self(Zeroizing::new(pair)))
    }

    /// Reads one that [`save`](Self::save) wrote.
    ///
    /// Fails with [`Error::Read`](dc_pki::Error::Read), [`Error::TooLarge`](dc_pki::Error::TooLarge), [`Error::BadPem`](dc_pki::Error::BadPem), [`Error::MissingPem`](dc_pki::Error::MissingPem) or
    /// [`Error::UnsupportedKey`](dc_pki::Error::UnsupportedKey).
    pub fn read(path: &Path) -> Result<Self, Error> {
        let key = dc_pki::keys::read(path)?;
        let pair = KeyPair::try_from(key.secret_der());
        match pair.map_err(|_| not_ours(path))? {
            pair if pair.is_compatible(&rcgen::PKCS_ECDSA_P256_SHA256) => {
                Ok(Self(Zeroizing::new(pair)))
            }
            _ => Err(not_ours(path)),
        }
    }

    /// Reads the key at a path, or makes it there, for its owner alone.
    ///
    /// A key that is there already and cannot be read is not replaced: the signer knows the device by it.
    /// Fails as [`read`](Self::read), [`generate`](Self::generate) and [`save`](Self::save) do.
    pub fn read_or_make(folder: &Path, name: &str) -> Result<Self, Error> {
        let path = folder.join(name);
        if files::exists(&path) {
            return Self::read(&path);
        }
        let key = Self::generate()?;
        key.save(folder, name)?;
        Ok(key)
    }

    /// Writes it under this name in a folder, safely on the disk and for its owner alone.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write).
    pub fn save(&self, folder: &Path, name: &str) -> Result<(), Error> {
        let pem = self.pem();
        let file = NewFile {
            name,
            contents: pem.as_bytes(),
            access: Access::Owner,
        };
        files::stage(folder, &file)?.replace()?;
        files::sync(folder)?;
        Ok(())
    }

    /// The key in PKCS#8 as PEM.
    #[must_use]
    pub fn pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem::encode("PRIVATE KEY", self.0.serialized_der()))
    }

    /// The key for a TLS connection.
    #[must_use]
    pub fn private_key(&self) -> Zeroizing<PrivateKeyDer<'static>> {
        Zeroizing::new(PrivatePkcs8KeyDer::from(self.0.serialize_der()).into())
    }

    /// The public half: a DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// Calls `write` with the key and with parameters that say nothing about the device.
    pub(super) fn with_params<T>(
        &self,
        write: impl FnOnce(CertificateParams, &KeyPair) -> Result<T, rcgen::Error>,
    ) -> Result<T, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        write(params, &self.0).map_err(|source| Error::RequestNotMade { source })
    }
}

/// Nobody else writes there: to sign with another's key would lose the device.
fn not_ours(path: &Path) -> Error {
    let (path, fault) = (path.into(), KeyError::NotOfTheAgent);
    dc_pki::Error::UnsupportedKey { path, fault }.into()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

/// The keys of one request: the server's, and another one if the device is a client too.
#[derive(Debug)]
pub struct NewKeys {
    /// The server's.
    pub server: Key,
    /// The client's: whoever takes the server's, which strangers reach, must not be the device elsewhere.
    pub client: Option<Key>,
}

impl NewKeys {
    /// Makes them.
    ///
    /// Fails with [`Error::Randomness`](dc_pki::Error::Randomness).
    pub fn generate(is_client: bool) -> Result<Self, Error> {
        Ok(Self {
            server: Key::generate()?,
            client: is_client.then(Key::generate).transpose()?,
        })
    }

    /// Reads those that [`save`](Self::save) wrote.
    ///
    /// Fails as [`Key::read`] does.
    pub fn read(folder: &Path, is_client: bool) -> Result<Self, Error> {
        let client = is_client.then(|| Key::read(&folder.join(NEXT_CLIENT_KEY)));
        Ok(Self {
            server: Key::read(&folder.join(NEXT_KEY))?,
            client: client.transpose()?,
        })
    }

    /// Writes them into a folder, for its owner alone.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write).
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        if let Some(client) = &self.client {
            client.save(folder, NEXT_CLIENT_KEY)?;
        }
        self.server.save(folder, NEXT_KEY)
    }

    /// Removes them from a folder: a generation has them now.
    pub fn forget(folder: &Path) {
        for name in [NEXT_KEY, NEXT_CLIENT_KEY] {
            let _ = files::remove(&folder.join(name));
        }
    }
}

/// The keys of the request that may be under way.
const NEXT_KEY: &str = "next-key.pem";
const NEXT_CLIENT_KEY: &str = "next-client-key.pem";

/// A number for [`schedule`](super::schedule).
///
/// Fails with [`Error::Randomness`](dc_pki::Error::Randomness).
pub fn draw() -> Result<Draw, Error> {
    Ok(Draw(u32::from_be_bytes(dc_pki::random()?)))
}

/// A fault of the enrolment key of a device, which has made it if it `is_in`.
pub(super) fn key_fault(key: &Result<Key, Error>, is_in: bool) -> Option<String> {
    let error = match key {
        Err(Error::Pki(dc_pki::Error::Read { source, .. }))
            if source.kind() == ErrorKind::NotFound && !is_in =>
        {
            return None;
        }
        Err(error) => error,
        Ok(_) => return None,
    };
    Some(format!(
        "the key that the signer knows the device by cannot be used, so the device cannot renew: {error}: bring it back from a copy, or remove it and enrol again with another code"
    ))
}

/// The key that the signer knows the device by.
pub(super) const ENROLMENT_KEY: &str = "enrolment-key.pem";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_printed_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::read_or_make(folder.path(), "key.pem").unwrap();
        let again = Key::read_or_make(folder.path(), "key.pem").unwrap();
        assert_eq!(key.spki(), again.spki());
        let mode = fs::metadata(folder.path().join("key.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(format!("{key:?}"), "Key { .. }");
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key.pem"), "garbage").unwrap();
        assert!(Key::read_or_make(folder.path(), "key.pem").is_err());
        let left = fs::read_to_string(folder.path().join("key.pem")).unwrap();
        assert_eq!(left, "garbage");
    }
}
