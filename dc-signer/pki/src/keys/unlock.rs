//! The passphrase of encrypted keys, asked for when one is opened.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::keyd::{Keyd, Remote};
use crate::secret::{self, SecretError, SecretFault, SecretSource};
use crate::sha256::Sha256;

/// The passphrase of encrypted keys; by default there is none, and no encrypted key is opened.
///
/// A file, a credential and a command are read whenever a key is opened. A descriptor is read when the first one is, and what it
/// gave is kept until the last clone is dropped, because a pipe gives it once.
#[derive(Clone, Default)]
pub struct Unlock {
    passphrase: Option<Arc<Passphrase>>,
    /// Tokens with the hash of the PIN that each of them has refused: a few wrong ones lock it.
    refused: Arc<Mutex<BTreeMap<String, Sha256>>>,
    /// The signing processes, so that all keys of one share its connections.
    processes: Arc<Mutex<BTreeMap<PathBuf, Arc<Keyd>>>>,
    /// The certificate that those on other machines are shown.
    remote: Option<Remote>,
    /// How long the credentials are to live that are asked for.
    lifetime: Option<Duration>,
}

struct Passphrase {
    source: SecretSource,
    /// Opened at once, so that no other file gets the number in the meantime.
    descriptor: Mutex<Option<Result<File, SecretFault>>>,
    kept: OnceLock<Result<Zeroizing<Vec<u8>>, SecretFault>>,
}

impl Unlock {
    /// Opens encrypted keys with the passphrase from here.
    #[must_use]
    pub fn with(source: SecretSource) -> Self {
        let descriptor = match &source {
            SecretSource::Descriptor(number) => Some(secret::descriptor(*number)),
            _ => None,
        };
        Self {
            passphrase: Some(Arc::new(Passphrase {
                source,
                descriptor: Mutex::new(descriptor),
                kept: OnceLock::new(),
            })),
            ..Self::default()
        }
    }

    /// Asks signing processes, when a key is tried, whether they issue credentials that live for so long.
    #[must_use]
    pub fn for_lifetime(self, lifetime: Duration) -> Self {
        Self {
            lifetime: Some(lifetime),
            ..self
        }
    }

    /// Shows this to signing processes on other machines.
    #[must_use]
    pub fn showing(self, remote: Option<Remote>) -> Self {
        Self { remote, ..self }
    }

    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// The place of the passphrase, if there is one.
    #[must_use]
    pub fn source(&self) -> Option<&SecretSource> {
        self.passphrase
            .as_deref()
            .map(|passphrase| &passphrase.source)
    }

    /// The passphrase, if there is to be one.
    ///
    /// Fails with [`SecretError`].
    pub fn passphrase(&self) -> Option<Result<Zeroizing<Vec<u8>>, SecretError>> {
        self.passphrase.as_deref().map(Passphrase::read)
    }

    /// The signing process behind a socket, which all keys that it holds are asked over.
    #[must_use]
    pub fn process(&self, socket: &Path) -> Arc<Keyd> {
        let mut processes = self
            .processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Keyd::new(socket.into()).with(self.remote.clone()));
        processes.entry(socket.into()).or_insert_with(new).clone()
    }

    /// Remembers that a token has refused a PIN.
    pub fn refuse(&self, token: &str, pin: &[u8]) {
        self.refused().insert(token.to_owned(), Sha256::of(pin));
    }

    /// True if a token has refused this PIN before.
    #[must_use]
    pub fn was_refused(&self, token: &str, pin: &[u8]) -> bool {
        self.refused().get(token) == Some(&Sha256::of(pin))
    }

    fn refused(&self) -> MutexGuard<'_, BTreeMap<String, Sha256>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passphrase {
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        if !matches!(self.source, SecretSource::Descriptor(_)) {
            return self.source.read();
        }
        let kept = self.kept.get_or_init(|| {
            let mut descriptor = self
                .descriptor
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // It is there until it is read here, once.
            let open = descriptor.take().unwrap_or(Err(SecretFault::Empty))?;
            secret::of_open(open)
        });
        kept.clone().map_err(|fault| self.source.failed(fault))
    }
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passphrase,
            refused: _,
            processes: _,
            remote: _,
            lifetime: _,
        } = self;
        f.debug_tuple("Unlock").field(passphrase).finish()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            descriptor: _,
            kept: _,
        } = self;
        f.debug_struct("Passphrase")
            .field("source", source)
            .finish_non_exhaustive()
    }
}
