//! The secrets of a database with the keys that open them, for whoever changes them.

use std::path::PathBuf;
use std::sync::Arc;

use dc_pki::sealing::{SealingKey, SealingKeys};
use dc_store::registry::{Action, Sha256, SharedDelegation, SharedSecret};
use dc_store::{Act, SecretChange, Store};
use zeroize::Zeroizing;

use super::super::blocking::Blocking;
use super::super::{Error, SetupError};
use super::delegations;
use super::keyring::{sealing_failed, sealing_keys};
use super::versions::{Places, what};
use crate::config::Config;

/// The secrets of a database and the keys that open them.
pub(super) struct Open<'a> {
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) before: Vec<SharedSecret>,
    vault: Vault,
}

impl<'a> Open<'a> {
    /// Fails with [`SetupError::NoKeyGiven`] without a key-encryption key, and with what reading it fails with.
    pub(super) async fn new(config: &'a Config, store: &'a Store) -> Result<Self, Error> {
        let keys = sealing_keys(config).await?;
        Ok(Self {
            config,
            store,
            before: store.secrets().await?,
            vault: Vault {
                keys: keys.ok_or(SetupError::NoKeyGiven)?,
                tenant: config.tenant.clone(),
                data: config.data.clone(),
            },
        })
    }

    /// The same of a database whose secrets are sealed in it.
    ///
    /// Fails with [`SetupError::NotSealed`] too.
    pub(super) async fn sealed(config: &'a Config, store: &'a Store) -> Result<Self, Error> {
        let open = Self::new(config, store).await?;
        match !open.before.is_empty() && open.before.iter().all(|row| row.sealed.is_some()) {
            true => Ok(open),
            false => Err(SetupError::NotSealed.into()),
        }
    }

    /// Seals and opens off the threads that answer, because a token may have the key.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let vault = self.vault.clone();
        Blocking::one().run(move || work(&vault)).await?
    }

    pub(super) async fn change(
        &self,
        after: Vec<SharedSecret>,
        records: Vec<(Action, Option<SharedSecret>)>,
        by: &Act,
    ) -> Result<(), Error> {
        let change = SecretChange {
            before: self.before.clone(),
            after,
            delegations: Vec::new(),
            without: Vec::new(),
            records,
        };
        Ok(self.store.change_secrets(&change, by).await?)
    }
}

/// The keys, and what is sealed with them besides the secrets themselves.
#[derive(Clone)]
pub(super) struct Vault {
    pub(super) keys: Arc<SealingKeys>,
    tenant: String,
    data: PathBuf,
}

impl Vault {
    pub(super) fn places(&self) -> Places<'_> {
        Places {
            sealing: Some(&self.keys),
            tenant: &self.tenant,
            data: &self.data,
        }
    }

    pub(super) fn seal_row(
        &self,
        key: &SealingKey,
        row: &SharedSecret,
        secret: &[u8],
    ) -> Result<SharedSecret, Error> {
        let what = what(row.purpose);
        let places = self.places();
        let sealed = key.seal(&places.label(&what, row.version), secret);
        Ok(SharedSecret {
            sealed: Some(sealed.map_err(sealing_failed)?),
            ..row.clone()
        })
    }

    pub(super) fn share_delegation(
        &self,
        key: &SealingKey,
        certificate_sha256: Sha256,
        chain: &[u8],
        file: (&str, &[u8]),
    ) -> Result<SharedDelegation, Error> {
        delegations::share(key, &self.tenant, certificate_sha256, chain, file)
    }

    pub(super) fn open_delegation(
        &self,
        shared: &SharedDelegation,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        delegations::open(shared, &self.keys, &self.tenant)
    }

    /// The key that these are sealed with.
    pub(super) fn key(&self, rows: &[SharedSecret]) -> Result<Arc<SealingKey>, Error> {
        let sealed = all_sealed(rows).next().ok_or(SetupError::NotSealed)?;
        self.keys.key_of(sealed).map_err(sealing_failed)
    }
}

/// All of these that is sealed.
pub(super) fn all_sealed(rows: &[SharedSecret]) -> impl Iterator<Item = &[u8]> {
    rows.iter().filter_map(|row| row.sealed.as_deref())
}
