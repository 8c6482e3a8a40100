//! What makes a device what it is: a chain, credentials and a key, as one unit.

use std::error::Error as StdError;
use std::fmt;
use std::fs;
use std::path::Path;

use dc_core::pem::{self, StoredCredential};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Error;

/// A delegation certificate's chain, credentials under it, and the private key they are for.
///
/// Nothing is checked yet: [`Store::install`](super::Store::install) does.
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) credentials: Vec<StoredCredential>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// An identity from its parts; `chain` begins with the delegation certificate.
    #[must_use]
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        credentials: Vec<StoredCredential>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        Self {
            chain,
            credentials,
            key,
        }
    }

    /// Reads an identity folder: `chain.pem`, `credential.pem` and `key.pem`.
    ///
    /// Fails with [`Error::File`] if a file cannot be read, and with [`Error::FileFormat`] if it is not
    /// what its name says.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        Ok(Self {
            chain: load(&folder.join("chain.pem"), |file| {
                let chain: Vec<_> =
                    CertificateDer::pem_slice_iter(file).collect::<Result<_, _>>()?;
                match chain.is_empty() {
                    true => Err(rustls::pki_types::pem::Error::NoItemsFound),
                    false => Ok(chain),
                }
            })?,
            credentials: load(&folder.join("credential.pem"), pem::read)?,
            key: load(&folder.join("key.pem"), PrivateKeyDer::from_pem_slice)?,
        })
    }
}

fn load<T, E>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, E>) -> Result<T, Error>
where
    E: StdError + Send + Sync + 'static,
{
    let file = fs::read(path).map_err(|source| Error::File {
        path: path.into(),
        source,
    })?;
    parse(&file).map_err(|source| Error::FileFormat {
        path: path.into(),
        source: source.into(),
    })
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            chain,
            credentials,
            key: _,
        } = self;
        f.debug_struct("Identity")
            .field("chain", &chain.len())
            .field("credentials", &credentials.len())
            .finish_non_exhaustive()
    }
}
