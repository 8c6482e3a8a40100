//! PEM files in and out.

use std::path::Path;

use der::pem::LineEnding;
use pki_types::pem::{self, PemObject};

use crate::error::Error;

/// Whether a file is PEM rather than DER.
pub(crate) fn is_pem(file: &[u8]) -> bool {
    contains(file, b"-----BEGIN ")
}

/// Whether a file has a private key in it, of whatever kind.
pub(crate) fn has_private_key(file: &[u8]) -> bool {
    contains(file, b"PRIVATE KEY-----")
}

/// Whether a file has a key in it that needs a passphrase: PKCS#8's way, or OpenSSL's older one.
pub(crate) fn is_encrypted(file: &[u8]) -> bool {
    contains(file, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || contains(file, b"4,ENCRYPTED")
}

fn contains(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|window| window == text)
}

/// The first block of one kind; others are skipped.
///
/// Fails with [`Error::BadPem`], and with [`Error::MissingPem`] if there is none.
pub(crate) fn first<T: PemObject>(
    path: &Path,
    file: &[u8],
    label: &'static str,
) -> Result<T, Error> {
    T::from_pem_slice(file).map_err(|source| explain(path, label, source))
}

/// All blocks of one kind, at least one; fails as [`first`] does.
pub(crate) fn all<T: PemObject>(
    path: &Path,
    file: &[u8],
    label: &'static str,
) -> Result<Vec<T>, Error> {
    let found: Result<Vec<T>, _> = T::pem_slice_iter(file).collect();
    match found {
        Ok(found) if found.is_empty() => Err(explain(path, label, pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(source) => Err(explain(path, label, source)),
    }
}

fn explain(path: &Path, label: &'static str, source: pem::Error) -> Error {
    let path = path.into();
    match source {
        pem::Error::NoItemsFound => Error::MissingPem { path, label },
        source => Error::BadPem { path, source },
    }
}

/// One block with lines of 64 columns.
pub(crate) fn encode(label: &'static str, der: &[u8]) -> String {
    der::pem::encode_string(label, LineEnding::LF, der)
        .expect("our labels are ASCII, and what was read from a file fits in memory as base64")
}

#[cfg(test)]
mod tests {
    use pki_types::CertificateDer;

    use super::*;

    fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
        all("chain.pem".as_ref(), file.as_bytes(), "CERTIFICATE")
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
