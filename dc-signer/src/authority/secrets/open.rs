//! The secrets of a database with the keys that open them, for whoever changes them.

use std::sync::Arc;

use dc_pki::sealing::{SealingKey, SealingKeys};
use dc_store::registry::{Action, Sha256, SharedDelegation, SharedSecret};
use dc_store::{Act, SecretChange, Store};
use zeroize::Zeroizing;

use super::super::{Error, SetupError};
use super::delegations;
use super::keyring::{sealing_failed, sealing_keys};
use super::versions::{Places, what};
use crate::config::Config;

/// The secrets of a database and the keys that open them.
pub(super) struct Open<'a> {
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) keys: Arc<SealingKeys>,
    pub(super) before: Vec<SharedSecret>,
}

impl<'a> Open<'a> {
    /// Fails with [`SetupError::NoKeyGiven`] without a key-encryption key, and with what reading it fails with.
    pub(super) async fn new(config: &'a Config, store: &'a Store) -> Result<Self, Error> {
        Ok(Self {
            config,
            store,
            keys: sealing_keys(config)?.ok_or(SetupError::NoKeyGiven)?,
            before: store.secrets().await?,
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

    pub(super) fn places(&self) -> Places<'_> {
        Places {
            sealing: Some(&self.keys),
            tenant: &self.config.tenant,
            data: &self.config.data,
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
        let tenant = &self.config.tenant;
        delegations::share(key, tenant, certificate_sha256, chain, file)
    }

    pub(super) fn open_delegation(
        &self,
        shared: &SharedDelegation,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        delegations::open(shared, &self.keys, &self.config.tenant)
    }

    /// All that is sealed.
    pub(super) fn all_sealed(&self) -> impl Iterator<Item = &[u8]> {
        self.before.iter().filter_map(|row| row.sealed.as_deref())
    }

    /// The key that the secrets are sealed with.
    pub(super) fn key(&self) -> Result<Arc<SealingKey>, Error> {
        let sealed = self.all_sealed().next().ok_or(SetupError::NotSealed)?;
        self.keys.key_of(sealed).map_err(sealing_failed)
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
