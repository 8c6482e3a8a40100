//! The passphrase of encrypted keys, asked for when one is opened.

use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use zeroize::Zeroizing;

use crate::secret::{self, SecretError, SecretFault, SecretSource};

/// The passphrase of encrypted keys; by default there is none, and no encrypted key is opened.
///
/// A file, a credential and a command are read whenever a key is opened. A descriptor is read when the first one is, and what it
/// gave is kept until the last clone is dropped, because a pipe gives it once.
#[derive(Clone, Debug, Default)]
pub struct Unlock(Option<Arc<Passphrase>>);

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
        Self(Some(Arc::new(Passphrase {
            source,
            descriptor: Mutex::new(descriptor),
            kept: OnceLock::new(),
        })))
    }

    /// The place of the passphrase, if there is one.
    #[must_use]
    pub fn source(&self) -> Option<&SecretSource> {
        self.0.as_deref().map(|passphrase| &passphrase.source)
    }

    /// The passphrase, if there is to be one.
    ///
    /// Fails with [`SecretError`].
    pub fn passphrase(&self) -> Option<Result<Zeroizing<Vec<u8>>, SecretError>> {
        self.0.as_deref().map(Passphrase::read)
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
