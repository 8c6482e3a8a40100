//! An identity folder: what a device serves with, or presents to servers.
//!
//! `chain.pem` and `credential.pem` come from the issuer. `key.pem` is the device's, and nothing here
//! writes it.

use std::path::{Path, PathBuf};

use dc_core::{DelegatedCredential, DelegationCertificate, Issued, Role, UniqueName};
use pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use crate::delegation::{CHAIN, KEY, read_chain};
use crate::device_csr::DeviceKey;
use crate::error::Error;
use crate::files::{self, Access, NewFile};
use crate::keys::PemKey;
use crate::pem;
use crate::warning::Warning;

/// A folder that may take a credential for one device's key.
#[derive(Debug)]
pub struct IdentityFolder {
    path: PathBuf,
    old_name: OldName,
    has_key: bool,
    warning: Option<Warning>,
}

impl IdentityFolder {
    /// Looks at a folder, which need not exist yet.
    ///
    /// Fails with [`Error::OtherKeyInFolder`] if the `key.pem` in it is not the key that credentials
    /// would be for. If it cannot be read, that is a [warning](Self::warning): the device's key may
    /// well be out of the issuer's reach.
    pub fn open(path: &Path, device_key: &DeviceKey) -> Result<Self, Error> {
        let (has_key, warning) = check_key(path.join(KEY), device_key)?;
        Ok(Self {
            path: path.into(),
            old_name: OldName::of(path),
            has_key,
            warning,
        })
    }

    /// Writes the chain and the credentials.
    ///
    /// A credential is good for one delegation certificate only, so `credential.pem` never stands
    /// next to another certificate's chain, whenever the machine stops. Fails with [`Error::Write`].
    pub fn write(
        &self,
        chain: &[CertificateDer<'_>],
        credentials: &[Issued],
    ) -> Result<[PathBuf; 2], Error> {
        let chain_pem: String = chain
            .iter()
            .map(|c| pem::encode("CERTIFICATE", c))
            .collect();
        let credential_pem = credential_pem(credentials);
        let [chain_file, credential_file] = [(CHAIN, &chain_pem), (CREDENTIAL, &credential_pem)]
            .map(|(name, pem)| NewFile {
                name,
                contents: pem.as_bytes(),
                access: Access::Everyone,
            });
        match files::exists(&self.path) {
            false => {
                files::create_folder(&self.path, Access::Everyone, &[chain_file, credential_file])?;
            }
            true => self.replace(chain, &chain_file, &credential_file)?,
        }
        Ok([CHAIN, CREDENTIAL].map(|name| self.path.join(name)))
    }

    /// A folder with somebody's key in it cannot be swapped whole, so its files are replaced one by
    /// one, both of them ready before the first one is.
    fn replace(
        &self,
        chain: &[CertificateDer<'_>],
        chain_file: &NewFile<'_>,
        credential_file: &NewFile<'_>,
    ) -> Result<(), Error> {
        let same_chain = read_chain(&self.path.join(CHAIN)).is_ok_and(|old| old == chain);
        let credential = files::stage(&self.path, credential_file)?;
        if !same_chain {
            // No order of two renames keeps old and new apart: only without the old credential is
            // there no moment at which chain and credential are of different certificates.
            let chain = files::stage(&self.path, chain_file)?;
            files::remove(&self.path.join(CREDENTIAL))?;
            files::sync(&self.path)?;
            chain.replace()?;
            files::sync(&self.path)?;
        }
        credential.replace()?;
        files::sync(&self.path)
    }

    /// The unique name that the folder's device has had until now, if there is one.
    ///
    /// Fails with [`Error::LostName`] if there may be one that cannot be read.
    pub fn unique_name(&self) -> Result<Option<&UniqueName<'static>>, Error> {
        match &self.old_name {
            OldName::None => Ok(None),
            OldName::Known(name) => Ok(Some(name)),
            OldName::Lost => Err(Error::LostName {
                path: self.path.join(CREDENTIAL),
            }),
        }
    }

    /// Warns if the folder's device had a name, and now gets another one.
    #[must_use]
    pub fn check_name(&self, new: Option<&UniqueName<'_>>) -> Option<Warning> {
        match &self.old_name {
            OldName::Known(old) if new? != old => Some(Warning::DifferentName {
                folder: self.path.clone(),
                old: old.clone(),
            }),
            _ => None,
        }
    }

    /// Refuses to replace credentials of the other end by those for `wanted`: a server would lose its identity to a client's.
    ///
    /// Fails with [`Error::OtherRoleInFolder`] if the signatures prove it; what cannot be read may be replaced.
    pub fn check_role(
        &self,
        wanted: Role,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<(), Error> {
        match self.role(algorithms) {
            Some(got) if got != wanted => Err(Error::OtherRoleInFolder {
                folder: self.path.clone(),
                wanted,
                got,
            }),
            _ => Ok(()),
        }
    }

    /// The end that the first of the folder's credentials authenticates, if it can be told.
    fn role(&self, algorithms: &[&'static dyn SignatureVerificationAlgorithm]) -> Option<Role> {
        let chain = read_chain(&self.path.join(CHAIN)).ok()?;
        let certificate = DelegationCertificate::parse(chain.into_iter().next()?).ok()?;
        let file = files::read(&self.path.join(CREDENTIAL)).ok()?;
        let stored = dc_core::pem::read(&file).ok()?.into_iter().next()?;
        stored.find_role(&certificate, algorithms).ok()
    }

    /// True if the private key that the credentials are for is in the folder.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.has_key
    }

    /// The warnings about the folder.
    #[must_use]
    pub fn warning(&self) -> Option<&Warning> {
        self.warning.as_ref()
    }
}

/// The contents of a credential file, in the order that is given.
pub fn credential_pem(credentials: &[Issued]) -> String {
    credentials
        .iter()
        .map(|issued| dc_core::pem::write(issued.form(), issued.bytes()))
        .collect()
}

/// The claim of a folder's credentials about its device's name.
#[derive(Debug)]
enum OldName {
    /// There is no credential yet, or none with a name.
    None,
    /// This is its name.
    Known(UniqueName<'static>),
    /// The credentials cannot be read, or are not there although the chain is.
    Lost,
}

impl OldName {
    fn of(folder: &Path) -> Self {
        let path = folder.join(CREDENTIAL);
        match files::exists(&path) {
            true => Self::read(&path).unwrap_or(Self::Lost),
            // That is how a rollover looks that was interrupted.
            false if files::exists(&folder.join(CHAIN)) => Self::Lost,
            false => Self::None,
        }
    }

    fn read(path: &Path) -> Option<Self> {
        let file = files::read(path).ok()?;
        for stored in dc_core::pem::read(&file).ok()? {
            let credential = DelegatedCredential::decode(stored.form, &stored.bytes).ok()?;
            if let Some(name) = &credential.credential().unique_name {
                return Some(Self::Known(name.into()));
            }
        }
        Some(Self::None)
    }
}

/// The presence of the key, and a warning about it.
fn check_key(path: PathBuf, device_key: &DeviceKey) -> Result<(bool, Option<Warning>), Error> {
    if !files::exists(&path) {
        return Ok((false, None));
    }
    match PemKey::read(&path) {
        Ok(key) if key.spki() != device_key.spki() => Err(Error::OtherKeyInFolder {
            key: path,
            request: device_key.path().into(),
        }),
        Ok(_) => Ok((true, files::check_private(&path)?)),
        Err(_) => Ok((false, Some(Warning::KeyNotChecked { path }))),
    }
}

/// One or more credentials for the same key, the named form first.
pub const CREDENTIAL: &str = "credential.pem";
