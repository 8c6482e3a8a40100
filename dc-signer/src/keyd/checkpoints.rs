//! Checkpoints of the audit log: of one log, and of no tree that takes anything back.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use dc_core::{SignatureScheme, Signer};
use dc_evidence::{Checkpoint, Hash, Note, VerifyingKey, verify_consistency};

use super::error::Error;
use super::turned_away::TurnedAway;
use crate::config::KeydCheckpoints;
use dc_pki::files::{self, Access, NewFile};
use dc_pki::keys::{KeyLocation, OpenKey, Refusal, TokenUri, Unlock};

/// The log that is signed for, and its last checkpoint.
#[derive(Debug)]
pub(super) struct Checkpoints {
    key: OpenKey,
    verifying: VerifyingKey,
    require_proof: bool,
    folder: PathBuf,
    last: Mutex<Option<(Checkpoint, Note)>>,
}

/// The tree that a checkpoint is wanted for.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) size: u64,
    pub(super) root: Hash,
    /// The size that the proof begins with, and its hashes.
    pub(super) proof: Option<(u64, Vec<Hash>)>,
}

impl Checkpoints {
    /// Opens the key, and what was signed last.
    ///
    /// Fails with [`Error::BadCheckpointKey`], [`Error::BadCheckpoint`], and as opening a key and reading a file do.
    pub(super) fn open(
        config: &KeydCheckpoints,
        base: &Path,
        folder: &Path,
        unlock: &Unlock,
    ) -> Result<Self, Error> {
        let location = match TokenUri::is_one(&config.key) {
            true => KeyLocation::Token(Box::new(config.key.parse().map_err(|_| NO_URI)?)),
            false => KeyLocation::File(base.join(&config.key)),
        };
        let key = OpenKey::open(location, unlock)?;
        if key.scheme() != SignatureScheme::ED25519 {
            return Err(NO_ED25519);
        }
        let public = key.spki().last_chunk().ok_or(NO_ED25519)?;
        let verifying = VerifyingKey::new(&config.origin, *public).map_err(|_| NO_NAME)?;
        let last = read(&folder.join(NAME), &verifying)?;
        Ok(Self {
            key,
            verifying,
            require_proof: config.require_proof,
            folder: folder.into(),
            last: Mutex::new(last),
        })
    }

    /// The key that its notes are verified with.
    pub(super) fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The last checkpoint.
    pub(super) fn last(&self) -> Option<Checkpoint> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(checkpoint, _)| checkpoint.clone())
    }

    /// Signs for a tree, and remembers it before anybody gets the note; the same tree gets the same note again.
    pub(super) fn sign(&self, tree: &Tree) -> Result<Note, TurnedAway> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((checkpoint, note)) = &*last {
            if checkpoint.size() == tree.size && *checkpoint.root() == tree.root {
                return Ok(note.clone());
            }
            follows(checkpoint, tree, self.require_proof)?;
        }
        let text = Checkpoint::of_root(self.verifying.name(), tree.size, tree.root).to_string();
        let signature = self.key.sign(text.as_bytes());
        let signature = signature.map_err(|error| TurnedAway::new(Refusal::Key, error))?;
        let note = Note::signed(&text, self.verifying.signature(&signature));
        let opened = note.and_then(|note| {
            let checkpoint = Checkpoint::verify(&note, &self.verifying)?;
            Ok((checkpoint, note))
        });
        let (checkpoint, note) = opened.map_err(|error| TurnedAway::new(Refusal::Key, error))?;
        self.keep(&note)?;
        *last = Some((checkpoint, note.clone()));
        Ok(note)
    }

    fn keep(&self, note: &Note) -> Result<(), TurnedAway> {
        let note = note.to_string();
        let file = NewFile {
            name: NAME,
            contents: note.as_bytes(),
            access: Access::Owner,
        };
        let kept = files::stage(&self.folder, &file).and_then(files::Staged::replace);
        let kept = kept.and_then(|()| files::sync(&self.folder));
        kept.map_err(TurnedAway::by_own_fault)
    }
}

fn follows(last: &Checkpoint, tree: &Tree, require_proof: bool) -> Result<(), TurnedAway> {
    let refused = |detail: String| Err(TurnedAway::new(Refusal::Checkpoint, detail));
    let (old, new) = (last.size(), tree.size);
    if new < old {
        return refused(format!(
            "a tree of {new} records is smaller than the one of {old} that was signed for: a log loses nothing"
        ));
    }
    if new == old {
        return refused(format!(
            "another tree of {old} records was signed for: a log is not rewritten"
        ));
    }
    match &tree.proof {
        Some((begins, proof)) if *begins == old => {
            let proven = verify_consistency((old, last.root()), (new, &tree.root), proof);
            proven.or_else(|error| refused(error.to_string()))
        }
        Some((begins, _)) => refused(format!(
            "the proof begins with {begins} records, and {old} were signed for last"
        )),
        None if require_proof => refused(format!(
            "a proof is wanted that the tree begins with the one of {old} records that was signed for last"
        )),
        None => Ok(()),
    }
}

fn read(path: &Path, key: &VerifyingKey) -> Result<Option<(Checkpoint, Note)>, Error> {
    if !files::is_there(path)? {
        return Ok(None);
    }
    let file = files::read(path)?;
    let bad = |source| Error::BadCheckpoint {
        path: path.into(),
        source,
    };
    let note: Note = String::from_utf8_lossy(&file).parse().map_err(bad)?;
    let checkpoint = Checkpoint::verify(&note, key).map_err(bad)?;
    Ok(Some((checkpoint, note)))
}

/// The last checkpoint, in the folder of the process's state.
const NAME: &str = "checkpoint";
const NO_ED25519: Error = Error::BadCheckpointKey("checkpoints.key has to be an Ed25519 key");
const NO_NAME: Error =
    Error::BadCheckpointKey("checkpoints.origin has to be a name without spaces and plus signs");
const NO_URI: Error = Error::BadCheckpointKey("checkpoints.key is no URI of a key in a token");

#[cfg(test)]
mod tests {
    use super::*;
    use dc_evidence::Frontier;
    use dc_evidence::consistency_ranges;

    struct Rig(tempfile::TempDir);

    impl Rig {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
            std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
            Self(folder)
        }

        fn open(&self, origin: &str, require_proof: bool) -> Result<Checkpoints, Error> {
            let config = KeydCheckpoints {
                origin: origin.to_owned(),
                key: "key.pem".to_owned(),
                require_proof,
            };
            let folder = self.0.path();
            Checkpoints::open(&config, folder, folder, &Unlock::default())
        }
    }

    fn leaf(number: u64) -> Hash {
        Hash::of_record(&number.to_be_bytes())
    }

    fn tree_of(range: std::ops::Range<u64>) -> Frontier {
        let mut tree = Frontier::new();
        range.for_each(|number| tree.push(leaf(number)));
        tree
    }

    fn tree(size: u64) -> Tree {
        Tree {
            size,
            root: tree_of(0..size).root(),
            proof: None,
        }
    }

    fn proof(old: u64, new: u64) -> Option<(u64, Vec<Hash>)> {
        let ranges = consistency_ranges(old, new).unwrap().into_iter();
        Some((old, ranges.map(|range| tree_of(range).root()).collect()))
    }

    fn refused(signed: Result<Note, TurnedAway>) {
        assert_eq!(signed.unwrap_err().reason, Refusal::Checkpoint);
    }

    #[test]
    fn no_tree_takes_back_what_was_signed_for_also_after_a_restart() {
        let rig = Rig::new();
        let log = rig.open("example.com/audit", false).unwrap();
        let note = log.sign(&tree(10)).unwrap();
        let checkpoint = Checkpoint::verify(&note, log.verifying_key()).unwrap();
        assert_eq!(
            (checkpoint.size(), checkpoint.origin()),
            (10, "example.com/audit")
        );
        let again = rig.open("example.com/audit", false).unwrap();
        for log in [&log, &again] {
            assert_eq!(log.sign(&tree(10)).unwrap(), note);
            refused(log.sign(&tree(9)));
            refused(log.sign(&tree(0)));
            let root = leaf(1);
            refused(log.sign(&Tree { root, ..tree(10) }));
        }
        again.sign(&tree(11)).unwrap();
        refused(again.sign(&tree(10)));
        assert_eq!(again.last().unwrap().size(), 11);
    }

    #[test]
    fn a_proof_that_is_given_is_verified_and_may_be_wanted() {
        let rig = Rig::new();
        let log = rig.open("example.com/audit", true).unwrap();
        log.sign(&tree(5)).unwrap();
        refused(log.sign(&tree(8)));
        let proof = proof(5, 8);
        let wrong = Tree {
            root: leaf(3),
            proof: proof.clone(),
            ..tree(8)
        };
        refused(log.sign(&wrong));
        let of_others = Tree {
            proof: proof.clone().map(|(_, hashes)| (4, hashes)),
            ..tree(8)
        };
        refused(log.sign(&of_others));
        log.sign(&Tree { proof, ..tree(8) }).unwrap();
    }

    #[test]
    fn the_checkpoint_of_another_log_or_key_stops_the_start() {
        let rig = Rig::new();
        let log = rig.open("example.com/audit", false).unwrap();
        log.sign(&tree(1)).unwrap();
        let error = rig.open("example.com/other", false).unwrap_err();
        assert!(matches!(error, Error::BadCheckpoint { .. }), "{error}");
        std::fs::write(rig.0.path().join(NAME), "garbage").unwrap();
        let error = rig.open("example.com/audit", false).unwrap_err();
        assert!(matches!(error, Error::BadCheckpoint { .. }), "{error}");
        assert!(matches!(
            rig.open("a b", false),
            Err(Error::BadCheckpointKey(_))
        ));
        let p256 = rcgen::KeyPair::generate().unwrap();
        std::fs::write(rig.0.path().join("key.pem"), p256.serialize_pem()).unwrap();
        let error = rig.open("example.com/audit", false).unwrap_err();
        assert!(matches!(error, Error::BadCheckpointKey(_)), "{error}");
    }
}
