//! An operator by the log, compared with the row.

use crate::Error;
use crate::registry::{Mismatch, Operator, Sha256};

/// An operator, as the log says.
#[derive(Default)]
pub(super) struct Noted {
    pub(super) seq: u64,
    /// The record for which they are kept out.
    pub(super) disabled_by: Option<u64>,
    /// None in older records, and if it is not known whether it was done here.
    pub(super) detail: Option<Sha256>,
}

impl Noted {
    /// Keeps them out as a restore did: but for a record that says what they are anyway.
    pub(super) fn keep_out(&mut self, seq: u64, changed_to: Option<Sha256>) {
        let is_other = |detail| changed_to != Some(detail);
        // Of an older record nobody knows what it said.
        if self.detail.map_or_else(|| changed_to.is_none(), is_other) {
            self.disabled_by.get_or_insert(seq);
        }
    }

    pub(super) fn check(&self, operator: Operator) -> Result<(), Error> {
        let (seq, name) = (self.seq, operator.name.to_string());
        if let Some(seq) = self.disabled_by.filter(|_| !operator.disabled) {
            return Err(Mismatch::OperatorEnabled { name, seq }.into());
        }
        // Disabling may have changed that alone, or nothing.
        let enabled = Operator {
            disabled: false,
            ..operator.clone()
        };
        let is_it = |detail| {
            let is_disabled = self.disabled_by.is_some();
            detail == operator.commitment() || is_disabled && detail == enabled.commitment()
        };
        match self.detail.is_none_or(is_it) {
            true => Ok(()),
            false => Err(Mismatch::OperatorChanged { name, seq }.into()),
        }
    }
}
