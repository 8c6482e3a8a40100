//! Sealing what is in a data folder into the database.

use std::path::PathBuf;
use std::sync::Arc;

use dc_pki::delegation::{CHAIN, KEY, has_key, key_file};
use dc_pki::files;
use dc_pki::sealing::{SealingKey, Which};
use dc_store::registry::{Action, DelegationState, SharedDelegation, SharedSecret};
use dc_store::{Act, SecretChange, Store};

use super::super::{Error, delegation_folder};
use super::Secrets;
use super::keyring::sealing_failed;
use super::open::{Open, Vault, all_sealed};
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
    let before = open.before.clone();
    let (after, mut records) = open.run(move |vault| seal_rows(vault, &before)).await?;
    let (delegations, folders) = share_folder(&open, &after).await?;
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

/// The key that more is sealed with.
fn key(vault: &Vault, before: &[SharedSecret]) -> Result<Arc<SealingKey>, Error> {
    let key = match all_sealed(before).next() {
        Some(sealed) => vault.keys.key_of(sealed),
        None => vault.keys.key(Which::Current, &[]),
    };
    key.map_err(sealing_failed)
}

/// All secrets with those sealed that were not, and the records of these.
fn seal_rows(
    vault: &Vault,
    before: &[SharedSecret],
) -> Result<(Vec<SharedSecret>, Records), Error> {
    let versions = vault.places().open(before, &[])?;
    let key = key(vault, before)?;
    let (mut after, mut records) = (Vec::new(), Vec::new());
    for row in before {
        let version = versions
            .iter()
            .find(|v| v.purpose == row.purpose && v.version == row.version);
        match (&row.sealed, version) {
            (None, Some(version)) => {
                let sealed = vault.seal_row(&key, row, &version.secret)?;
                records.push((Action::SealSecrets, Some(sealed.clone())));
                after.push(sealed);
            }
            _ => after.push(row.clone()),
        }
    }
    Ok((after, records))
}

type Records = Vec<(Action, Option<SharedSecret>)>;

/// The delegation certificates of the data folder that are used and not shared yet, sealed with the key of the secrets; and the folders
/// of all that are used.
async fn share_folder(
    open: &Open<'_>,
    secrets: &[SharedSecret],
) -> Result<(Vec<SharedDelegation>, Vec<PathBuf>), Error> {
    let (mut found, mut folders) = (Vec::new(), Vec::new());
    for zone in open.store.zones().await? {
        for slot in zone.delegations {
            let sha256 = slot.certificate_sha256;
            let folder = delegation_folder(&open.config.data, &sha256);
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
            found.push((sha256, chain, name, contents));
        }
    }
    if found.is_empty() {
        return Ok((Vec::new(), folders));
    }
    let secrets = secrets.to_vec();
    let sealing = move |vault: &Vault| {
        let key = key(vault, &secrets)?;
        { found.iter() }
            .map(|(sha256, chain, name, contents)| {
                vault.share_delegation(&key, *sha256, chain, (name, contents))
            })
            .collect()
    };
    Ok((open.run(sealing).await?, folders))
}

/// Removes files once the database has been read again and opens.
async fn remove_sealed(
    config: &Config,
    store: &Store,
    folders: Vec<PathBuf>,
) -> Result<Vec<PathBuf>, Error> {
    let open = Open::sealed(config, store).await?;
    let (before, shared) = (open.before.clone(), store.shared_delegations().await?);
    let opening = move |vault: &Vault| {
        for row in &before {
            vault.places().open(std::slice::from_ref(row), &[])?;
        }
        shared
            .iter()
            .try_for_each(|one| vault.open_delegation(one).map(|_| ()))
    };
    open.run(opening).await?;
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
