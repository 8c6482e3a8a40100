//! PKCS#11 modules of this process. One is initialised once in a process, whoever uses it, so they are shared by all keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Cryptoki, RvError};

use super::failed;
use crate::token_fault::TokenFault;

/// A module, which is begun anew when its token was away: many look for tokens only then.
pub(super) struct Library(RwLock<State>);

pub(super) struct State {
    pub(super) pkcs11: Pkcs11,
    /// How often it was begun. What is older is no more, and its number may be another one's.
    pub(super) generation: u64,
    begun: Instant,
}

impl Library {
    /// The module in a file, which is loaded when it is first asked for.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, TokenFault> {
        let mut all = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = all.get(path) {
            return Ok(loaded.clone());
        }
        let pkcs11 = Pkcs11::new(path).map_err(|error| TokenFault::Module {
            why: error.to_string(),
        })?;
        begin(&pkcs11)?;
        let loaded = Arc::new(Self(RwLock::new(State {
            pkcs11,
            generation: 0,
            begun: Instant::now(),
        })));
        all.insert(path.into(), loaded.clone());
        Ok(loaded)
    }

    /// For calls: while somebody has it, the module is not begun anew.
    pub(super) fn using(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew, once for all who have seen that a generation has failed, and not all the time.
    pub(super) fn begin_anew(&self, failed_one: u64) -> Result<(), TokenFault> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if state.generation != failed_one || state.begun.elapsed() < PAUSE {
            return Ok(());
        }
        state.generation += 1;
        state.begun = Instant::now();
        // A device that is gone may not let it end well either.
        let _ = state.pkcs11.clone().finalize();
        begin(&state.pkcs11)
    }
}

fn begin(pkcs11: &Pkcs11) -> Result<(), TokenFault> {
    let threads = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    match pkcs11.initialize(threads) {
        // Under another path, or by another library of this process.
        Ok(()) | Err(Cryptoki::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(failed(&error)),
    }
}

/// By their paths.
static LIBRARIES: Mutex<BTreeMap<PathBuf, Arc<Library>>> = Mutex::new(BTreeMap::new());
/// The time between two beginnings.
const PAUSE: Duration = Duration::from_secs(1);
