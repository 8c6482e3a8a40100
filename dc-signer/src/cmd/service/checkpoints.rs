//! Files of checkpoints of the audit log: reading one, and adding to one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dc_evidence::{Checkpoint, Note, SigningKey, VerifyingKey};
use dc_pki::keys;
use dc_store::{AuditTree, Store};

use super::error::Error;
use super::place::for_file;

/// The checkpoints of a file, each verified.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    notes: Vec<Note>,
    all: Vec<Checkpoint>,
}

impl Checkpoints {
    /// Fails with [`Error::CheckpointFile`], and with [`Error::Checkpoints`] if one is malformed or not signed by this key.
    pub(super) fn read(path: &Path, key: &VerifyingKey) -> Result<Self, Error> {
        let invoker = for_file(path)?;
        let file = fs::read_to_string(path).map_err(failed(path))?;
        drop(invoker);
        let notes = Note::read_all(&file).map_err(wrong(path))?;
        let all = notes.iter().map(|note| Checkpoint::verify(note, key));
        let all = all.collect::<Result<_, _>>().map_err(wrong(path))?;
        Ok(Self { notes, all })
    }

    pub(super) fn all(&self) -> Vec<Checkpoint> {
        self.all.clone()
    }

    /// The smallest that has a record, with its note; or else the largest.
    pub(super) fn with(&self, seq: u64) -> Option<(&Checkpoint, &Note)> {
        let all = self.all.iter().zip(&self.notes);
        let has = all
            .clone()
            .filter(|(checkpoint, _)| checkpoint.size() >= seq);
        let size = |(checkpoint, _): &(&Checkpoint, &Note)| checkpoint.size();
        has.min_by_key(size).or_else(|| all.max_by_key(size))
    }
}

/// Reads the key of a log, in PKCS#8 within PEM: who else has it can sign for another log.
pub(super) fn signing_key(path: &Path, name: &str) -> Result<SigningKey, Error> {
    let key = keys::read_private(path)?;
    SigningKey::from_pkcs8(name, key.secret_der()).map_err(wrong(path))
}

/// Signs for the log as it is, if it is as the checkpoints of the file say, and puts the new one behind them.
pub(super) async fn append(
    store: &Store,
    path: &Path,
    key: &SigningKey,
) -> Result<Checkpoint, Error> {
    let invoker = for_file(path)?;
    let there = fs::exists(path).map_err(failed(path))?;
    drop(invoker);
    let known = match there {
        true => Checkpoints::read(path, key.verifying_key())?,
        false => Checkpoints::default(),
    };
    let tree = store.grow_audit_tree(&AuditTree::EMPTY).await?;
    let new = Checkpoint::of(tree.frontier(), key);
    // One walk sees all of them, so the log cannot be another one for the new one than for those before.
    let all = [known.all, vec![new.clone()]].concat();
    store.verify_audit_with(all, &|_| ()).await?;
    let note = new.sign(key).map_err(wrong(path))?;
    let _invoker = for_file(path)?;
    let file = File::options().create(true).append(true).open(path);
    file.and_then(|mut file| {
        file.write_all(format!("{note}\n").as_bytes())?;
        file.sync_all()
    })
    .map_err(failed(path))?;
    Ok(new)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = PathBuf::from(path);
    move |source| Error::CheckpointFile {
        path: path.clone(),
        source,
    }
}

fn wrong(path: &Path) -> impl Fn(dc_evidence::Error) -> Error {
    let path = PathBuf::from(path);
    move |source| Error::Checkpoints {
        path: path.clone(),
        source,
    }
}
