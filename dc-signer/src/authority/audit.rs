//! The audit log as operators read it.

use dc_store::registry::Record;
use dc_store::{AuditFilter, AuditPage, AuditTree};

use super::{Authority, Error};

impl Authority {
    /// Records that fit, oldest first: those behind a record, at most `limit`.
    ///
    /// Fails with [`Error::Store`].
    pub async fn find_records(
        &self,
        filter: &AuditFilter,
        after: u64,
        limit: u32,
    ) -> Result<AuditPage, Error> {
        let store = self.store.pages().await;
        Ok(store.find_records(filter, after, limit).await?)
    }

    /// The same, newest first: those before a record, or the newest.
    ///
    /// Fails with [`Error::Store`].
    pub async fn find_records_before(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<AuditPage, Error> {
        let store = self.store.pages().await;
        Ok(store.find_records_before(filter, before, limit).await?)
    }

    /// The number of the last record.
    ///
    /// Fails with [`Error::Store`].
    pub async fn last_record(&self) -> Result<u64, Error> {
        Ok(self.store.audit_head().await?.seq)
    }

    /// The Merkle tree over the first records, at most so many.
    ///
    /// Fails with [`Error::Store`], also if some behind them are in archives.
    pub async fn audit_tree(&self, size: u64) -> Result<AuditTree, Error> {
        let base = self.store.archived_tree().await?;
        let last = base.head().seq;
        match last <= size {
            true => Ok(self.store.grow_audit_tree_to(&base, size).await?),
            false => Err(dc_store::Error::Archived { last }.into()),
        }
    }

    /// Records from a number on, at most `limit`.
    ///
    /// Fails with [`Error::Store`].
    pub async fn records_from(&self, seq: u64, limit: u32) -> Result<Vec<Record>, Error> {
        // None may be missing because a replica does not have it yet.
        let last = seq.saturating_add(u64::from(limit)).saturating_sub(1);
        let store = self.store.pages_with(last).await;
        Ok(store.audit_from(seq, limit).await?)
    }
}
