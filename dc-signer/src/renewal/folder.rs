//! The folder in which a certificate is ordered: its key, the request, and at the end the chain. It is gone afterwards.

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

/// A folder with a key and the request for its certificate.
#[derive(Debug)]
pub(super) struct OrderFolder {
    path: PathBuf,
    csr_der: Vec<u8>,
    /// The CA has not finished the order: it goes on with the same key.
    goes_on: bool,
}

impl OrderFolder {
    /// Makes the key, encrypted if there is a passphrase, and the request, or takes those of an order that goes on. What another
    /// order has left is removed, such as a key that `taken`, the DER SubjectPublicKeyInfo of the zone's certificate, shows in use.
    ///
    /// Fails with [`OrderError::Setup`].
    pub(super) fn make(
        data: &Path,
        zone: &ZoneName,
        roles: Roles,
        key: KeyOf<'_>,
        unlock: &Unlock,
        taken: Option<&[u8]>,
    ) -> Result<Self, OrderError> {
        let path = folder(data).join(format!("{zone}-{}", roles.as_str()));
        if key == KeyOf::New
            && let Some(csr_der) = left_over(&path, taken)
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

    fn of(path: PathBuf, csr_der: Vec<u8>) -> Self {
        Self {
            path,
            csr_der,
            goes_on: false,
        }
    }

    /// The key stays for the next try: CAs finish orders for the request that they began with.
    pub(super) fn keep(mut self) {
        self.goes_on = true;
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn csr_der(&self) -> &[u8] {
        &self.csr_der
    }

    /// Puts the chain beside the key.
    pub(super) fn add_chain(&self, chain_pem: &[u8]) -> Result<(), OrderError> {
        let file = NewFile {
            name: CHAIN,
            contents: chain_pem,
            access: Access::Owner,
        };
        let staged = files::stage(&self.path, &file);
        staged.and_then(files::Staged::replace).map_err(setup)
    }
}

/// The request of an order that was kept, unless its key is in use.
fn left_over(path: &Path, taken: Option<&[u8]>) -> Option<Vec<u8>> {
    let request_path = path.join(REQUEST);
    let request = files::read(&request_path).ok()?;
    let csr = pem::request(&request_path, &request).ok()?;
    let key = requested_key(&csr).ok()?;
    let is_whole = files::exists(&path.join(KEY)) && taken != Some(&key[..]);
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

fn setup(error: impl std::fmt::Display) -> OrderError {
    OrderError::Setup(error.to_string())
}

/// As `delegation_csr` calls it.
const REQUEST: &str = "request.csr";

/// The part of a data folder in which certificates are ordered.
fn folder(data: &Path) -> PathBuf {
    data.join("renewal")
}
