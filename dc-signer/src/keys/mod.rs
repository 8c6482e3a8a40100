//! The keys of delegation certificates, one kind of store a file.

mod pem_file;
mod shape;
mod timing;

use std::path::Path;

use pki_types::PrivateKeyDer;

use crate::error::Error;

pub use pem_file::PemKey;
pub use shape::KeyShape;
pub use timing::Timing;

/// Why the key in this file, which nothing here can sign with, is not taken.
pub(crate) fn unsupported(path: &Path, key: &PrivateKeyDer<'_>) -> Error {
    let path = path.into();
    match KeyShape::of_private(key) {
        Some(shape) => Error::UnusualKey { path, shape },
        None => Error::UnsupportedKey { path },
    }
}
