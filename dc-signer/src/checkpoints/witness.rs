//! Asking a witness to cosign the last checkpoint (C2SP `tlog-witness`).

use axum::http::StatusCode;
use dc_evidence::{Checkpoint, Note, Signature, WitnessKey, WitnessRequest};
use dc_store::AuditTree;

use super::Checkpoints;
use super::post::Post;

impl Checkpoints {
    /// Has the last checkpoint cosigned, with the proof that it goes on from the one that the witness has cosigned before.
    pub(super) async fn ask_witness(
        &mut self,
        name: &str,
        post: &Post,
        key: &WitnessKey,
    ) -> Result<(), String> {
        let Some(note) = self.state.note().cloned() else {
            return Ok(());
        };
        let checkpoint = Checkpoint::verify(&note, self.signer.verifying_key());
        let size = checkpoint.map_err(|error| error.to_string())?.size();
        let (status, body, grown) = self.ask_once(name, post, &note, size).await?;
        let (answer, grown) = match status {
            // It has seen another one than was noted here: of a signer that takes turns, or its file is lost.
            StatusCode::CONFLICT => {
                self.find_seen(name, &body, size).await?;
                let (status, body, grown) = self.ask_once(name, post, &note, size).await?;
                (Self::answered(status, body)?, grown)
            }
            status => (Self::answered(status, body)?, grown),
        };
        let cosigned = cosigned(&note, &answer, key).map_err(|error| error.to_string())?;
        let place = self.state.place(name);
        place.seen = grown;
        place.notes.clear();
        self.state.cosigned(cosigned);
        Ok(())
    }

    fn answered(status: StatusCode, body: String) -> Result<String, String> {
        match status {
            StatusCode::OK => Ok(body),
            status => Err(super::post::Answer { status, body }.refusal()),
        }
    }

    async fn ask_once(
        &mut self,
        name: &str,
        post: &Post,
        note: &Note,
        size: u64,
    ) -> Result<(StatusCode, String, AuditTree), String> {
        let seen = self.state.place(name).seen.clone();
        let proven = self.store.prove_growth(&seen, size).await;
        let (grown, proof) = proven.map_err(|error| error.to_string())?;
        let request = WitnessRequest {
            old: seen.head().seq,
            proof,
            checkpoint: note.clone(),
        };
        let answer = post.send(request.to_string()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        Ok((answer.status, answer.body, grown))
    }

    /// Makes the tree of the size that a witness says it has seen.
    async fn find_seen(&mut self, name: &str, body: &str, size: u64) -> Result<(), String> {
        let seen: u64 = body
            .trim_end()
            .parse()
            .map_err(|_| "it has seen another checkpoint, and does not say which".to_owned())?;
        if seen > size {
            return Err(format!(
                "it has seen a checkpoint of {seen} records, and this one has {size}: somebody else signs for this log"
            ));
        }
        let mut tree = self.state.place(name).seen.clone();
        if tree.head().seq > seen {
            tree = AuditTree::EMPTY;
        }
        let grown = self.store.grow_audit_tree_to(&tree, seen).await;
        self.state.place(name).seen = grown.map_err(|error| error.to_string())?;
        Ok(())
    }
}

/// The note with the cosignatures of an answer, of which one must be by the witness.
fn cosigned(note: &Note, answer: &str, key: &WitnessKey) -> Result<Note, dc_evidence::Error> {
    let mut note = note.clone();
    for line in answer.lines().take(MAX_LINES) {
        let signature: Signature = line.parse()?;
        if signature.name() == key.name() && signature.id() == key.id() {
            note.add(signature)?;
        }
    }
    key.verify(&note)?;
    Ok(note)
}

const MAX_LINES: usize = 100;
