//! The parts of a data folder.

use std::path::{Path, PathBuf};

/// The part of a data folder with its delegation certificates and keys, each in a folder named after the certificate's
/// SHA-256.
pub(crate) fn delegations_folder(data: &Path) -> PathBuf {
    data.join("delegations")
}

/// The part with the accounts at ACME servers, each in a folder named after the server and the customer.
pub(crate) fn accounts_folder(data: &Path) -> PathBuf {
    data.join("acme")
}

/// The file in an account's folder with its key.
pub(crate) const ACCOUNT: &str = "account.json";
