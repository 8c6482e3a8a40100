//! A delegation certificate with its chain and its key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_core::{DelegationCertificate, IssuingPolicy, Role, SignatureScheme, Signer};
use pki_types::{CertificateDer, UnixTime};

use crate::error::Error;
use crate::keyd::TLS;
use crate::keys::{KeyLocation, OpenKey, Timing, Unlock};
use crate::warning::Warning;
use crate::{chain, files, pem};

/// All that it takes to issue: a certificate that may delegate, the chain to send with it, and the
/// certificate's key.
#[derive(Debug)]
pub struct Delegation {
    policy: IssuingPolicy,
    chain: Vec<CertificateDer<'static>>,
    chain_path: PathBuf,
    key: OpenKey,
}

impl Delegation {
    /// Reads `chain.pem`, whose first certificate is the delegation certificate, and `key.pem`, or `key.uri` if the key is in a
    /// token, or `key.keyd` if a signing process has it, to issue for servers.
    ///
    /// Fails as [`load_for`](Self::load_for) does.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        Self::load_for(folder, Role::Server)
    }

    /// As [`load`](Self::load), to issue for this end of connections.
    ///
    /// Fails with [`Error::MissingDelegation`] if neither is there, with [`Error::BadCertificate`]
    /// if the certificate may not delegate, with [`Error::ChainOrder`] if another one in the file may, with [`Error::UnfitCertificate`] if
    /// every peer would refuse it, whenever that is, with [`Error::KeyMismatch`] if the key is another one's,
    /// with [`Error::TwoKeys`], [`Error::BadSocket`] or [`Error::BadTokenUri`] if it is not said where the key is,
    /// with [`Error::BadIssuer`] if what another certificate of the chain excludes cannot be read, and with what reading the
    /// two files fails with.
    pub fn load_for(folder: &Path, role: Role) -> Result<Self, Error> {
        Self::load_with(folder, role, &Unlock::default())
    }

    /// As [`load_for`](Self::load_for), also with a key that is encrypted.
    ///
    /// Fails as that does, and as opening the key does: see [`OpenKey::open_for`].
    pub fn load_with(folder: &Path, role: Role, unlock: &Unlock) -> Result<Self, Error> {
        let chain_path = folder.join(CHAIN);
        if !files::is_there(&chain_path)? && !has_key(folder)? {
            let folder = folder.into();
            return Err(Error::MissingDelegation { folder });
        }
        let chain = files::read(&chain_path)?;
        Self::assemble(chain_path, &chain, role, |certificate| {
            OpenKey::open_for(key_location(folder)?, certificate, role, unlock)
        })
    }

    /// As [`load_with`](Self::load_with), of files that were read already and are in no folder.
    ///
    /// Fails as that does, with the paths of `files.folder` in its errors.
    pub fn of_files(files: &Files<'_>, role: Role, unlock: &Unlock) -> Result<Self, Error> {
        let Files { folder, chain, key } = files;
        Self::assemble(folder.join(CHAIN), chain, role, |certificate| {
            let location = match key {
                KeyFile::Pem(pem) => return OpenKey::in_file(&folder.join(KEY), pem, unlock),
                KeyFile::Uri(uri) => of_uri(folder.join(KEY_URI), uri)?,
                KeyFile::Socket(path) => of_socket(folder.join(KEY_KEYD), path)?,
            };
            OpenKey::open_for(location, certificate, role, unlock)
        })
    }

    fn assemble(
        chain_path: PathBuf,
        chain: &[u8],
        role: Role,
        open: impl FnOnce(&DelegationCertificate<'_>) -> Result<OpenKey, Error>,
    ) -> Result<Self, Error> {
        let chain = pem::certificates(&chain_path, chain)?;
        let policy = policy(&chain_path, &chain, role)?;
        let key = open(policy.certificate())?;
        if key.spki() != policy.certificate().spki() {
            return Err(Error::KeyMismatch {
                key: key.location().clone(),
                certificate: chain_path,
            });
        }
        Ok(Self {
            policy,
            chain,
            chain_path,
            key,
        })
    }

    /// The same certificate with the same key, which is not opened again, to issue for this end of connections.
    ///
    /// Fails with [`Error::UnfitCertificate`], and with [`Error::Process`] if the process that has the key refuses.
    pub fn for_role(&self, role: Role) -> Result<Self, Error> {
        let policy = policy(&self.chain_path, &self.chain, role)?;
        Ok(Self {
            chain: self.chain.clone(),
            chain_path: self.chain_path.clone(),
            key: self.key.share_for(role)?,
            policy,
        })
    }

    /// Tells how long each signature of its key takes.
    #[must_use]
    pub fn timed(self, timing: &Timing) -> Self {
        let key = self.key.timed(timing);
        Self { key, ..self }
    }

    /// The warnings, which somebody should look at although it stops nothing yet.
    ///
    /// Fails with [`Error::Read`].
    pub fn warnings(&self, now: UnixTime) -> Result<Vec<Warning>, Error> {
        let not_after = self.certificate().not_after();
        let left = not_after.as_secs().saturating_sub(now.as_secs());
        let ends_soon = (left < SOON.as_secs()).then(|| Warning::CertificateEndsSoon {
            path: self.chain_path.clone(),
            now,
            not_after,
        });
        let key_file = self.key.location().file();
        let readable = key_file.map(files::check_private).transpose()?.flatten();
        let (names, excluded) = (
            self.certificate().dns_names(),
            self.policy.excluded_subtrees(),
        );
        let excluded = Warning::names_excluded(&self.chain_path, names, excluded);
        let warnings = [readable, ends_soon, excluded];
        Ok(warnings.into_iter().flatten().collect())
    }

    /// The delegation certificate.
    #[must_use]
    pub fn certificate(&self) -> &DelegationCertificate<'static> {
        self.policy.certificate()
    }

    /// The scheme that the certificate's key signs credentials with.
    #[must_use]
    pub fn algorithm(&self) -> SignatureScheme {
        self.key.scheme()
    }

    /// The file that the certificate came from.
    #[must_use]
    pub fn chain_path(&self) -> &Path {
        &self.chain_path
    }

    /// The certificates that a TLS server has to send, the delegation certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The rules that it issues by.
    #[must_use]
    pub fn policy(&self) -> &IssuingPolicy {
        &self.policy
    }

    /// The certificate's key.
    #[must_use]
    pub fn key(&self) -> &OpenKey {
        &self.key
    }
}

/// The files of a delegation certificate, read already.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The folder that they would be in, for errors.
    pub folder: &'a Path,
    /// The contents of `chain.pem`.
    pub chain: &'a [u8],
    /// The contents of `key.pem` or `key.uri`.
    pub key: KeyFile<'a>,
}

/// The contents of the file with a key, or with its place.
#[derive(Clone, Copy)]
pub enum KeyFile<'a> {
    /// Of `key.pem`.
    Pem(&'a [u8]),
    /// Of `key.uri`.
    Uri(&'a [u8]),
    /// The contents of `key.keyd`: the path of a signing process's socket.
    Socket(&'a [u8]),
}

impl fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            folder,
            chain: _,
            key: _,
        } = self;
        f.debug_struct("Files")
            .field("folder", folder)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pem(_) => "Pem(..)",
            Self::Uri(_) => "Uri(..)",
            Self::Socket(_) => "Socket(..)",
        })
    }
}

/// True if a folder has a key, or says where one is.
///
/// Fails with [`Error::Read`].
pub fn has_key(folder: &Path) -> Result<bool, Error> {
    for name in KEY_FILES {
        if files::is_there(&folder.join(name))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The name of the file in a folder that has the key, or says where it is: [`KEY`] if there is none.
///
/// Fails with [`Error::Read`], and with [`Error::TwoKeys`] if it has several.
pub fn key_file(folder: &Path) -> Result<&'static str, Error> {
    let mut found = None;
    for name in KEY_FILES {
        if files::is_there(&folder.join(name))? && found.replace(name).is_some() {
            let folder = folder.into();
            return Err(Error::TwoKeys(folder));
        }
    }
    Ok(found.unwrap_or(KEY))
}

/// The name of the file that says this place, which is the path of a signing process's socket, its address on another machine, or the URI of a token's key.
#[must_use]
pub fn file_of_place(place: &str) -> &'static str {
    match place.starts_with('/') || place.starts_with(TLS) {
        true => KEY_KEYD,
        false => KEY_URI,
    }
}

/// The place of the key of the certificate in a folder.
///
/// Fails with [`Error::Read`], [`Error::TwoKeys`] and [`Error::BadTokenUri`].
pub fn key_location(folder: &Path) -> Result<KeyLocation, Error> {
    let name = key_file(folder)?;
    let path = folder.join(name);
    if name == KEY {
        return Ok(path.into());
    }
    let text = files::read(&path)?;
    match name {
        KEY_KEYD => of_socket(path, &text),
        _ => of_uri(path, &text),
    }
}

/// The place that a file with the path of a signing process's socket says.
fn of_socket(path: PathBuf, text: &[u8]) -> Result<KeyLocation, Error> {
    let text = str::from_utf8(text).unwrap_or_default().trim_ascii();
    let socket = Path::new(text);
    let is_place = socket.is_absolute() || is_address(text);
    match is_place && !text.contains('\n') {
        true => Ok(KeyLocation::Process(socket.into())),
        false => Err(Error::BadSocket(path)),
    }
}

/// True for `tls://HOST:PORT`.
fn is_address(text: &str) -> bool {
    let address = text.strip_prefix(TLS).and_then(|a| a.rsplit_once(':'));
    address.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// The place that a file with a URI says.
fn of_uri(path: PathBuf, text: &[u8]) -> Result<KeyLocation, Error> {
    let uri = str::from_utf8(text).unwrap_or_default().trim_ascii();
    match uri.parse() {
        Ok(uri) => Ok(KeyLocation::Token(Box::new(uri))),
        Err(source) => Err(Error::BadTokenUri { path, source }),
    }
}

/// The certificates of a chain file, at least one.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    pem::certificates(path, &files::read(path)?)
}

/// The rules that the first certificate of a chain issues by.
fn policy(
    path: &Path,
    chain: &[CertificateDer<'static>],
    role: Role,
) -> Result<IssuingPolicy, Error> {
    let certificate = delegation_certificate(path, chain)?;
    if let Err(source) = chain::check(chain, role) {
        let path = path.into();
        return Err(Error::UnfitCertificate { path, role, source });
    }
    IssuingPolicy::new(certificate, role)
        .with_issuers(chain.get(1..).unwrap_or_default())
        .map_err(|source| {
            let path = path.into();
            Error::BadIssuer { path, source }
        })
}

fn delegation_certificate(
    path: &Path,
    chain: &[CertificateDer<'static>],
) -> Result<DelegationCertificate<'static>, Error> {
    let first = chain.first().cloned().ok_or_else(|| Error::MissingPem {
        path: path.into(),
        label: "CERTIFICATE",
    })?;
    DelegationCertificate::parse(first).map_err(|source| {
        let path = path.into();
        let delegates =
            |der: &CertificateDer<'_>| DelegationCertificate::parse(der.clone()).is_ok();
        match chain.iter().position(delegates) {
            Some(at) => Error::ChainOrder { path, at: at + 1 },
            None => Error::BadCertificate { path, source },
        }
    })
}

/// A chain that a TLS server sends, as it lies beside a key or a credential.
pub const CHAIN: &str = "chain.pem";
/// A private key in PKCS#8.
pub const KEY: &str = "key.pem";
/// The `pkcs11:` URI of a private key in a token (RFC 7512), on one line, in place of the key.
pub const KEY_URI: &str = "key.uri";
/// The path of the socket of the signing process that has the private key, on one line, in place of the key.
pub const KEY_KEYD: &str = "key.keyd";
/// All files that have a key, or say where one is.
pub const KEY_FILES: [&str; 3] = [KEY, KEY_URI, KEY_KEYD];
/// A day more than the longest credential: from then on lifetimes are cut.
pub const SOON: Duration = Duration::from_secs(8 * 24 * 3600);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_names_one_place_of_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(!has_key(folder.path()).unwrap());
        assert_eq!(key_file(folder.path()).unwrap(), KEY);
        fs::write(path(KEY_KEYD), " /run/dc-keyd/socket\n").unwrap();
        assert!(has_key(folder.path()).unwrap());
        let socket = Path::new("/run/dc-keyd/socket").into();
        assert_eq!(
            key_location(folder.path()).unwrap(),
            KeyLocation::Process(socket)
        );
        for bad in ["", "socket", "/a\n/b", "\u{ff}"] {
            fs::write(path(KEY_KEYD), bad).unwrap();
            let error = key_location(folder.path()).unwrap_err();
            assert!(matches!(error, Error::BadSocket(_)), "{bad:?}: {error}");
        }
        for other in [KEY, KEY_URI] {
            fs::write(path(other), "pkcs11:object=x").unwrap();
            let error = key_location(folder.path()).unwrap_err();
            assert!(matches!(error, Error::TwoKeys(_)), "{error}");
            fs::remove_file(path(other)).unwrap();
        }
    }
}
