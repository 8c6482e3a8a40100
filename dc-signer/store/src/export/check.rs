//! Checking a log record by record, with nothing but checkpoints of it.

use dc_evidence::Checkpoint;

use super::ExportError;
use crate::operations::Times;
use crate::registry::{Head, Record};
use crate::{AuditTree, StepsBack};

/// A walk through a log, whose right edge is all that it remembers.
#[derive(Debug)]
pub struct LogCheck {
    tree: AuditTree,
    has_begun: bool,
    has_checkpoints: bool,
    first: u64,
    checkpoints: std::iter::Peekable<std::vec::IntoIter<Checkpoint>>,
    compared: usize,
    covered: u64,
    times: Times,
}

/// The result of a walk in which nothing was wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checked {
    /// The number of the first record.
    pub first: u64,
    /// The last record.
    pub head: Head,
    /// How many checkpoints are of a place in it.
    pub compared: usize,
    /// Up to which record the log is as the last of those says; what is behind it is only chained.
    pub covered: u64,
    /// Where time goes back in it: nothing is wrong with the log, but a clock was.
    pub back: StepsBack,
}

impl LogCheck {
    /// With all checkpoints that there are, in any order.
    #[must_use]
    pub fn new(mut checkpoints: Vec<Checkpoint>) -> Self {
        checkpoints.sort_by_key(Checkpoint::size);
        Self {
            tree: AuditTree::EMPTY,
            has_begun: false,
            has_checkpoints: checkpoints.iter().any(|given| given.size() > 0),
            first: 1,
            checkpoints: checkpoints.into_iter().peekable(),
            compared: 0,
            covered: 0,
            times: Times::default(),
        }
    }

    /// Begins behind a tree, or goes on there if something was read before.
    ///
    /// An export's word on the log before it is believed only as far as a checkpoint of it, or of what comes next, agrees. Fails
    /// with [`ExportError::NotNext`], and as [`Self::follow`] does.
    pub fn begin(&mut self, after: &AuditTree) -> Result<(), ExportError> {
        if self.has_begun {
            return match self.tree == *after {
                true => Ok(()),
                false => Err(ExportError::NotNext {
                    expected: self.tree.head().seq,
                    found: after.head().seq,
                }),
            };
        }
        self.has_begun = true;
        let size = after.head().seq;
        self.first = size.saturating_add(1);
        while self
            .checkpoints
            .next_if(|next| next.size() < size)
            .is_some()
        {}
        self.tree = after.clone();
        self.compare()
    }

    /// Goes on to the next record.
    ///
    /// Fails with [`Error::Refused`](crate::Error::Refused) if it does not follow the one before, and with
    /// [`Error::Rewritten`](crate::Error::Rewritten) if the log up to it is not as a checkpoint says.
    pub fn follow(&mut self, record: &Record) -> Result<(), ExportError> {
        self.has_begun = true;
        self.tree.follow(record)?;
        self.times.follow(record);
        self.compare()
    }

    /// The log up to here.
    #[must_use]
    pub const fn tree(&self) -> &AuditTree {
        &self.tree
    }

    fn compare(&mut self) -> Result<(), ExportError> {
        let tree = self.tree.frontier();
        let size = tree.size();
        while let Some(next) = self.checkpoints.next_if(|next| next.size() == size) {
            if *next.root() != tree.root() {
                let after = self.covered;
                return Err(crate::Error::Rewritten { after, size }.into());
            }
            // One of nothing says nothing.
            if size > 0 {
                self.compared += 1;
            }
            self.covered = size;
        }
        Ok(())
    }

    /// The result.
    ///
    /// Fails with [`ExportError::Uncovered`] if there were checkpoints and none was of a record in it.
    pub fn end(self) -> Result<Checked, ExportError> {
        let (head, first) = (self.tree().head(), self.first);
        if self.has_checkpoints && self.covered < first && head.seq >= first {
            let last = head.seq;
            return Err(ExportError::Uncovered { first, last });
        }
        Ok(Checked {
            first,
            head,
            compared: self.compared,
            covered: self.covered,
            back: self.times.end(),
        })
    }
}
