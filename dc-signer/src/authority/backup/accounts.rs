//! The accounts at CAs in a backup.

use std::ffi::OsString;
use std::path::Path;

use super::Error;
use super::copy::{Side, copy_file, list, make_new_folder};
use crate::authority::error::PkiError;
use crate::authority::folders::{ACCOUNT, accounts_folder};
use dc_pki::files;

/// Copies the accounts at CAs, without the orders that they have in progress, whose keys are not in a backup.
pub(super) fn copy_to(data: &Path, to: &Path) -> Result<(), Error> {
    let accounts = accounts(data)?;
    if accounts.is_empty() {
        return Ok(());
    }
    let folder = accounts_folder(to);
    Side::Outside.act(|| make_new_folder(&folder))?;
    for name in accounts {
        let account = folder.join(&name);
        Side::Outside.act(|| make_new_folder(&account))?;
        let from = accounts_folder(data).join(&name).join(ACCOUNT);
        copy_file((Side::Data, &from), (Side::Outside, &account.join(ACCOUNT)))?;
    }
    Side::Outside.act(|| files::sync(&folder))
}

/// The names of the folders in a data folder that have an account at a CA.
///
/// Fails with [`PkiError::Read`].
pub fn accounts(data: &Path) -> Result<Vec<OsString>, PkiError> {
    let folder = accounts_folder(data);
    let mut accounts = Vec::new();
    if !files::is_there(&folder)? {
        return Ok(accounts);
    }
    for (name, is_folder) in list(&folder)? {
        if is_folder && files::is_there(&folder.join(&name).join(ACCOUNT))? {
            accounts.push(name);
        }
    }
    Ok(accounts)
}
