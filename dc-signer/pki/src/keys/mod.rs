//! The keys of delegation certificates, one kind of store a file.

mod fault;
mod pem_file;
mod timing;

use std::path::Path;

use pki_types::PrivateKeyDer;

use crate::error::Error;

pub use fault::KeyFault;
pub use pem_file::PemKey;
pub use timing::Timing;

/// Why the key in this file, which nothing here can sign with, is not taken.
pub fn unsupported(path: &Path, key: &PrivateKeyDer<'_>) -> Error {
    Error::UnsupportedKey {
        path: path.into(),
        fault: KeyFault::of_private(key).unwrap_or(KeyFault::Type),
    }
}
