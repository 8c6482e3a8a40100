//! The parts of a data folder.

use std::path::{Path, PathBuf};

use dc_pki::files::{self, Access, NewFile};
use dc_store::registry::Sha256;

/// The part of a data folder with its delegation certificates and keys, each in a folder named after the certificate's
/// SHA-256.
pub(crate) fn delegations_folder(data: &Path) -> PathBuf {
    data.join("delegations")
}

/// The folder of one of them, whether it is there or not.
pub(crate) fn delegation_folder(data: &Path, certificate_sha256: &Sha256) -> PathBuf {
    delegations_folder(data).join(certificate_sha256.to_string())
}

/// Keeps a line of this signer's own in the folder of a delegation certificate, which is made for it. What cannot be kept is in the log
/// alone: nothing that a service does waits for it.
pub(super) fn keep_line(folder: &Path, name: &'static str, line: &str) {
    let text = format!("{line}\n");
    let new = NewFile {
        name,
        contents: text.as_bytes(),
        access: Access::Owner,
    };
    let kept = files::make_folder(folder, Access::Owner)
        .and_then(|()| files::stage(folder, &new))
        .and_then(files::Staged::replace);
    if let Err(error) = kept {
        tracing::debug!(%error, name, "a line about a delegation certificate is not kept");
    }
}

/// The line, if it was kept.
pub(super) fn kept_line(folder: &Path, name: &str) -> Option<String> {
    let read = files::read(&folder.join(name)).ok()?;
    Some(str::from_utf8(&read).ok()?.trim().to_owned())
}

/// The part with the accounts at ACME servers, each in a folder named after the server and the customer.
pub(crate) fn accounts_folder(data: &Path) -> PathBuf {
    data.join("acme")
}

/// The file in an account's folder with its key.
pub(crate) const ACCOUNT: &str = "account.json";
