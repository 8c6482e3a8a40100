//! Sealing everything with another key-encryption key.

use dc_pki::delegation::{KEY, file_of_place};
use dc_pki::sealing::{Sealed, Which};
use dc_store::registry::{Action, SharedDelegation, SharedSecret};
use dc_store::{Act, Replica, SecretChange, Store};

use super::super::same_node::called;
use super::super::{Error, SetupError};
use super::keyring::sealing_failed;
use super::open::{Open, Vault, all_sealed};
use crate::config::Config;

/// Seals all that is sealed in the database with one of the two key-encryption keys; says how many secrets and delegation keys
/// were sealed with another one.
///
/// Fails with [`SetupError::NotSealed`], [`SetupError::NoKeyGiven`], [`SetupError::SealingKey`] if the key is not given,
/// [`SetupError::SameKeys`] if both are one,
/// [`SetupError::Sealed`] if something is sealed with neither, and [`SetupError::SignersLackKey`] if a signer that runs has not got the
/// key, unless `leave_out`.
pub async fn reseal(
    config: &Config,
    store: &Store,
    which: Which,
    leave_out: bool,
    by: &Act,
) -> Result<(usize, usize), Error> {
    let open = Open::sealed(config, store).await?;
    if let Which::Next = which {
        are_two(&open).await?;
    }
    let (before, shared) = (open.before.clone(), store.shared_delegations().await?);
    let sealing = move |vault: &Vault| seal_all(vault, which, &before, &shared);
    let (secrets, after, delegations) = open.run(sealing).await?;
    let done = (secrets, delegations.len());
    if done != (0, 0) {
        if !leave_out {
            all_have(&open, which, by).await?;
        }
        let change = SecretChange {
            before: open.before.clone(),
            after,
            delegations,
            without: Vec::new(),
            records: vec![(Action::ResealSecrets, None)],
        };
        store.change_secrets(&change, by).await?;
    }
    Ok(done)
}

/// Fails if the next key is the present one.
async fn are_two(open: &Open<'_>) -> Result<(), Error> {
    let tenant = open.config.tenant.clone();
    let marking = move |vault: &Vault| {
        let mark = |which| vault.keys.mark(which, &tenant).map_err(sealing_failed);
        match mark(Which::Current)? == mark(Which::Next)? {
            true => Err(SetupError::SameKeys.into()),
            false => Ok(()),
        }
    };
    open.run(marking).await
}

/// Fails if a signer that runs could not open what is sealed with this key.
async fn all_have(open: &Open<'_>, which: Which, by: &Act) -> Result<(), Error> {
    let tenant = open.config.tenant.clone();
    let marking = move |vault: &Vault| {
        let mark = vault.keys.mark(which, &tenant);
        Ok(*mark.map_err(sealing_failed)?.as_bytes())
    };
    let mark = open.run(marking).await?;
    let replicas = open.store.replicas(by.at).await?;
    let lacks = |replica: &&Replica| replica.live && !replica.sealing.contains(&mark);
    let nodes: Vec<String> = replicas
        .iter()
        .filter(lacks)
        .map(|replica| called(replica, &replicas))
        .collect();
    match nodes.is_empty() {
        true => Ok(()),
        false => Err(SetupError::SignersLackKey { nodes, which }.into()),
    }
}

/// The number of secrets that were sealed with another key than this one, all secrets sealed with it, and those delegation keys that were
/// sealed with another one.
fn seal_all(
    vault: &Vault,
    which: Which,
    before: &[SharedSecret],
    shared: &[SharedDelegation],
) -> Result<(usize, Vec<SharedSecret>, Vec<SharedDelegation>), Error> {
    let sealed = shared.iter().filter_map(|one| one.sealed.as_deref());
    let sealed: Vec<&[u8]> = all_sealed(before).chain(sealed).collect();
    let key = vault.keys.key(which, &sealed).map_err(sealing_failed)?;
    let is_other =
        |sealed: &[u8]| Sealed::parse(sealed).map_or(true, |sealed| sealed.key() != key.id());
    let (mut after, mut secrets) = (Vec::new(), 0);
    for row in before {
        if !row.sealed.as_deref().is_some_and(is_other) {
            after.push(row.clone());
            continue;
        }
        let opened = vault.places().open(std::slice::from_ref(row), &[])?;
        let secret = opened.first().ok_or(SetupError::NotSealed)?;
        after.push(vault.seal_row(&key, row, &secret.secret)?);
        secrets += 1;
    }
    let mut delegations = Vec::new();
    for one in shared {
        if one.sealed.as_deref().is_some_and(is_other) {
            let contents = vault.open_delegation(one)?;
            let name = one.location.as_deref().map_or(KEY, file_of_place);
            let sha256 = one.certificate_sha256;
            delegations.push(vault.share_delegation(
                &key,
                sha256,
                &one.chain,
                (name, &contents),
            )?);
        }
    }
    Ok((secrets, after, delegations))
}
