//! The folder in which a certificate is ordered: its key, the request, and at the end the chain. It is gone afterwards.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use dc_core::Role;
use dc_inspect::delegation_csr::{self, KeySource, NewKey};
use dc_pki::delegation::{CHAIN, KEY};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::keys::{self, KeyType, Unlock};
use dc_pki::names::ZoneName;
use dc_pki::{Roles, pem};

use super::returned::requested_key;
use super::source::OrderError;

/// Which key a certificate is ordered for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyOf<'a> {
    /// A new one, so that what is stolen is worth nothing after the next rollover.
    New,
    /// That of the certificate in this folder, for keys that cannot be made here.
    Before(&'a Path),
}

/// A folder with a key and the request for its certificate, whoever orders: the service, or an operator.
#[derive(Debug)]
pub struct OrderFolder {
    path: PathBuf,
    csr_der: Vec<u8>,
    /// The CA has not finished the order: it goes on with the same key.
    goes_on: bool,
}

/// A key and the request for its certificate, as somebody has made them.
pub struct Given<'a> {
    /// The name that the key's file has.
    pub key_name: &'a str,
    /// The key.
    pub key: &'a [u8],
    /// The request, in PEM.
    pub request: &'a [u8],
}

impl fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key_name,
            key: _,
            request: _,
        } = self;
        write!(f, "Given({key_name}, ..)")
    }
}

impl OrderFolder {
    /// Makes the key, encrypted if there is a passphrase, and the request, or takes those of an order that goes on. What another
    /// order has left is removed, such as a key that `taken`, the DER SubjectPublicKeyInfo of the zone's certificate, shows in use.
    ///
    /// Fails with [`OrderError::Setup`].
    pub fn make(
        path: PathBuf,
        zone: &ZoneName,
        roles: Roles,
        key: KeyOf<'_>,
        unlock: &Unlock,
        taken: Option<&[u8]>,
    ) -> Result<Self, OrderError> {
        if key == KeyOf::New
            && let Some(csr_der) = left_over(&path, unlock, taken)
        {
            return Ok(Self::of(path, csr_der));
        }
        remove(&path)?;
        files::create_folder(&path, Access::Owner, &[]).map_err(setup)?;
        let roles = match roles {
            Roles::Both => &[Role::Server, Role::Client][..],
            Roles::Server => &[Role::Server],
        };
        let key_path = path.join(KEY);
        let from_file = KeySource::File {
            path: &key_path,
            unlock,
        };
        let source = match key {
            KeyOf::New if unlock.source().is_some() => {
                keys::generate_in_file(&key_path, KeyType::P256, unlock).map_err(setup)?;
                from_file
            }
            KeyOf::New => KeySource::New(NewKey::P256),
            KeyOf::Before(folder) => {
                take_over(folder, &path)?;
                from_file
            }
        };
        let written = delegation_csr::write(&path, zone, roles, source).map_err(setup)?;
        let request = files::read(&written.request).map_err(setup)?;
        let csr = pem::request(&written.request, &request).map_err(setup)?;
        let csr_der = csr.as_ref().to_vec();
        Ok(Self::of(path, csr_der))
    }

    /// Puts a key and a request that somebody has made there, unless this very request is there already.
    ///
    /// Fails with [`OrderError::Setup`].
    pub fn take(path: PathBuf, given: &Given<'_>) -> Result<Self, OrderError> {
        let request = path.join(REQUEST);
        let csr_der = pem::request(&request, given.request).map_err(setup)?;
        let csr_der = csr_der.as_ref().to_vec();
        let is_same = |there: &[u8]| there == given.request;
        if !files::read(&request).is_ok_and(|there| is_same(&there)) {
            remove(&path)?;
            let file = |name, contents| NewFile {
                name,
                contents,
                access: Access::Owner,
            };
            let new = [
                file(given.key_name, given.key),
                file(REQUEST, given.request),
            ];
            files::create_folder(&path, Access::Owner, &new).map_err(setup)?;
        }
        Ok(Self::of(path, csr_der))
    }

    fn of(path: PathBuf, csr_der: Vec<u8>) -> Self {
        Self {
            path,
            csr_der,
            goes_on: false,
        }
    }

    /// The key stays for the next try: CAs finish orders for the request that they began with.
    pub fn keep(mut self) {
        self.goes_on = true;
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The request.
    #[must_use]
    pub fn csr_der(&self) -> &[u8] {
        &self.csr_der
    }

    /// Puts the chain beside the key.
    ///
    /// Fails with [`OrderError::Setup`].
    pub fn add_chain(&self, chain_pem: &[u8]) -> Result<(), OrderError> {
        self.add(CHAIN, chain_pem)
    }

    /// Leaves what a CA returned that nobody has ordered, and says where.
    ///
    /// Fails with [`OrderError::Setup`].
    pub fn add_refused(&self, chain: &[u8]) -> Result<PathBuf, OrderError> {
        self.add(REFUSED, chain)?;
        Ok(self.path.join(REFUSED))
    }

    fn add(&self, name: &str, contents: &[u8]) -> Result<(), OrderError> {
        let file = NewFile {
            name,
            contents,
            access: Access::Owner,
        };
        let staged = files::stage(&self.path, &file);
        staged.and_then(files::Staged::replace).map_err(setup)
    }
}

/// The request of an order that was kept, unless its key is in use, or plain where keys are to be encrypted.
fn left_over(path: &Path, unlock: &Unlock, taken: Option<&[u8]>) -> Option<Vec<u8>> {
    let request_path = path.join(REQUEST);
    let request = files::read(&request_path).ok()?;
    let csr = pem::request(&request_path, &request).ok()?;
    let key = requested_key(&csr).ok()?;
    let file = files::read(&path.join(KEY)).ok()?;
    let is_encrypted = file
        .windows(ENCRYPTED.len())
        .any(|window| window == ENCRYPTED);
    let is_whole = taken != Some(&key[..]) && (is_encrypted || unlock.source().is_none());
    is_whole.then(|| csr.as_ref().to_vec())
}

/// The key goes with the folder: the one that counts has been imported, or none has.
impl Drop for OrderFolder {
    fn drop(&mut self) {
        if !self.goes_on
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(%error, "what an order has left is still there");
        }
    }
}

fn take_over(from: &Path, to: &Path) -> Result<(), OrderError> {
    let path = from.join(KEY);
    let key = files::read(&path).map_err(|error| {
        OrderError::Setup(format!(
            "the key of the certificate before cannot be used again: {error}"
        ))
    })?;
    let file = NewFile {
        name: KEY,
        contents: &key,
        access: Access::Owner,
    };
    let staged = files::stage(to, &file);
    staged.and_then(files::Staged::create).map_err(setup)
}

fn remove(path: &Path) -> Result<(), OrderError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let path = path.display();
            Err(OrderError::Setup(format!(
                "{path} cannot be removed: {error}"
            )))
        }
        _ => Ok(()),
    }
}

fn setup(error: impl fmt::Display) -> OrderError {
    OrderError::Setup(error.to_string())
}

/// The folder, in a data folder, in which the service orders a zone's certificate.
pub(super) fn of_service(data: &Path, zone: &ZoneName, roles: Roles) -> PathBuf {
    let name = format!("{zone}-{}", roles.as_str());
    data.join("renewal").join(name)
}

/// As `delegation_csr` calls it.
pub const REQUEST: &str = "request.csr";
/// The answer of a CA that is not what was ordered.
const REFUSED: &str = "refused.pem";
/// In a key that is encrypted with a passphrase.
const ENCRYPTED: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";

#[cfg(test)]
mod tests {
    use super::*;
    use dc_pki::secret::SecretSource;

    #[test]
    fn a_key_is_encrypted_if_there_is_a_passphrase_and_a_plain_one_is_not_taken_up() {
        let data = tempfile::tempdir().unwrap();
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        let path = data.path().join("orders/one");
        let make = |unlock: &Unlock| {
            let path = path.clone();
            OrderFolder::make(path, &zone, Roles::Server, KeyOf::New, unlock, None).unwrap()
        };
        let key = || fs::read_to_string(path.join(KEY)).unwrap();
        // Before there was a passphrase.
        let none = Unlock::default();
        make(&none).keep();
        let plain = key();
        make(&none).keep();
        assert_eq!(key(), plain, "the order goes on with its key");
        let says = ["printf", "open sesame"].map(str::to_owned).to_vec();
        let unlock = Unlock::with(SecretSource::Command(says));
        let folder = make(&unlock);
        let encrypted = key();
        assert!(
            encrypted.contains("BEGIN ENCRYPTED PRIVATE KEY"),
            "{encrypted}"
        );
        let csr_der = folder.csr_der().to_vec();
        folder.keep();
        let again = make(&unlock);
        assert_eq!((key(), again.csr_der()), (encrypted, &csr_der[..]));
        // Once it is over nothing of it is left.
        drop(again);
        assert!(!path.exists());
    }

    #[test]
    fn what_somebody_has_made_is_taken_once() {
        let data = tempfile::tempdir().unwrap();
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        let path = data.path().join("orders/one");
        let none = Unlock::default();
        OrderFolder::make(path.clone(), &zone, Roles::Server, KeyOf::New, &none, None)
            .unwrap()
            .keep();
        let read = |name| fs::read(path.join(name)).unwrap();
        let (key, request) = (read(KEY), read(REQUEST));
        let given = Given {
            key_name: KEY,
            key: &key,
            request: &request,
        };
        let other = data.path().join("orders/other");
        let taken = OrderFolder::take(other.clone(), &given).unwrap();
        let refused = taken.add_refused(b"chain").unwrap();
        taken.keep();
        let again = OrderFolder::take(other.clone(), &given).unwrap();
        assert!(refused.exists(), "it is the same order");
        assert_eq!(fs::read(other.join(KEY)).unwrap(), key);
        drop(again);
        assert!(!other.exists());
    }
}
