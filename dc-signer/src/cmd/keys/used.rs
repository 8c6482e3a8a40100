//! Which delegation certificates have the keys of a token.

use std::fs;
use std::path::{Path, PathBuf};

use dc_core::DelegationCertificate;
use dc_pki::delegation::{self, CHAIN};
use dc_pki::files;
use dc_pki::names::ZoneName;

use crate::cmd::Error;

/// A delegation certificate in a folder.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) folder: PathBuf,
    /// Its zone; none if its names are no zone's.
    pub(super) zone: Option<ZoneName>,
    spki: Vec<u8>,
}

impl Used {
    /// The certificates of folders, each a delegation's or one of several.
    ///
    /// Fails with what reading a folder or a certificate fails with.
    pub(super) fn among(folders: &[PathBuf]) -> Result<Vec<Self>, Error> {
        let mut found = Vec::new();
        for folder in folders {
            match files::is_there(&folder.join(CHAIN))? {
                true => found.push(Self::read(folder)?),
                false => {
                    for inner in inner(folder)? {
                        if files::is_there(&inner.join(CHAIN))? {
                            found.push(Self::read(&inner)?);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(CHAIN);
        let first = delegation::read_chain(&path)?.into_iter().next();
        let first = first.ok_or_else(|| dc_pki::Error::MissingPem {
            path: path.clone(),
            label: "CERTIFICATE",
        })?;
        let certificate = DelegationCertificate::parse(first)
            .map_err(|source| dc_pki::Error::BadCertificate { path, source })?;
        Ok(Self {
            folder: folder.to_owned(),
            zone: ZoneName::of(&certificate),
            spki: certificate.spki().to_vec(),
        })
    }

    pub(super) fn has(&self, spki: Option<&[u8]>) -> bool {
        spki == Some(&self.spki[..])
    }
}

/// The folders in a folder, by their names.
fn inner(folder: &Path) -> Result<Vec<PathBuf>, dc_pki::Error> {
    let failed = |source| files::read_failed(folder, source);
    let entries = fs::read_dir(folder).map_err(failed)?;
    let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(failed)?;
    let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    Ok(paths)
}
