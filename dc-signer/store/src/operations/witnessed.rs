//! A walk through the audit log, beside its checkpoints.

use std::vec;

use dc_evidence::{Checkpoint, Frontier};

use crate::Error;
use crate::registry::Record;

/// How far a walk through the audit log is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Walked {
    /// The records so far.
    pub records: u64,
    /// All of them.
    pub of: u64,
}

/// Is told how far a walk is.
pub type Progress<'a> = &'a (dyn Fn(Walked) + Send + Sync);

/// A walk that passes the places of which there are checkpoints.
pub(super) struct Witnessed {
    tree: Frontier,
    checkpoints: vec::IntoIter<Checkpoint>,
    next: Option<Checkpoint>,
    /// The size of the last one that was right.
    after: u64,
}

impl Witnessed {
    pub(super) fn new(mut checkpoints: Vec<Checkpoint>) -> Result<Self, Error> {
        checkpoints.sort_by_key(Checkpoint::size);
        let mut checkpoints = checkpoints.into_iter();
        let mut witnessed = Self {
            tree: Frontier::new(),
            next: checkpoints.next(),
            checkpoints,
            after: 0,
        };
        witnessed.compare()?;
        Ok(witnessed)
    }

    /// Goes on behind a part of the log that is not here; checkpoints within it say nothing that could be compared.
    pub(super) fn skip(&mut self, tree: &Frontier) -> Result<(), Error> {
        let size = tree.size();
        while self.next.take_if(|next| next.size() < size).is_some() {
            self.next = self.checkpoints.next();
        }
        self.tree = tree.clone();
        self.compare()
    }

    pub(super) fn follow(&mut self, record: &Record) -> Result<(), Error> {
        if self.next.is_none() {
            return Ok(());
        }
        self.tree.push(record.leaf());
        self.compare()
    }

    fn compare(&mut self) -> Result<(), Error> {
        let (size, after) = (self.tree.size(), self.after);
        while let Some(next) = self.next.take_if(|next| next.size() == size) {
            if *next.root() != self.tree.root() {
                return Err(Error::Rewritten { after, size });
            }
            (self.after, self.next) = (size, self.checkpoints.next());
        }
        Ok(())
    }

    /// At the end of the log no checkpoint may be left.
    pub(super) fn end(self) -> Result<(), Error> {
        let found = self.tree.size();
        match self.next {
            Some(next) => Err(Error::Cut {
                size: next.size(),
                found,
            }),
            None => Ok(()),
        }
    }
}
