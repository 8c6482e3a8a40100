//! Sealing what is in a data folder into the database.

use std::path::PathBuf;

use dc_pki::delegation::{CHAIN, KEY, has_key, key_file};
use dc_pki::files;
use dc_pki::sealing::{SealingKey, Which};
use dc_store::registry::{Action, DelegationState, SharedDelegation};
use dc_store::{Act, SecretChange, Store};

use super::super::{Error, delegations_folder};
use super::Secrets;
use super::keyring::sealing_failed;
use super::open::Open;
use crate::config::Config;

/// The result of sealing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Secured {
    /// How many versions of secrets were sealed.
    pub secrets: usize,
    /// How many delegation certificates are shared that were not before.
    pub delegations: usize,
    /// The files that were removed because what was in them is in the database.
    pub removed: Vec<PathBuf>,
}

/// Seals the secrets and delegation keys of the data folder into the database, and removes the files then, unless `keep`.
///
/// Doing it again seals what is not sealed yet. Fails with [`SetupError::NoKeyGiven`](crate::authority::SetupError::NoKeyGiven), as
/// [`Authority::open`](crate::authority::Authority::open) does, and with what reading files fails with; then nothing was removed.
pub async fn seal(config: &Config, store: &Store, keep: bool, by: &Act) -> Result<Secured, Error> {
    let mut open = Open::new(config, store).await?;
    if open.before.iter().any(|row| row.sealed.is_none()) || open.before.is_empty() {
        open.before = Secrets::of_database(&config.data, store, false, by.at)
            .await?
            .1;
    }
    let versions = open.places().open(&open.before, &[])?;
    let key = match open.all_sealed().next() {
        Some(sealed) => open.keys.key_of(sealed),
        None => open.keys.key(Which::Current, &[]),
    };
    let key = key.map_err(sealing_failed)?;
    let (mut after, mut records) = (Vec::new(), Vec::new());
    for row in &open.before {
        let version = versions
            .iter()
            .find(|v| v.purpose == row.purpose && v.version == row.version);
        match (&row.sealed, version) {
            (None, Some(version)) => {
                let sealed = open.seal_row(&key, row, &version.secret)?;
                records.push((Action::SealSecrets, Some(sealed.clone())));
                after.push(sealed);
            }
            _ => after.push(row.clone()),
        }
    }
    let (delegations, folders) = share_folder(&open, &key).await?;
    let (secrets, count) = (records.len(), delegations.len());
    if count > 0 && records.is_empty() {
        records.push((Action::SealSecrets, None));
    }
    if !records.is_empty() {
        let change = SecretChange {
            before: open.before.clone(),
            after,
            delegations,
            without: Vec::new(),
            records,
        };
        store.change_secrets(&change, by).await?;
    }
    let removed = match keep {
        true => Vec::new(),
        false => remove_sealed(config, store, folders).await?,
    };
    Ok(Secured {
        secrets,
        delegations: count,
        removed,
    })
}

/// The delegation certificates of the data folder that are used and not shared yet, sealed; and the folders of all that are used.
async fn share_folder(
    open: &Open<'_>,
    key: &SealingKey,
) -> Result<(Vec<SharedDelegation>, Vec<PathBuf>), Error> {
    let (mut delegations, mut folders) = (Vec::new(), Vec::new());
    for zone in open.store.zones().await? {
        for slot in zone.delegations {
            let sha256 = slot.certificate_sha256;
            let folder = delegations_folder(&open.config.data).join(sha256.to_string());
            if slot.state == DelegationState::Gone || !has_key(&folder)? {
                continue;
            }
            folders.push(folder.clone());
            if open.store.shared_delegation(&sha256).await?.is_some() {
                continue;
            }
            let name = key_file(&folder)?;
            let contents = files::read(&folder.join(name))?;
            let chain = files::read(&folder.join(CHAIN))?;
            delegations.push(open.share_delegation(key, sha256, &chain, (name, &contents))?);
        }
    }
    Ok((delegations, folders))
}

/// Removes files once the database has been read again and opens.
async fn remove_sealed(
    config: &Config,
    store: &Store,
    folders: Vec<PathBuf>,
) -> Result<Vec<PathBuf>, Error> {
    let open = Open::sealed(config, store).await?;
    for row in &open.before {
        open.places().open(std::slice::from_ref(row), &[])?;
    }
    for shared in store.shared_delegations().await? {
        open.open_delegation(&shared)?;
    }
    let secrets = Secrets::folder(&config.data);
    let secrets = Secrets::FILES.map(|name| secrets.join(name));
    let keys = folders.iter().map(|folder| folder.join(KEY));
    let mut removed = Vec::new();
    for path in secrets.into_iter().chain(keys) {
        if files::is_there(&path)? {
            files::remove(&path)?;
            removed.push(path);
        }
    }
    let folder = Secrets::folder(&config.data);
    if files::is_there(&folder)? {
        // Something else may be in it.
        let _ = std::fs::remove_dir(&folder);
    }
    Ok(removed)
}
