//! Certificates that somebody is to trust, and those that lead to them.

use std::path::Path;

use der::Decode;
use der::asn1::AnyRef;
use pki_types::CertificateDer;
use rustls::RootCertStore;

use crate::error::Error;
use crate::{delegation, files, pem};

/// The certificates of a PEM file, at least one.
///
/// Fails with [`Error::Read`], [`Error::TooLarge`], [`Error::BadPem`] or [`Error::MissingPem`].
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    delegation::read_chain(path)
}

/// The certificates of a PEM file, as roots: one, or all that a system trusts.
///
/// One that is whole and cannot be a root is left out, as in those lists there are some. Fails as [`read_chain`]
/// does, and with [`Error::BadRoot`] if one is damaged or none is left.
pub fn read_roots(path: &Path) -> Result<RootCertStore, Error> {
    let file = files::read_up_to(path, MAX_ROOTS_LEN)?;
    let (mut roots, mut unusable) = (RootCertStore::empty(), None);
    for certificate in pem::certificates(path, &file)? {
        let is_whole = is_whole(&certificate);
        match roots.add(certificate) {
            Ok(()) => {}
            Err(source) if is_whole => unusable = Some(source),
            Err(source) => return Err(bad_root(path, source)),
        }
    }
    match unusable {
        Some(source) if roots.is_empty() => Err(bad_root(path, source)),
        _ => Ok(roots),
    }
}

fn bad_root(path: &Path, source: rustls::Error) -> Error {
    let path = path.into();
    Error::BadRoot { path, source }
}

/// True if the DER is as long as it says: a line that is missing from a file shows in that.
fn is_whole(der: &[u8]) -> bool {
    AnyRef::from_der(der).is_ok()
}

/// Several times what operating systems trust.
pub const MAX_ROOTS_LEN: usize = 1 << 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_many_roots_is_read_without_those_that_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let root = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        // A SEQUENCE that is empty: whole, and no root.
        let broken = pem::encode("CERTIFICATE", b"\x30\x00");
        std::fs::write(&path, root.pem().repeat(200) + &broken).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() > 0xffff);
        assert!(!read_roots(&path).unwrap().is_empty());
        std::fs::write(&path, &broken).unwrap();
        let error = read_roots(&path).unwrap_err();
        assert!(matches!(error, Error::BadRoot { .. }), "{error}");
        let damaged = pem::encode("CERTIFICATE", b"\x30\x01");
        std::fs::write(&path, root.pem() + &damaged).unwrap();
        let error = read_roots(&path).unwrap_err();
        assert!(matches!(error, Error::BadRoot { .. }), "{error}");
    }
}
