//! The Merkle tree over the audit log: growing it, comparing it with checkpoints, and proofs of its records.
//!
//! No part of the tree is in the database, where whoever rewrites the log could rewrite it too: whoever signs checkpoints keeps
//! the right edge of the tree, and adds only the records that are new.

use std::ops::Range;

use dc_evidence::{Checkpoint, Frontier, Hash, Proven, consistency_ranges, inclusion_ranges};

use crate::connection::Session;
use crate::registry::{Head, Record};
use crate::{Error, Store};

use super::archives;
use super::audit::{self, AT_ONCE};

/// The tree over the records of an audit log up to one of them, of which only the right edge is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditTree {
    head: Head,
    tree: Frontier,
}

impl AuditTree {
    /// Of a log without records.
    pub const EMPTY: Self = Self {
        head: Head::EMPTY,
        tree: Frontier::new(),
    };

    /// Of a log with this end, from where it was kept.
    ///
    /// Fails with [`Error::Rewritten`] if the tree is not of as many records.
    pub fn new(head: Head, tree: Frontier) -> Result<Self, Error> {
        match head.seq == tree.size() {
            true => Ok(Self { head, tree }),
            false => Err(Error::Rewritten {
                after: 0,
                size: tree.size(),
            }),
        }
    }

    /// The last record.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The right edge of the tree.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.tree
    }

    pub(crate) fn follow(&mut self, record: &Record) -> Result<(), Error> {
        self.head.follow(record)?;
        self.tree.push(record.leaf());
        Ok(())
    }
}

impl Store {
    /// Adds the records of the audit log that are behind this tree, which may be none.
    ///
    /// It reads only those and the one before, so it notices a log that was cut or rewritten: each record has the hash of the
    /// one before. Fails with [`Error::Cut`] or [`Error::Rewritten`] if the log does not go on from where the tree ends, and as
    /// [`Self::verify_audit`] does.
    pub async fn grow_audit_tree(&self, tree: &AuditTree) -> Result<AuditTree, Error> {
        self.grow_audit_tree_to(tree, u64::MAX).await
    }

    /// The same, up to the record with this number at most: so whoever has to read a long log holds no snapshot for long, and
    /// can say how far it is.
    ///
    /// Fails as [`Self::grow_audit_tree`] does.
    pub async fn grow_audit_tree_to(
        &self,
        tree: &AuditTree,
        size: u64,
    ) -> Result<AuditTree, Error> {
        self.snapshot("grow_audit_tree", async |session| {
            let end = goes_on(session, tree).await?.min(size);
            let tree = begin(session, tree, end).await?;
            grow(session, tree, end, |_| ()).await
        })
        .await
    }

    /// The proof that the log with this size, or its end if that is before, begins with the tree (RFC 9162 §2.1.4), and the
    /// tree as large as that. It reads the records between.
    ///
    /// Fails as [`Self::grow_audit_tree`] does.
    pub async fn prove_growth(
        &self,
        tree: &AuditTree,
        size: u64,
    ) -> Result<(AuditTree, Vec<Hash>), Error> {
        self.snapshot("prove_growth", async |session| {
            let end = goes_on(session, tree).await?.min(size);
            let old = tree.head.seq;
            let ranges = consistency_ranges(old, end).unwrap_or_default();
            let part = |range: Range<u64>| {
                // What is before the end of the old tree is in what is kept of it.
                let part = tree.tree.part(&range).unwrap_or_default();
                (range, part)
            };
            let mut parts: Vec<(Range<u64>, Frontier)> = ranges.into_iter().map(part).collect();
            let begun = begin(session, tree, end).await?;
            let new = grow(session, begun, end, |record| {
                follow(&mut parts, record);
            });
            let new = new.await?;
            Ok((new, parts.iter().map(|(_, part)| part.root()).collect()))
        })
        .await
    }

    /// The record with a sequence number and the proof that it is in the log of this checkpoint, by which anybody with the log's
    /// key can see that: the extra data is what [`Record::encoded`] says.
    ///
    /// It reads the log up to the checkpoint once, 10,000 records at a time. Fails with [`Error::Cut`] if the log is shorter,
    /// with [`Error::Rewritten`] if it is not that of the checkpoint, and with [`Error::NotInCheckpoint`] if the record is behind
    /// it or is none.
    pub async fn prove_record(
        &self,
        seq: u64,
        checkpoint: &Checkpoint,
        note: &dc_evidence::Note,
    ) -> Result<Proven, Error> {
        self.snapshot("prove_record", async |session| {
            let size = checkpoint.size();
            let outside = Error::NotInCheckpoint { seq, size };
            let index = seq.checked_sub(1).ok_or_else(|| outside.clone())?;
            let ranges = inclusion_ranges(index, size).map_err(|_| outside)?;
            let base = archives::base(session).await?;
            let last = base.head.seq;
            // What is left of it are whole subtrees of the proof, unless the record is within it.
            let part = |range: Range<u64>| match base.tree.part(&range) {
                Ok(part) if seq > last => Ok((range, part)),
                _ => Err(Error::Archived { last }),
            };
            let mut proof = Proof {
                seq,
                record: None,
                parts: ranges.into_iter().map(part).collect::<Result<_, _>>()?,
            };
            let end = audit::end(session).await?.seq;
            if end < size {
                return Err(Error::Cut { size, found: end });
            }
            let mut tree = base.clone();
            while tree.head.seq < size {
                for record in next(session, &tree, size).await? {
                    tree.follow(&record)?;
                    proof.follow(record);
                }
            }
            let hashes: Vec<Hash> = proof.parts.iter().map(|(_, part)| part.root()).collect();
            match proof
                .record
                .filter(|_| tree.tree.root() == *checkpoint.root())
            {
                None => Err(Error::Rewritten { after: 0, size }),
                Some(record) => Ok(Proven {
                    extra: record.encoded(),
                    index,
                    hashes,
                    checkpoint: note.clone(),
                }),
            }
        })
        .await
    }
}

struct Proof {
    seq: u64,
    record: Option<Record>,
    /// The ranges whose roots are the proof, by index, with their trees.
    parts: Vec<(Range<u64>, Frontier)>,
}

impl Proof {
    fn follow(&mut self, record: Record) {
        follow(&mut self.parts, &record);
        if record.seq == self.seq {
            self.record = Some(record);
        }
    }
}

/// Where to begin to grow a tree: at itself, or, if it has nothing, behind what is archived.
///
/// Fails with [`Error::Archived`] if that is too far, or the tree ends within it.
async fn begin(session: &mut Session, tree: &AuditTree, size: u64) -> Result<AuditTree, Error> {
    let base = archives::base(session).await?;
    let last = base.head.seq;
    match tree.head.seq {
        0 if last <= size => Ok(base),
        seq if seq >= last => Ok(tree.clone()),
        // Nothing is to be read.
        seq if seq == size => Ok(tree.clone()),
        _ => Err(Error::Archived { last }),
    }
}

/// Checks that the log goes on from where a tree ends; says where it ends.
async fn goes_on(session: &mut Session, tree: &AuditTree) -> Result<u64, Error> {
    let (end, known) = (audit::end(session).await?.seq, tree.head());
    let size = known.seq;
    if end < size {
        return Err(Error::Cut { size, found: end });
    }
    match audit::has(session, &known).await? {
        true => Ok(end),
        false => Err(Error::Rewritten { after: 0, size }),
    }
}

async fn grow(
    session: &mut Session,
    mut tree: AuditTree,
    size: u64,
    mut also: impl FnMut(&Record),
) -> Result<AuditTree, Error> {
    while tree.head.seq < size {
        for record in next(session, &tree, size).await? {
            tree.follow(&record)?;
            also(&record);
        }
    }
    Ok(tree)
}

/// Adds a record to the part of a proof that it is in.
fn follow(parts: &mut [(Range<u64>, Frontier)], record: &Record) {
    let index = record.seq.saturating_sub(1);
    let part = parts.iter_mut().find(|(range, _)| range.contains(&index));
    if let Some((_, part)) = part {
        part.push(record.leaf());
    }
}

/// The next records behind a tree, of a log that has so many.
async fn next(session: &mut Session, tree: &AuditTree, size: u64) -> Result<Vec<Record>, Error> {
    let found = tree.head.seq;
    let mut records = audit::from(session, found.saturating_add(1), AT_ONCE).await?;
    records.retain(|record| record.seq <= size);
    match records.is_empty() {
        true => Err(Error::Cut { size, found }),
        false => Ok(records),
    }
}
