//! The file of what was signed last, and of what has not been sent yet.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use dc_evidence::{Checkpoint, Frontier, Hash, Note, VerifyingKey};
use dc_pki::files::{self, Access, NewFile};
use dc_store::AuditTree;
use dc_store::registry::Head;
use pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use super::Error;

/// The tree that was read, the checkpoint that was signed, and what each place has not got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct State {
    key: VerifyingKey,
    tree: AuditTree,
    note: Option<Note>,
    size: u64,
    at: u64,
    /// The reason that nothing is signed, if the log is another one.
    refused: Option<String>,
    places: BTreeMap<String, Place>,
}

/// A place, and what it has not got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) notes: VecDeque<String>,
    /// The tree that a witness has cosigned last.
    pub(super) seen: AuditTree,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            notes: VecDeque::new(),
            seen: AuditTree::EMPTY,
        }
    }
}

impl State {
    /// Reads the file of a data folder; nothing was signed if it is not there, or is of a log with another name.
    ///
    /// Fails with [`Error::BadState`], and with [`Error::OtherKey`] for a log with this name and another key.
    pub(super) fn read(folder: &Path, key: &VerifyingKey) -> Result<Self, Error> {
        let empty = Self {
            key: key.clone(),
            tree: AuditTree::EMPTY,
            note: None,
            size: 0,
            at: 0,
            refused: None,
            places: BTreeMap::new(),
        };
        let path = folder.join(FILE);
        if !files::is_there(&path)? {
            return Ok(empty);
        }
        let json = files::read_up_to(&path, MAX_LEN)?;
        let stored: Option<Stored> = serde_json::from_slice(&json).ok();
        let read = stored.and_then(|stored| stored.read(key));
        match read.ok_or(Error::BadState { path })? {
            state if state.key == *key => Ok(state),
            // A log does not begin anew because somebody has put another key in the place of its own.
            other if other.key.name() == key.name() => Err(Error::OtherKey {
                before: other.key,
                now: key.clone(),
            }),
            other => {
                tracing::warn!(before = %other.key, now = %key, "the audit log has another name or key now: its checkpoints begin anew");
                Ok(empty)
            }
        }
    }

    /// The key that the log was signed for with so far; none if it was not.
    pub(super) fn key_so_far(folder: &Path) -> Result<Option<VerifyingKey>, Error> {
        let path = folder.join(FILE);
        if !files::is_there(&path)? {
            return Ok(None);
        }
        let json = files::read_up_to(&path, MAX_LEN)?;
        let stored: Option<Stored> = serde_json::from_slice(&json).ok();
        let key = stored.and_then(|stored| stored.key.parse().ok());
        key.map(Some).ok_or(Error::BadState { path })
    }

    /// Writes it for the owner alone, in one step.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let json = serde_json::to_vec(&Stored::of(self)).unwrap_or_default();
        let file = NewFile {
            name: FILE,
            contents: &json,
            access: Access::Owner,
        };
        files::stage(folder, &file)?.replace()?;
        Ok(files::sync(folder)?)
    }

    pub(super) const fn tree(&self) -> &AuditTree {
        &self.tree
    }

    pub(super) fn grown(&mut self, tree: AuditTree) {
        self.tree = tree;
    }

    /// How many records the last checkpoint has.
    pub(super) const fn signed_size(&self) -> u64 {
        self.size
    }

    /// When it was signed, in seconds since 1970.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    pub(super) const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The reason that nothing is signed, if the log is another one than was signed for.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    pub(super) const fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// How many checkpoints a place has not got.
    pub(super) fn waiting(&self, place: &str) -> usize {
        self.places.get(place).map_or(0, |place| place.notes.len())
    }

    pub(super) fn place(&mut self, name: &str) -> &mut Place {
        self.places.entry(name.to_owned()).or_default()
    }

    /// Says why nothing is signed, or that it is; true if that was not known.
    pub(super) fn refuse(&mut self, why: Option<String>) -> bool {
        let is_new = self.refused != why;
        self.refused = why;
        is_new
    }

    /// Forgets places that are not configured any more.
    pub(super) fn keep_only(&mut self, names: &[String]) {
        self.places.retain(|name, _| names.contains(name));
    }

    /// The tree was signed for: all places are to get that.
    pub(super) fn signed(&mut self, note: Note, at: UnixTime, places: &[String]) {
        let text = note.to_string();
        for name in places {
            let place = self.place(name);
            if place.notes.len() >= MAX_WAITING {
                // Later ones say all that these say, only less often.
                let mut number = 0;
                place.notes.retain(|_| {
                    number += 1;
                    number % 2 == 0
                });
            }
            place.notes.push_back(text.clone());
        }
        (self.size, self.at) = (self.tree.head().seq, at.as_secs());
        self.note = Some(note);
    }

    /// The last checkpoint has a cosignature now: whoever has not got it yet gets it with that.
    pub(super) fn cosigned(&mut self, note: Note) {
        let before = self.note.as_ref().map(ToString::to_string);
        let text = note.to_string();
        for place in self.places.values_mut() {
            let last = place.notes.back_mut();
            if let Some(last) = last.filter(|last| before.as_ref() == Some(*last)) {
                last.clone_from(&text);
            }
        }
        self.note = Some(note);
    }
}

/// The state that a data folder has of the log with a name; none if nothing was signed for it.
pub(super) fn last_signed(folder: &Path, name: &str) -> Result<Option<State>, Error> {
    let path = folder.join(FILE);
    if !files::is_there(&path)? {
        return Ok(None);
    }
    let json = files::read_up_to(&path, MAX_LEN)?;
    let stored: Option<Stored> = serde_json::from_slice(&json).ok();
    let read = stored.and_then(|stored| {
        let key: VerifyingKey = stored.key.parse().ok()?;
        stored.read(&key)
    });
    let state = read.ok_or(Error::BadState { path })?;
    Ok(Some(state).filter(|state| state.key.name() == name))
}

/// The file, as JSON.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    key: String,
    tree: StoredTree,
    note: Option<String>,
    at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    places: BTreeMap<String, StoredPlace>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredPlace {
    notes: VecDeque<String>,
    seen: StoredTree,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredTree {
    size: u64,
    hash: String,
    roots: Vec<String>,
}

impl StoredTree {
    fn of(tree: &AuditTree) -> Self {
        let roots = tree.frontier().roots().iter();
        Self {
            size: tree.head().seq,
            hash: tree.head().hash.to_string(),
            roots: roots.map(ToString::to_string).collect(),
        }
    }

    fn read(&self) -> Option<AuditTree> {
        let roots = self.roots.iter().map(|root| Hash::parse(root));
        let tree = Frontier::from_roots(self.size, roots.collect::<Option<_>>()?).ok()?;
        let head = Head {
            seq: self.size,
            hash: self.hash.parse().ok()?,
        };
        AuditTree::new(head, tree).ok()
    }
}

impl Stored {
    fn of(state: &State) -> Self {
        let place = |place: &Place| StoredPlace {
            notes: place.notes.clone(),
            seen: StoredTree::of(&place.seen),
        };
        let places = state.places.iter();
        Self {
            key: state.key.to_string(),
            tree: StoredTree::of(&state.tree),
            note: state.note.as_ref().map(ToString::to_string),
            at: state.at,
            refused: state.refused.clone(),
            places: places
                .map(|(name, found)| (name.clone(), place(found)))
                .collect(),
        }
    }

    fn read(self, key: &VerifyingKey) -> Option<State> {
        let written: VerifyingKey = self.key.parse().ok()?;
        let note: Option<Note> = self.note.map(|note| note.parse()).transpose().ok()?;
        let size = match (&note, written == *key) {
            (Some(note), true) => Checkpoint::verify(note, key).ok()?.size(),
            _ => 0,
        };
        let mut places = BTreeMap::new();
        for (name, StoredPlace { notes, seen }) in self.places {
            let seen = seen.read()?;
            places.insert(name, Place { notes, seen });
        }
        let tree = self.tree.read()?;
        (size <= tree.head().seq).then_some(State {
            key: written,
            tree,
            note,
            size,
            at: self.at,
            refused: self.refused,
            places,
        })
    }
}

/// In the data folder.
const FILE: &str = "checkpoints.json";
/// A day of them, one a minute.
const MAX_WAITING: usize = 1440;
/// A day of checkpoints for each of 16 places, each with many cosignatures.
const MAX_LEN: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use dc_evidence::SigningKey;

    use super::super::tests::pkcs8;
    use super::*;

    fn key(name: &str) -> SigningKey {
        SigningKey::from_pkcs8(name, &pkcs8()).unwrap()
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    }

    fn state(count: u64) -> State {
        let folder = tempfile::tempdir().unwrap();
        let key = key("log");
        let mut state = State::read(folder.path(), key.verifying_key()).unwrap();
        for size in 1..=count {
            let mut tree = state.tree.frontier().clone();
            tree.push(Hash::of_nothing());
            let head = Head {
                seq: size,
                ..Head::EMPTY
            };
            state.grown(AuditTree::new(head, tree.clone()).unwrap());
            let note = Checkpoint::of(&tree, &key).sign(&key).unwrap();
            state.signed(note, at(size), &["a".to_owned()]);
        }
        state
    }

    #[test]
    fn what_is_written_is_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(3);
        state.write(folder.path()).unwrap();
        let key = key("log");
        let read = State::read(folder.path(), key.verifying_key()).unwrap();
        assert_eq!(read, state);
        assert_eq!((read.signed_size(), read.waiting("a")), (3, 3));
        let path = folder.path().join(FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_somebody_changed_is_no_beginning() {
        let folder = tempfile::tempdir().unwrap();
        state(3).write(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        let good = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("\"size\":3", "\"size\":2"),
            ("log\\n3\\n", "log\\n2\\n"),
            ("{", ""),
            ("\"at\"", "\"when\""),
        ] {
            assert!(good.contains(from), "{from} {good}");
            std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
            let refused = State::read(folder.path(), key("log").verifying_key()).unwrap_err();
            assert!(matches!(refused, Error::BadState { .. }), "{refused}");
        }
        // Another name begins another log.
        std::fs::write(&path, good).unwrap();
        let other = State::read(folder.path(), key("other").verifying_key()).unwrap();
        assert_eq!((other.signed_size(), other.waiting("a")), (0, 0));
    }

    #[test]
    fn what_waits_is_bounded_and_the_last_is_there() {
        let mut state = state(MAX_WAITING as u64 * 3);
        assert!(state.waiting("a") <= MAX_WAITING);
        let size = |note: &String| note.lines().nth(1).unwrap().parse::<u64>().unwrap();
        let notes: Vec<u64> = state.place("a").notes.iter().map(size).collect();
        assert!(notes.is_sorted());
        assert_eq!(notes.last(), Some(&(MAX_WAITING as u64 * 3)));
        state.keep_only(&[]);
        assert_eq!(state.waiting("a"), 0);
    }
}
