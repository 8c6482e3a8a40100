//! The parts of a data folder.

use std::path::{Path, PathBuf};

/// The part of a data folder with its delegation certificates and keys, each in a folder named after the certificate's
/// SHA-256.
pub(crate) fn delegations_folder(data: &Path) -> PathBuf {
    data.join("delegations")
}
