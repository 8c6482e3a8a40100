//! A walk through the audit log, beside its checkpoints.

use std::vec;

use dc_evidence::{Checkpoint, Frontier};

use crate::Error;
use crate::registry::Record;

use super::findings::Found;

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
    pub(super) fn new(mut checkpoints: Vec<Checkpoint>, found: &mut Found) -> Self {
        checkpoints.sort_by_key(Checkpoint::size);
        let mut checkpoints = checkpoints.into_iter();
        let mut witnessed = Self {
            tree: Frontier::new(),
            next: checkpoints.next(),
            checkpoints,
            after: 0,
        };
        witnessed.compare(found);
        witnessed
    }

    /// Goes on behind a part of the log that is not here; checkpoints within it say nothing that could be compared.
    pub(super) fn skip(&mut self, tree: &Frontier, found: &mut Found) {
        let size = tree.size();
        while self.next.take_if(|next| next.size() < size).is_some() {
            self.next = self.checkpoints.next();
        }
        self.tree = tree.clone();
        self.compare(found);
    }

    /// Compares nothing more: a record is missing, or not the one that belongs there.
    pub(super) fn give_up(&mut self) {
        self.next = None;
    }

    pub(super) fn follow(&mut self, record: &Record, found: &mut Found) {
        if self.next.is_none() {
            return;
        }
        self.tree.push(record.leaf());
        self.compare(found);
    }

    fn compare(&mut self, found: &mut Found) {
        let (size, after) = (self.tree.size(), self.after);
        while let Some(next) = self.next.take_if(|next| next.size() == size) {
            if *next.root() != self.tree.root() {
                found.add(Error::Rewritten { after, size });
                // So is each later one.
                return self.give_up();
            }
            (self.after, self.next) = (size, self.checkpoints.next());
        }
    }

    /// At the end of the log no checkpoint may be left.
    pub(super) fn end(self, found: &mut Found) {
        if let Some(next) = self.next {
            found.add(Error::Cut {
                size: next.size(),
                found: self.tree.size(),
            });
        }
    }
}
