//! Signing: when it is time, whose turn it is, and that the log goes on from what was signed before.

use std::time::Duration;

use dc_evidence::{Checkpoint, CheckpointSigner, Growth, Note};
use dc_store::AuditTree;
use dc_store::registry::Head;
use pki_types::UnixTime;

use super::{Checkpoints, Error};

impl Checkpoints {
    /// Signs if a record waits for long enough, or enough records do, or somebody has acted without a credential.
    pub(super) async fn sign_if_due(&mut self, now: UnixTime) -> Result<(), Error> {
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
        if let Some((_, next)) = self.others {
            // Whoever has the turn is not asked for it all the time; a clock that was set back changes nothing.
            let left = next.as_secs().saturating_sub(now.as_secs());
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
            if self.others.is_none_or(|(before, _)| before < size) {
                self.waiting = None;
            }
            let next = now.as_secs().saturating_add(self.every.as_secs());
            let next = UnixTime::since_unix_epoch(Duration::from_secs(next));
            self.others = Some((size, next.min(turn.until)));
            tracing::debug!(holder = turn.holder, "another signer signs checkpoints");
            return Ok(());
        }
        self.others = None;
        let last = self.ask(|signer| signer.last_size()).await?;
        let from = self.grow(end.seq, turn.note.as_deref(), last).await?;
        // What may be signed is safe before it is.
        self.state.write(&self.folder)?;
        let from = match (from, last) {
            // The tree was beyond it already, as after a signature that was not made: it is read once more up to there.
            (None, Some(last)) if (1..end.seq).contains(&last) => self.tree_of(last).await?,
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
        last: Option<u64>,
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
            if last == Some(size) {
                from = Some(self.state.tree().clone());
            }
            if size >= end {
                return Ok(from);
            }
            let places = [other.as_ref().map(Checkpoint::size), last];
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
        let tree = self.state.tree().frontier();
        let Some(other) = other.filter(|other| other.size() == tree.size()) else {
            return Ok(());
        };
        match *other.root() == tree.root() {
            true => Ok(()),
            false => {
                let size = other.size();
                Err(dc_store::Error::Rewritten { after: 0, size }.into())
            }
        }
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

/// How long a turn is: whoever has it is silent for no longer, unless it is gone.
fn turn(every: Duration) -> Duration {
    (every * 3).max(Duration::from_secs(180))
}

/// How many records are read in one snapshot.
const AT_ONCE: u64 = 100_000;
