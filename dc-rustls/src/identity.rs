//! A device's identity: a chain, credentials and a key, one generation of them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use dc_core::DelegatedCredential;
use dc_core::pem::{self, StoredCredential};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Error, events};

/// A delegation certificate's chain, credentials under it, and the private key they are for.
///
/// Of a server, or of a client. Nothing is checked yet: the store that it is installed in does.
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) credentials: Vec<StoredCredential>,
    pub(crate) key: PrivateKeyDer<'static>,
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
    /// A key that others than its owner and group can read is an event in the log. Fails with [`Error::File`] if
    /// a file cannot be read or is longer than any of its kind, and with [`Error::FileFormat`] if it is not what
    /// its name says.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let key = folder.join("key.pem");
        check_private(&key);
        Ok(Self {
            chain: load(&folder.join("chain.pem"), pem::certificates)?,
            credentials: load(&folder.join("credential.pem"), pem::read)?,
            key: load(&key, pem::private_key)?,
        })
    }
}

/// A credential that is being installed, decoded once for all that is asked of it.
pub(crate) struct Decoded<'a> {
    pub(crate) credential: DelegatedCredential<'a>,
    /// The encoding, as it is sent.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Decoded<'a> {
    /// Fails with [`Error::Credential`] if it cannot be decoded.
    pub(crate) fn new(stored: &'a StoredCredential) -> Result<Self, Error> {
        let bytes = stored.bytes.as_slice();
        let credential =
            DelegatedCredential::decode(stored.form, bytes).map_err(Error::Credential)?;
        Ok(Self { credential, bytes })
    }
}

fn load<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, dc_core::Error>,
) -> Result<T, Error> {
    let file = read(path).map_err(|source| Error::File {
        path: path.into(),
        source,
    })?;
    parse(&file).map_err(|source| Error::FileFormat {
        path: path.into(),
        source: source.into(),
    })
}

/// Reads no more than any such file has, whatever the path leads to.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let room = usize::try_from(file.metadata()?.len()).unwrap_or(MAX_LEN);
    // All at once: a vector that grows leaves copies of a key behind.
    let mut contents = Vec::with_capacity(room.min(MAX_LEN) + 1);
    file.take(MAX_LEN as u64 + 1).read_to_end(&mut contents)?;
    match contents.len() > MAX_LEN {
        true => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is longer than {MAX_LEN} bytes"),
        )),
        false => Ok(contents),
    }
}

#[cfg(not(unix))]
fn check_private(_: &Path) {}

/// Says so if others than the owner and a group, which a server's key may be given to, can read a key.
#[cfg(unix)]
fn check_private(path: &Path) {
    if let Ok(metadata) = path.metadata() {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            events::key_readable(path, mode);
        }
    }
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

/// Several times what the longest chain has.
const MAX_LEN: usize = 0xffff;
/// Everybody who is neither the owner nor in the group; nor may a group write.
#[cfg(unix)]
const OTHERS: u32 = 0o027;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_files_are_refused_before_they_are_read() {
        let error = load(Path::new("/dev/zero"), pem::private_key).unwrap_err();
        let Error::File { source, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(source.kind(), io::ErrorKind::FileTooLarge);
        assert!(
            error.to_string().contains("longer than 65535 bytes"),
            "{error}"
        );
    }
}
