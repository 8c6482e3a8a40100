//! The secrets of a database with the keys that open them, for whoever changes them.

use std::sync::Arc;

use dc_pki::sealing::{SealingKey, SealingKeys};
use dc_store::registry::{Action, Sha256, SharedDelegation, SharedSecret};
use dc_store::{Act, SecretChange, Store};
use zeroize::Zeroizing;

use super::super::{Error, SetupError};
use super::keyring::{sealing_failed, sealing_keys};
use super::versions::{Places, check_place, delegation_label, what};
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

    pub(super) fn seal_delegation(
        &self,
        key: &SealingKey,
        (sha256, is_place): (&Sha256, bool),
        contents: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let what = delegation_label(sha256, is_place);
        let sealed = key.seal(&self.places().label(&what, 1), contents);
        sealed.map_err(sealing_failed)
    }

    pub(super) fn open_delegation(
        &self,
        shared: &SharedDelegation,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let what = delegation_label(&shared.certificate_sha256, shared.location.is_some());
        let sealed = shared.sealed.as_deref().unwrap_or_default();
        let opened = self.keys.open(&self.places().label(&what, 1), sealed);
        let opened = opened.map_err(|source| SetupError::Sealed {
            what: what.clone(),
            source,
        })?;
        check_place(shared, what, &opened)?;
        Ok(opened)
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
