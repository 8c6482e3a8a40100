//! PEM files in and out: dc-core's reader, with the path in its errors.

use std::path::Path;

use der::pem::LineEnding;
use pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, SubjectPublicKeyInfoDer,
};
use zeroize::Zeroizing;

use crate::error::Error;

pub use dc_core::pem::is_pem;

/// True if a file has a private key in it, of whatever kind.
pub fn has_private_key(file: &[u8]) -> bool {
    let label = b"PRIVATE KEY-----";
    file.windows(label.len()).any(|window| window == label)
}

/// True if the private key of a file is encrypted.
#[must_use]
pub fn is_encrypted(path: &Path, file: &[u8]) -> bool {
    matches!(private_key(path, file), Err(Error::EncryptedKey { .. }))
}

/// All certificates of a file, at least one.
///
/// Fails with [`Error::BadPem`], and with [`Error::MissingPem`] if there is none.
pub fn certificates(path: &Path, file: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    dc_core::pem::certificates(file).map_err(at(path))
}

/// The one private key of a file, whatever else is in it.
///
/// Fails with [`Error::BadPem`], [`Error::EncryptedKey`] and [`Error::MissingPem`].
pub fn private_key(path: &Path, file: &[u8]) -> Result<Zeroizing<PrivateKeyDer<'static>>, Error> {
    dc_core::pem::private_key(file)
        .map(Zeroizing::new)
        .map_err(at(path))
}

/// The one certificate signing request of a file; fails as [`certificates`] does.
pub fn request(path: &Path, file: &[u8]) -> Result<CertificateSigningRequestDer<'static>, Error> {
    dc_core::pem::request(file).map_err(at(path))
}

/// The one public key of a file; fails as [`certificates`] does.
pub fn public_key(path: &Path, file: &[u8]) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    dc_core::pem::public_key(file).map_err(at(path))
}

/// The error about the PEM in the file at `path`.
pub fn at(path: &Path) -> impl Fn(dc_core::Error) -> Error {
    let encrypted = dc_core::PemFault::Encrypted;
    move |source| {
        let path = path.into();
        match source {
            dc_core::Error::MissingPem { label } => Error::MissingPem { path, label },
            dc_core::Error::MalformedPem { fault, .. } if fault == encrypted => {
                Error::EncryptedKey { path }
            }
            source => Error::BadPem { path, source },
        }
    }
}

/// One block with lines of 64 columns.
pub fn encode(label: &'static str, der: &[u8]) -> String {
    der::pem::encode_string(label, LineEnding::LF, der)
        .expect("our labels are ASCII, and what was read from a file fits in memory as base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
        super::certificates("chain.pem".as_ref(), file.as_bytes())
    }

    #[test]
    fn reads_what_it_writes_among_other_blocks() {
        let file = [
            "notes\n",
            &encode("CERTIFICATE", b"one"),
            &encode("PUBLIC KEY", b"key"),
            &encode("CERTIFICATE", b"two"),
        ]
        .concat();
        let found = certificates(&file).unwrap();
        assert_eq!(found, [b"one"[..].into(), b"two"[..].into()]);
    }

    #[test]
    fn an_unfinished_block_and_broken_base64_are_named() {
        let whole = encode("CERTIFICATE", b"one");
        for file in [&whole[..whole.len() - 8], &whole.replace("b25l", "b25!")] {
            let error = certificates(file).unwrap_err();
            assert!(matches!(error, Error::BadPem { .. }), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_file_without_the_block_is_named() {
        for file in ["", "garbage", &encode("PUBLIC KEY", b"key")] {
            let error = certificates(file).unwrap_err();
            assert!(matches!(error, Error::MissingPem { .. }), "{error}");
        }
    }
}
