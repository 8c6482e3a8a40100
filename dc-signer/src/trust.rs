//! Certificates that somebody is to trust, and those that lead to them.

use std::path::Path;

use pki_types::CertificateDer;
use rustls::RootCertStore;

use crate::delegation;
use crate::error::Error;

/// The certificates of a PEM file, at least one.
///
/// Fails with [`Error::Read`], [`Error::TooLarge`], [`Error::BadPem`] or [`Error::MissingPem`].
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    delegation::read_chain(path)
}

/// The certificates of a PEM file, as roots.
///
/// Fails as [`read_chain`] does, and with [`Error::BadRoot`] if one of them cannot be one.
pub fn read_roots(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(path)? {
        roots.add(certificate).map_err(|source| Error::BadRoot {
            path: path.into(),
            source,
        })?;
    }
    Ok(roots)
}
