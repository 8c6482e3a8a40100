//! Signing: when it is time, whose turn it is, and that the log goes on from what was signed before.

use std::time::Duration;

use dc_evidence::{Checkpoint, CheckpointSigner, Growth, Hash, Note};
use dc_store::AuditTree;
use dc_store::registry::Head;
use pki_types::UnixTime;

use super::{Checkpoints, Error, Others};

impl Checkpoints {
    /// Signs if a record waits for long enough, or enough records do, or somebody has acted without a credential.
    pub(super) async fn sign_if_due(&mut self, now: UnixTime) -> Result<(), Error> {
        self.compare_at_start().await?;
        let end = self.store.audit_head().await?;
        let size = self.state.tree().head().seq;
        if end.seq <= size {
            self.check_end(end)?;
        }
        let new = end.seq.saturating_sub(self.state.signed_size());
        let since = now.as_secs().abs_diff(self.state.at());
        // A clock that was set back keeps nothing waiting.
        let mut is_due = new > 0 && (since >= self.every.as_secs() || new >= self.records);
        if new > 0 && !is_due {
            // Whoever acts without a credential has the database, and could take the record out before the next checkpoint.
            is_due = self.store.last_break_glass().await? > self.state.signed_size();
        }
        if let Some(others) = &self.others {
            // Whoever has the turn is not asked for it all the time; a clock that was set back changes nothing.
            let left = others.next.as_secs().saturating_sub(now.as_secs());
            is_due &= left == 0 || left > self.every.as_secs();
        }
        match is_due {
            true => self.sign(end, now).await,
            false => Ok(()),
        }
    }

    /// A log without anything new has to end where the tree does.
    fn check_end(&self, end: Head) -> Result<(), Error> {
        let known = self.state.tree().head();
        let size = known.seq;
        match (end.seq < size, end == known) {
            (true, _) => {
                let found = end.seq;
                Err(dc_store::Error::Cut { size, found }.into())
            }
            (false, true) => Ok(()),
            (false, false) => Err(dc_store::Error::Rewritten { after: 0, size }.into()),
        }
    }

    async fn sign(&mut self, end: Head, now: UnixTime) -> Result<(), Error> {
        let until = now.as_secs().saturating_add(turn(self.every).as_secs());
        let until = UnixTime::since_unix_epoch(Duration::from_secs(until));
        let turn = self.store.take_turn(&self.holder, now, until).await?;
        if turn.holder != self.holder {
            let signed = turn.note.map(|note| self.verified(&note)).transpose()?;
            let size = signed.flatten().map_or(0, |signed| signed.size());
            let before = self.others.as_ref();
            if before.is_none_or(|before| before.size < size) {
                self.waiting = None;
            }
            let next = now.as_secs().saturating_add(self.every.as_secs());
            let next = UnixTime::since_unix_epoch(Duration::from_secs(next));
            tracing::debug!(holder = turn.holder, "another signer signs checkpoints");
            self.others = Some(Others {
                holder: turn.holder,
                until: turn.until,
                size,
                next: next.min(turn.until),
            });
            return Ok(());
        }
        self.others = None;
        let last = self.ask(|signer| signer.last()).await?;
        self.reaches(last).await?;
        if last.is_some_and(|(size, _)| size > end.seq) {
            // It was signed for just now, by one whose turn was over: there is more to read.
            return Ok(());
        }
        let from = self.grow(end.seq, turn.note.as_deref(), last).await?;
        // What may be signed is safe before it is.
        self.state.write(&self.folder)?;
        let from = match (from, last) {
            // The tree was beyond it already, as after a signature that was not made: it is read once more up to there.
            (None, Some((size, root))) if (1..end.seq).contains(&size) => {
                let tree = self.tree_of(size).await?;
                tree.iter()
                    .try_for_each(|tree| is_of(tree, (size, &root)))?;
                tree
            }
            (from, _) => from,
        };
        let growth = self.growth(from).await?;
        let tree = self.state.tree().frontier().clone();
        let note = self.ask(move |signer| {
            let name = signer.verifying_key().name();
            Checkpoint::of_log(&tree, name).sign_by(signer, growth.as_ref())
        });
        let note = note.await?;
        self.state.signed(note.clone(), now, &self.places.names());
        self.state.write(&self.folder)?;
        self.waiting = None;
        let size = self.state.signed_size();
        tracing::debug!(size, "a checkpoint of the audit log was signed");
        self.store
            .keep_note(&self.holder, &note.to_string())
            .await?;
        Ok(())
    }

    /// Compares the log with what whoever has the key has signed for last, once: the folder of this machine may be as old as the
    /// database. One that is away is asked again, and told of when there is something to sign.
    async fn compare_at_start(&mut self) -> Result<(), Error> {
        if self.is_compared {
            return Ok(());
        }
        let Ok(last) = self.ask(|signer| signer.last()).await else {
            return Ok(());
        };
        self.reaches(last).await?;
        let tree = self.state.tree();
        if let Some((size, root)) = last.filter(|(size, _)| *size == tree.head().seq) {
            is_of(tree, (size, &root))?;
        }
        self.is_compared = true;
        Ok(())
    }

    /// The log has at least the records that were signed for. It is asked for its end afterwards: it may grow meanwhile.
    async fn reaches(&self, last: Option<(u64, Hash)>) -> Result<(), Error> {
        let Some((size, _)) = last else {
            return Ok(());
        };
        let found = self.store.audit_head().await?.seq;
        match found < size {
            true => Err(dc_store::Error::Cut { size, found }.into()),
            false => Ok(()),
        }
    }

    /// Asks whoever has the log's key, off the threads that answer.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn CheckpointSigner) -> Result<T, dc_evidence::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let signer = self.signer.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&*signer));
        Ok(asked.await.map_err(|_| Error::SigningEnded)??)
    }

    /// The proof that the log has grown from a tree to the one that is to be signed for; none if it is the same, or none is known.
    async fn growth(&self, from: Option<AuditTree>) -> Result<Option<Growth>, Error> {
        let end = self.state.tree().head().seq;
        let Some(from) = from.filter(|from| (1..end).contains(&from.head().seq)) else {
            return Ok(None);
        };
        let (_, proof) = self.store.prove_growth(&from, end).await?;
        let from = from.head().seq;
        Ok(Some(Growth { from, proof }))
    }

    /// The tree of so many records; none if more than those are archived.
    async fn tree_of(&self, size: u64) -> Result<Option<AuditTree>, Error> {
        let mut tree = self.store.archived_tree().await?;
        while tree.head().seq < size {
            let next = tree.head().seq.saturating_add(AT_ONCE).min(size);
            tree = self.store.grow_audit_tree_to(&tree, next).await?;
        }
        Ok(Some(tree).filter(|tree| tree.head().seq == size))
    }

    /// Brings the tree to the end of the log, a part at a time, past the checkpoint that another signer has signed last. Returns the
    /// tree with as many records as `last` says, if the log passes it.
    async fn grow(
        &mut self,
        end: u64,
        others: Option<&str>,
        last: Option<(u64, Hash)>,
    ) -> Result<Option<AuditTree>, Error> {
        let other = match others
            .map(|note| self.verified(note))
            .transpose()?
            .flatten()
        {
            Some(other) if other.size() > end => {
                let (size, found) = (other.size(), end);
                return Err(dc_store::Error::Cut { size, found }.into());
            }
            other => other,
        };
        if self.state.tree().head().seq == 0 {
            // What is archived is not read, and its tree is kept.
            self.state.grown(self.store.archived_tree().await?);
        }
        let began = self.state.tree().head().seq;
        let mut from = None;
        loop {
            self.compare(other.as_ref())?;
            let size = self.state.tree().head().seq;
            if let Some((size, root)) = last.filter(|(last, _)| *last == size) {
                is_of(self.state.tree(), (size, &root))?;
                from = Some(self.state.tree().clone());
            }
            if size >= end {
                return Ok(from);
            }
            let signed = last.map(|(size, _)| size);
            let places = [other.as_ref().map(Checkpoint::size), signed];
            let places = places.into_iter().flatten().filter(|place| *place > size);
            let next = size.saturating_add(AT_ONCE).min(end);
            let next = places.min().unwrap_or(end).min(next);
            let grown = self
                .store
                .grow_audit_tree_to(self.state.tree(), next)
                .await?;
            self.state.grown(grown);
            if end - began > AT_ONCE {
                tracing::info!(
                    records = next,
                    of = end,
                    "reading the audit log for its checkpoints"
                );
                // Whoever stops now goes on from here.
                self.state.write(&self.folder)?;
            }
        }
    }

    /// The tree must be that of a checkpoint when it is as large.
    fn compare(&self, other: Option<&Checkpoint>) -> Result<(), Error> {
        let tree = self.state.tree();
        let other = other.filter(|other| other.size() == tree.head().seq);
        other.map_or(Ok(()), |other| is_of(tree, (other.size(), other.root())))
    }

    /// A checkpoint from the database, where anybody may have changed it; none if it is of a log before this one.
    fn verified(&self, note: &str) -> Result<Option<Checkpoint>, Error> {
        let note: Note = match note.parse() {
            Ok(note) => note,
            // It is none of ours, so it says nothing.
            Err(_) => return Ok(None),
        };
        match Checkpoint::verify(&note, self.signer.verifying_key()) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(dc_evidence::Error::NotSigned { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The tree has to be the one that was signed for, of the same size.
pub(super) fn is_of(tree: &AuditTree, (size, root): (u64, &Hash)) -> Result<(), Error> {
    match *root == tree.frontier().root() {
        true => Ok(()),
        false => Err(dc_store::Error::Rewritten { after: 0, size }.into()),
    }
}

/// How long a turn is: whoever has it is silent for no longer, unless it is gone.
fn turn(every: Duration) -> Duration {
    (every * 3).max(Duration::from_secs(180))
}

/// How many records are read in one snapshot.
const AT_ONCE: u64 = 100_000;
