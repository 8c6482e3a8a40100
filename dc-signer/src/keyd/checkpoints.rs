//! Checkpoints of the audit log: of one log, and of no tree that takes anything back.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dc_core::{SignatureScheme, Signer};
use dc_evidence::{Checkpoint, Hash, Note, VerifyingKey, verify_consistency};
use serde_json::{Value, json};

use super::error::Error;
use super::rate::Rate;
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
    most_new: u64,
    folder: PathBuf,
    last: Mutex<Option<Last>>,
    /// The records that checkpoints have got beyond those before.
    grown: Mutex<Rate>,
}

/// The checkpoint that was signed last.
#[derive(Clone, Debug)]
struct Last {
    size: u64,
    root: Hash,
    /// None if the file with it is gone, and the log alone has it.
    note: Option<Note>,
}

/// The checkpoint that was signed last, as the process's own log has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Signed {
    /// The key, and with it the name of the log.
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) root: Hash,
}

impl Signed {
    pub(super) fn read(line: &Value) -> Option<Self> {
        Some(Self {
            key: line["key"].as_str()?.to_owned(),
            size: line["size"].as_u64()?,
            root: Hash::parse(line["root"].as_str()?)?,
        })
    }

    pub(super) fn json(&self) -> Value {
        let Self { key, size, root } = self;
        json!({ "key": key, "size": size, "root": root.to_string() })
    }
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
    /// Opens the key, and what was signed last: as its file has it, or as the log does if that is further on, with how much it has
    /// grown in the last hour.
    ///
    /// Fails with [`Error::BadCheckpointKey`], [`Error::BadCheckpoint`], and as opening a key and reading a file do.
    pub(super) fn open(
        config: &KeydCheckpoints,
        base: &Path,
        folder: &Path,
        unlock: &Unlock,
        (logged, grown): (Option<Signed>, Rate),
    ) -> Result<Self, Error> {
        let (key, verifying) = open_key(config, base, unlock)?;
        let path = folder.join(NAME);
        let last = read(&path, &verifying)?;
        let size = last.as_ref().map_or(0, |last| last.size);
        let newer =
            logged.filter(|logged| logged.key == verifying.to_string() && logged.size > size);
        if let Some(Signed { size, .. }) = &newer {
            tracing::warn!(path = %path.display(), size, "the checkpoint that was signed last is not there: its own log says which it was, and a log goes on from that; give one that begins anew another origin");
        }
        let newer = newer.map(|Signed { size, root, .. }| Last {
            size,
            root,
            note: None,
        });
        let last = newer.or(last);
        Ok(Self {
            key,
            verifying,
            require_proof: !config.danger_without_proof,
            most_new: config.most_new,
            folder: folder.into(),
            last: Mutex::new(last),
            grown: Mutex::new(grown),
        })
    }

    /// The key that its notes are verified with.
    pub(super) fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The checkpoint that was signed last.
    pub(super) fn last(&self) -> Option<Signed> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|last| Signed {
            key: self.verifying.to_string(),
            size: last.size,
            root: last.root,
        })
    }

    /// The records that checkpoints have got beyond those before.
    pub(super) fn grown(&self) -> MutexGuard<'_, Rate> {
        self.grown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs for a tree, and remembers it before anybody gets the note; the same tree gets the same note again. Says too whether
    /// it is a new one. `uptime` is in seconds of a clock that never jumps.
    pub(super) fn sign(&self, tree: &Tree, uptime: u64) -> Result<(Note, bool), TurnedAway> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, root) = (tree.size, tree.root);
        let before = last.as_ref().map_or(0, |last| last.size);
        match &*last {
            Some(last) if last.size == size && last.root == root => {
                if let Some(note) = &last.note {
                    return Ok((note.clone(), false));
                }
            }
            Some(last) => {
                follows(last, tree, self.require_proof)?;
                self.is_no_leap(size, last.size, uptime)?;
            }
            None => self.is_no_leap(size, 0, uptime)?,
        }
        let text = Checkpoint::of_root(self.verifying.name(), tree.size, tree.root).to_string();
        let signature = self.key.sign(text.as_bytes());
        let signature = signature.map_err(TurnedAway::by_key)?;
        let note = Note::signed(&text, self.verifying.signature(&signature));
        let note = note.and_then(|note| Checkpoint::verify(&note, &self.verifying).map(|_| note));
        let note = note.map_err(TurnedAway::by_key)?;
        self.keep(&note)?;
        let new = usize::try_from(size.saturating_sub(before)).unwrap_or(usize::MAX);
        self.grown().add_some(uptime, new);
        *last = Some(Last {
            size,
            root,
            note: Some(note.clone()),
        });
        Ok((note, true))
    }

    /// No log grows so much in an hour, however many checkpoints are made of it; one that claims to would leave no room for the real
    /// one. Whoever is refused for that may come again: it is no other log.
    fn is_no_leap(&self, new: u64, old: u64, uptime: u64) -> Result<(), TurnedAway> {
        let (most, beyond) = (self.most_new, new.saturating_sub(old));
        let refused = |detail: String| Err(TurnedAway::new(Refusal::Rate, detail));
        if beyond > most {
            return refused(format!(
                "a tree of {new} records has more than {most} beyond the {old} that were signed for: if it is right, set checkpoints.most_new in the signing process's configuration higher for this one"
            ));
        }
        let beyond = usize::try_from(beyond).unwrap_or(usize::MAX);
        let mut grown = self.grown();
        match grown.has_room(uptime, beyond) {
            true => Ok(()),
            false if grown.is_of_lost(uptime) => refused(
                "nothing is signed for in the hour after the signing process has lost its own log, because nobody knows what was signed before: it goes on by itself when the hour is over"
                    .to_owned(),
            ),
            false => refused(format!(
                "with a tree of {new} records more than {most} new ones were signed for in an hour, which is checkpoints.most_new in the signing process's configuration: it goes on by itself when the hour is over; if the log really grows so fast, set it higher"
            )),
        }
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

/// The key that signs, and the one that its notes are verified with.
///
/// Fails with [`Error::BadCheckpointKey`], and as opening a key does.
pub(super) fn open_key(
    config: &KeydCheckpoints,
    base: &Path,
    unlock: &Unlock,
) -> Result<(OpenKey, VerifyingKey), Error> {
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
    Ok((key, verifying))
}

fn follows(last: &Last, tree: &Tree, require_proof: bool) -> Result<(), TurnedAway> {
    let refused = |detail: String| Err(TurnedAway::new(Refusal::Checkpoint, detail));
    let (old, new) = (last.size, tree.size);
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
    // Every log begins with the empty one.
    if old == 0 {
        return Ok(());
    }
    match &tree.proof {
        Some((begins, proof)) if *begins == old => {
            let proven = verify_consistency((old, &last.root), (new, &tree.root), proof);
            proven.or_else(|error| refused(error.to_string()))
        }
        // Two that sign for the same log have asked at the same time.
        Some((begins, _)) => Err(TurnedAway::new(
            Refusal::Busy,
            format!("the proof begins with {begins} records, and {old} were signed for last"),
        )),
        None if require_proof => refused(format!(
            "a proof is wanted that the tree begins with the one of {old} records that was signed for last: use a service of this version"
        )),
        None => Ok(()),
    }
}

fn read(path: &Path, key: &VerifyingKey) -> Result<Option<Last>, Error> {
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
    Ok(Some(Last {
        size: checkpoint.size(),
        root: *checkpoint.root(),
        note: Some(note),
    }))
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
    use crate::config::KeydConfig;
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
            self.open_after(origin, require_proof, None)
        }

        fn open_after(
            &self,
            origin: &str,
            require_proof: bool,
            logged: Option<Signed>,
        ) -> Result<Checkpoints, Error> {
            let danger = match require_proof {
                true => "",
                false => "danger_without_proof = true",
            };
            let text = format!(
                "socket = 's'\nstate = 's'\n[checkpoints]\norigin = '{origin}'\nkey = 'key.pem'\nmost_new = 1000\n{danger}"
            );
            let folder = self.0.path();
            let config = KeydConfig::parse(&text, folder).unwrap();
            let config = config.checkpoints.unwrap();
            let grown = Rate::new(usize::MAX, 1000);
            Checkpoints::open(&config, folder, folder, &Unlock::default(), (logged, grown))
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

    fn refused(signed: Result<(Note, bool), TurnedAway>) {
        assert_eq!(signed.unwrap_err().reason, Refusal::Checkpoint);
    }

    fn too_fast(signed: Result<(Note, bool), TurnedAway>) {
        assert_eq!(signed.unwrap_err().reason, Refusal::Rate);
    }

    #[test]
    fn no_tree_takes_back_what_was_signed_for_also_after_a_restart() {
        let rig = Rig::new();
        let log = rig.open("example.com/audit", false).unwrap();
        let (note, is_new) = log.sign(&tree(10), 0).unwrap();
        assert!(is_new);
        let checkpoint = Checkpoint::verify(&note, log.verifying_key()).unwrap();
        assert_eq!(
            (checkpoint.size(), checkpoint.origin()),
            (10, "example.com/audit")
        );
        let again = rig.open("example.com/audit", false).unwrap();
        for log in [&log, &again] {
            assert_eq!(log.sign(&tree(10), 0).unwrap(), (note.clone(), false));
            refused(log.sign(&tree(9), 0));
            refused(log.sign(&tree(0), 0));
            let root = leaf(1);
            refused(log.sign(&Tree { root, ..tree(10) }, 0));
        }
        again.sign(&tree(11), 0).unwrap();
        refused(again.sign(&tree(10), 0));
        assert_eq!(again.last().unwrap().size, 11);
    }

    #[test]
    fn no_log_leaps_to_where_the_real_one_never_comes() {
        let rig = Rig::new();
        let log = rig.open("example.com/audit", false).unwrap();
        let root = leaf(7);
        let huge = |size| Tree {
            root,
            ..Tree { size, ..tree(0) }
        };
        for size in [u64::MAX, 1 << 40, 1001] {
            too_fast(log.sign(&huge(size), 0));
        }
        log.sign(&tree(1000), 0).unwrap();
        too_fast(log.sign(&huge(u64::MAX), 0));
        let error = log.sign(&huge(2001), 0).unwrap_err();
        assert!(error.detail.contains("most_new"), "{}", error.detail);
        // Nor in small steps: so many an hour.
        for (size, at) in [(1001, 3599), (2001, 3600)] {
            too_fast(log.sign(&huge(size), at));
        }
        log.sign(&huge(1500), 3600).unwrap();
        log.sign(&huge(2000), 4000).unwrap();
        too_fast(log.sign(&huge(2001), 7199));
        log.sign(&huge(2001), 7200).unwrap();
    }

    #[test]
    fn the_log_knows_what_was_signed_last_if_the_file_is_gone() {
        let rig = Rig::new();
        let log = rig.open("example.com/audit", true).unwrap();
        let (note, _) = log.sign(&tree(5), 0).unwrap();
        let logged = log.last();
        std::fs::remove_file(rig.0.path().join(NAME)).unwrap();
        let log = rig
            .open_after("example.com/audit", true, logged.clone())
            .unwrap();
        refused(log.sign(&tree(4), 0));
        refused(log.sign(&tree(6), 0));
        assert_eq!(log.sign(&tree(5), 0).unwrap(), (note, true));
        let proof = proof(5, 6);
        log.sign(&Tree { proof, ..tree(6) }, 0).unwrap();
        // Another log begins anew.
        std::fs::remove_file(rig.0.path().join(NAME)).unwrap();
        let other = rig.open_after("example.com/other", true, logged).unwrap();
        assert_eq!(other.last(), None);
    }

    #[test]
    fn a_proof_that_is_given_is_verified_and_may_be_wanted() {
        let rig = Rig::new();
        let log = rig.open("example.com/audit", true).unwrap();
        // Every log begins with an empty one.
        log.sign(&tree(0), 0).unwrap();
        log.sign(&tree(5), 0).unwrap();
        refused(log.sign(&tree(8), 0));
        let proof = proof(5, 8);
        let wrong = Tree {
            root: leaf(3),
            proof: proof.clone(),
            ..tree(8)
        };
        refused(log.sign(&wrong, 0));
        let of_others = Tree {
            proof: proof.clone().map(|(_, hashes)| (4, hashes)),
            ..tree(8)
        };
        let others = log.sign(&of_others, 0).unwrap_err();
        assert_eq!(others.reason, Refusal::Busy);
        log.sign(&Tree { proof, ..tree(8) }, 0).unwrap();
    }

    #[test]
    fn the_checkpoint_of_another_log_or_key_stops_the_start() {
        let rig = Rig::new();
        let log = rig.open("example.com/audit", false).unwrap();
        log.sign(&tree(1), 0).unwrap();
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
