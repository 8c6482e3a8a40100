//! The delegation certificates that are held, each with its key.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use dc_core::Role;

use super::error::Error;
use dc_pki::keys::{KeyLocation, ProcessFault, Unlock};
use dc_pki::{Delegation, Sha256, files};

/// A delegation certificate with its key.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) for_servers: Delegation,
    /// The same, to issue for clients; none if the certificate is for servers alone.
    pub(super) for_clients: Option<Delegation>,
}

impl Held {
    /// Fails as [`Delegation::load_with`] does.
    pub(super) fn load(folder: &Path, unlock: &Unlock) -> Result<Self, dc_pki::Error> {
        let for_servers = Delegation::load_with(folder, Role::Server, unlock)?;
        // Its own socket, or that of one that asks this one.
        if for_servers.key().is_elsewhere() {
            let (key, fault) = (
                for_servers.key().location().clone(),
                ProcessFault::NoMessages,
            );
            return Err(dc_pki::Error::Process { key, fault });
        }
        let for_clients = match Delegation::load_with(folder, Role::Client, unlock) {
            Err(dc_pki::Error::UnfitCertificate { .. }) => None,
            loaded => Some(loaded?),
        };
        Ok(Self {
            for_servers,
            for_clients,
        })
    }

    pub(super) fn sha256(&self) -> Sha256 {
        Sha256::of(self.for_servers.certificate().der())
    }

    pub(super) fn location(&self) -> &KeyLocation {
        self.for_servers.key().location()
    }
}

/// All that are held.
#[derive(Debug)]
pub(super) struct Holder {
    folders: Vec<PathBuf>,
    certified: PathBuf,
    unlock: Unlock,
    held: RwLock<BTreeMap<Sha256, Arc<Held>>>,
    /// When it was last looked for some that were not there.
    looked: Mutex<Option<Instant>>,
}

impl Holder {
    /// Those in these folders, and those whose keys were made here.
    pub(super) fn new(folders: Vec<PathBuf>, state: &Path, unlock: Unlock) -> Self {
        Self {
            folders,
            certified: state.join(CERTIFIED),
            unlock,
            held: RwLock::default(),
            looked: Mutex::default(),
        }
    }

    /// Loads all anew; one that cannot be loaded, such as from a token that is away, is told of in the log.
    pub(super) fn reload(&self) -> Result<usize, Error> {
        let mut held = BTreeMap::new();
        for folder in self.folders.iter().cloned().chain(self.certified()?) {
            match Held::load(&folder, &self.unlock) {
                Ok(one) => {
                    held.insert(one.sha256(), Arc::new(one));
                }
                Err(error) => {
                    tracing::error!(%error, folder = %folder.display(), "a delegation is not held");
                }
            }
        }
        let count = held.len();
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(count)
    }

    /// One of them. Looks again for what is not there, now and then: it may be in a token that is back.
    pub(super) fn find(&self, certificate: &Sha256) -> Option<Arc<Held>> {
        if let Some(held) = self.known(certificate) {
            return Some(held);
        }
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_none_or(|looked| looked.elapsed() > AGAIN) {
            *looked = Some(Instant::now());
            drop(looked);
            let _ = self.reload();
        }
        self.known(certificate)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Held>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.values().cloned().collect()
    }

    pub(super) fn add(&self, one: Held) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.insert(one.sha256(), Arc::new(one));
    }

    pub(super) fn remove(&self, certificate: &Sha256) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.remove(certificate);
    }

    pub(super) fn unlock(&self) -> &Unlock {
        &self.unlock
    }

    fn known(&self, certificate: &Sha256) -> Option<Arc<Held>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.get(certificate).cloned()
    }

    fn certified(&self) -> Result<Vec<PathBuf>, Error> {
        if !files::is_there(&self.certified)? {
            return Ok(Vec::new());
        }
        let failed = |source| Error::File {
            path: self.certified.clone(),
            source,
        };
        let entries = fs::read_dir(&self.certified).map_err(failed)?;
        let folders = entries.map(|entry| Ok(entry.map_err(failed)?.path()));
        folders.collect()
    }
}

/// The folder of those whose keys were made here, each under the SHA-256 of its certificate.
pub(super) const CERTIFIED: &str = "delegations";
/// How often it is looked again for what a caller wants and is not there.
const AGAIN: Duration = Duration::from_secs(5);
