//! The delegation certificates that are held, each with its key.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use dc_core::Role;
use pki_types::UnixTime;

use super::error::Error;
use dc_pki::delegation::{self, CHAIN};
use dc_pki::files::{Access, NewFile};
use dc_pki::keys::{KeyLocation, ProcessFault, Unlock};
use dc_pki::{Delegation, Sha256, files};

/// A delegation certificate with its key.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) for_servers: Delegation,
    /// The same, to issue for clients; none if the certificate is for servers alone.
    pub(super) for_clients: Option<Delegation>,
    /// A credential was issued under it.
    used: AtomicBool,
    /// When the last one was, in seconds since 1970; 0 if that was before this process began.
    issued: AtomicU64,
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
            used: folder.join(USED).exists().into(),
            issued: 0.into(),
        })
    }

    /// True if a credential was issued under it.
    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// When the last one was, since this process began.
    pub(super) fn last_issued(&self) -> Option<u64> {
        Some(self.issued.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// The folder, if its key was made here.
    pub(super) fn made_in(&self, certified: &Path) -> Option<&Path> {
        let folder = self.location().file().and_then(Path::parent);
        folder.filter(|folder| folder.parent() == Some(certified))
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
    /// The folder with a file for each that has ended.
    ended: PathBuf,
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
            ended: state.join(ENDED),
            unlock,
            held: RwLock::default(),
            looked: Mutex::default(),
        }
    }

    /// Loads all anew; one that cannot be loaded, such as from a token that is away, is told of in the log.
    pub(super) fn reload(&self) -> Result<usize, Error> {
        let mut held = BTreeMap::new();
        for folder in self.folders()? {
            match Held::load(&folder, &self.unlock) {
                Ok(one) if self.has_ended(&one.sha256())? => {
                    tracing::info!(folder = %folder.display(), "a delegation has ended");
                }
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

    /// Never signs under a certificate again; none if it holds no such one, also none that cannot be loaded now. Says whether it
    /// was still signed under.
    ///
    /// Fails as writing does, and then it has not ended.
    pub(super) fn end(&self, certificate: &Sha256) -> Result<Option<bool>, Error> {
        if self.has_ended(certificate)? {
            return Ok(Some(false));
        }
        if self.known(certificate).is_none() && !self.is_in_a_folder(certificate)? {
            return Ok(None);
        }
        files::make_folder(&self.ended, Access::Owner)?;
        let name = certificate.to_string();
        let mark = NewFile {
            name: &name,
            contents: b"",
            access: Access::Owner,
        };
        files::stage(&self.ended, &mark)?.replace()?;
        files::sync(&self.ended)?;
        self.remove(certificate);
        Ok(Some(true))
    }

    /// True if nothing is signed under a certificate any more.
    pub(super) fn has_ended(&self, certificate: &Sha256) -> Result<bool, Error> {
        Ok(files::is_there(&self.ended.join(certificate.to_string()))?)
    }

    /// A credential is issued under it. The first time a mark is left: one that was never used may be forgotten.
    ///
    /// Fails as writing does.
    pub(super) fn note_use(&self, held: &Held, now: UnixTime) -> Result<(), Error> {
        held.issued.store(now.as_secs(), Ordering::Relaxed);
        if held.used.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Some(folder) = held.made_in(&self.certified) {
            let mark = NewFile {
                name: USED,
                contents: b"",
                access: Access::Owner,
            };
            files::stage(folder, &mark)?.replace()?;
        }
        held.used.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn is_in_a_folder(&self, certificate: &Sha256) -> Result<bool, Error> {
        let is_it = |folder: PathBuf| {
            let chain = delegation::read_chain(&folder.join(CHAIN)).unwrap_or_default();
            let first = chain.first();
            first.is_some_and(|first| Sha256::of(first) == *certificate)
        };
        Ok(self.folders()?.any(is_it))
    }

    fn folders(&self) -> Result<impl Iterator<Item = PathBuf>, Error> {
        let certified = self.certified()?;
        Ok(self.folders.clone().into_iter().chain(certified))
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
/// The file that says in such a folder that a credential was issued under it.
pub(super) const USED: &str = "used";
/// The folder of those that have ended, in the folder of the process's state.
const ENDED: &str = "ended";
/// How often it is looked again for what a caller wants and is not there.
const AGAIN: Duration = Duration::from_secs(5);
