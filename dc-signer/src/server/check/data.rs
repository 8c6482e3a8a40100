//! The data folder as the service will find it: whether whoever runs this can read and write what is there.

use std::fs;
use std::path::Path;

use nix::unistd::{AccessFlags, eaccess};

use super::Findings;
use crate::authority::{self, Secrets, delegations_folder};
use crate::config::Config;
use dc_core::Role;
use dc_pki::delegation::has_key;
use dc_pki::keys::Unlock;
use dc_pki::{Delegation, files};

/// Checks that it is no file.
pub(super) fn is_folder(config: &Config, found: &mut Findings<'_>) {
    let is_link = fs::symlink_metadata(&config.data).is_ok();
    if is_link && matches!(fs::exists(&config.data), Ok(false)) {
        found.add(
            &["data".into()],
            "it is a link to a folder that is not there: make that, or remove the link".to_owned(),
        );
    }
    if config.data.exists() && !config.data.is_dir() {
        found.add(
            &["data".into()],
            "it is a file, and has to be a folder".to_owned(),
        );
    }
}

/// Looks at the folder; missing parts are made when the service starts.
pub(super) fn look(config: &Config, found: &mut Findings<'_>) {
    let data = &config.data;
    let there = found.keep(&["data".into()], files::is_there(data));
    is_folder(config, found);
    if there != Some(true) || !data.is_dir() {
        return;
    }
    found.keep(&["data".into()], may_write(data));
    let database = dc_store::check_permissions(&config.database);
    found.keep(&["data".into()], database);
    found.keep(&["data".into()], look_at_secrets(data));
    let delegations = delegations_folder(data);
    let folders = found.keep(&["data".into()], folders(&delegations));
    for folder in folders.unwrap_or_default() {
        let key = delegations.join(folder);
        found.keep(&["data".into()], look_at_key(&key, &config.keys.unlock));
    }
}

fn may_write(folder: &Path) -> Result<(), dc_pki::Error> {
    let all = AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK;
    eaccess(folder, all).map_err(|error| files::write_failed(folder)(error.into()))
}

fn look_at_secrets(data: &Path) -> Result<(), authority::Error> {
    match files::is_there(&Secrets::folder(data))? {
        true => Ok(Secrets::open(data, false).map(|_| ())?),
        false => Ok(()),
    }
}

fn folders(delegations: &Path) -> Result<Vec<std::ffi::OsString>, dc_pki::Error> {
    if !files::is_there(delegations)? {
        return Ok(Vec::new());
    }
    let failed = |source| files::read_failed(delegations, source);
    let entries = fs::read_dir(delegations).map_err(failed)?;
    entries
        .map(|entry| entry.map(|entry| entry.file_name()).map_err(failed))
        .collect()
}

/// The key of a certificate that is over is not there any more.
fn look_at_key(folder: &Path, unlock: &Unlock) -> Result<(), dc_pki::Error> {
    match has_key(folder)? {
        true => Delegation::load_with(folder, Role::Server, unlock).map(|_| ()),
        false => Ok(()),
    }
}
