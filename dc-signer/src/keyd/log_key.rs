//! The audit log's key in a signing process, for whoever makes checkpoints.

use std::sync::Arc;

use dc_evidence::{
    Checkpoint, CheckpointSigner, Error, Growth, Hash, Note, Signature, VerifyingKey,
};
use serde_json::Value;

use dc_pki::keyd::Keyd;
use dc_pki::keys::{ProcessFault, Refusal};

/// The key of an audit log that a signing process holds. Its calls wait for that process.
#[derive(Debug)]
pub struct LogKey {
    keyd: Arc<Keyd>,
    verifying: VerifyingKey,
}

impl LogKey {
    /// Asks a process for the key that its checkpoints are verified with.
    ///
    /// Fails with [`ProcessFault`]: [`NoMessages`](ProcessFault::NoMessages) if it signs no checkpoints.
    pub fn find(keyd: impl Into<Arc<Keyd>>) -> Result<Self, ProcessFault> {
        let keyd = keyd.into();
        let key = checkpoint(&keyd)?["key"].as_str().map(str::parse);
        match key {
            Some(Ok(verifying)) => Ok(Self { keyd, verifying }),
            Some(Err(_)) => Err(ProcessFault::Malformed),
            None => Err(ProcessFault::NoMessages),
        }
    }

    /// The key that a process has to have: it is not asked for it, and may be away until it is to sign.
    #[must_use]
    pub const fn known(keyd: Arc<Keyd>, verifying: VerifyingKey) -> Self {
        Self { keyd, verifying }
    }

    /// The key that its checkpoints are verified with; its name is the log's.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// How many records the log had that was signed for last, what a proof has to begin with, and their root. None if there was
    /// none yet, or of another key than this.
    ///
    /// Fails with [`ProcessFault`].
    pub fn last(&self) -> Result<Option<(u64, Hash)>, ProcessFault> {
        let last = checkpoint(&self.keyd)?;
        if last["key"] != self.verifying.to_string() {
            return Ok(None);
        }
        let root = last["root"].as_str().and_then(Hash::parse);
        Ok(last["size"].as_u64().zip(root))
    }

    /// The signature of a checkpoint's text, of this log and without lines of its own; `proof` shows that the log begins with the
    /// one of so many records that was signed for last.
    ///
    /// Fails with [`ProcessFault`]: [`NoMessages`](ProcessFault::NoMessages) for another text.
    pub fn sign(
        &self,
        text: &str,
        proof: Option<(u64, &[Hash])>,
    ) -> Result<Signature, ProcessFault> {
        let (size, root) = self.read(text).ok_or(ProcessFault::NoMessages)?;
        let proof = proof.map(|(old, hashes)| {
            let hashes = hashes.iter().map(|hash| *hash.as_bytes());
            (old, hashes.collect())
        });
        let note = self.keyd.sign_checkpoint((size, *root.as_bytes()), proof)?;
        let note: Note = note.parse().map_err(|_| ProcessFault::Malformed)?;
        match note.verify(&self.verifying) {
            Ok(signed) if signed == text => {}
            _ => return Err(ProcessFault::Malformed),
        }
        let mut by_it = note.signatures().iter();
        let by_it = by_it.find(|signature| signature.id() == self.verifying.id());
        by_it.cloned().ok_or(ProcessFault::Malformed)
    }

    fn read(&self, text: &str) -> Option<(u64, Hash)> {
        let mut lines = text.lines().skip(1);
        let size = lines.next()?.parse().ok()?;
        let root = Hash::parse(lines.next()?)?;
        // The one spelling, and nothing else in it.
        let only = Checkpoint::of_root(self.verifying.name(), size, root).to_string();
        (only == text).then_some((size, root))
    }
}

impl CheckpointSigner for LogKey {
    fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    fn last(&self) -> Result<Option<(u64, Hash)>, Error> {
        self.last().map_err(failed)
    }

    fn sign(&self, text: &str, growth: Option<&Growth>) -> Result<Signature, Error> {
        let proof = growth.map(|growth| (growth.from, &growth.proof[..]));
        self.sign(text, proof).map_err(failed)
    }
}

fn failed(fault: ProcessFault) -> Error {
    let reason = fault.to_string();
    match fault {
        ProcessFault::Refused {
            reason: Refusal::Checkpoint,
            ..
        } => Error::SignerRefused { reason },
        _ => Error::SignerFailed { reason },
    }
}

fn checkpoint(keyd: &Keyd) -> Result<Value, ProcessFault> {
    let status: Value =
        serde_json::from_str(&keyd.status()?).map_err(|_| ProcessFault::Malformed)?;
    Ok(status["checkpoint"].clone())
}
