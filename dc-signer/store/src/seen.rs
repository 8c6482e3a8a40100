//! How far the audit log has been: what a signer knows of its database without asking it.
//!
//! It is in a small file of the data folder, so that a database that somebody has put back to an older copy is noticed,
//! in which devices are active that were suspended since. The file is written every few seconds and when a process ends,
//! not for each record: what was recorded in the last seconds before a signer is killed, it does not know.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Error, Store, kept};
use crate::registry::{Head, Record, Sha256};

/// The newest end of the log that was seen.
#[derive(Debug)]
pub(super) struct Seen {
    folder: PathBuf,
    /// The newest one when this process began.
    before: Option<Head>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    newest: Option<Head>,
    /// The end that is in the file, as far as this process knows.
    written: Option<Head>,
    /// Which file that is: another process may have put another one there.
    file: Option<FileId>,
    /// Where the log of the database ends, if it is an older one.
    older: Option<u64>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    seq: u64,
    hash: String,
}

/// How far the audit log has been by what is in a data folder.
///
/// Fails with [`Error::NotPermitted`] and [`Error::Corrupt`].
pub fn seen_in(folder: &Path) -> Result<Option<Head>, Error> {
    let Some(json) = kept::get(folder, FILE)? else {
        return Ok(None);
    };
    let Stored { seq, hash } = serde_json::from_slice(&json).map_err(|_| BAD)?;
    let hash: Sha256 = hash.parse().map_err(|_| BAD)?;
    Ok(Some(Head { seq, hash }))
}

/// Checks that a database is no older copy than the one of which a data folder knows.
///
/// Fails with [`Error::OlderThanSeen`], and as [`seen_in`] does.
pub async fn check_newest(folder: &Path, store: &Store) -> Result<(), Error> {
    let Some(known) = seen_in(folder)?.filter(|known| *known != Head::EMPTY) else {
        return Ok(());
    };
    let there = store.audit_from(known.seq, 1).await?;
    match there.first().map(Record::hash) == Some(known.hash) {
        true => Ok(()),
        false => Err(Error::OlderThanSeen {
            known: known.seq,
            found: store.audit_head().await?.seq,
        }),
    }
}

/// Takes this end of the log for the newest one, for whoever has put another database in the place.
///
/// Fails with [`Error::NotPermitted`] and [`Error::CannotWrite`].
pub fn accept_in(folder: &Path, head: Head) -> Result<(), Error> {
    let stored = Stored {
        seq: head.seq,
        hash: head.hash.to_string(),
    };
    let json = serde_json::to_vec(&stored).expect("a number and a text are JSON");
    kept::put(folder, FILE, &json)
}

impl Seen {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let file = FileId::of(folder);
        let newest = seen_in(folder)?;
        let state = State {
            newest,
            written: newest,
            file,
            older: None,
        };
        Ok(Self {
            folder: folder.into(),
            before: newest,
            state: state.into(),
        })
    }

    pub(super) fn before(&self) -> Option<Head> {
        self.before
    }

    pub(super) fn newest(&self) -> Option<Head> {
        self.lock().newest
    }

    /// Fails with [`Error::OlderThanSeen`] if the database was last found to be an older copy.
    pub(super) fn check(&self) -> Result<(), Error> {
        let State { newest, older, .. } = *self.lock();
        match (newest, older) {
            (Some(newest), Some(found)) => Err(Error::OlderThanSeen {
                known: newest.seq,
                found,
            }),
            _ => Ok(()),
        }
    }

    /// This is the end of the log now, and it continues what was seen.
    pub(super) fn follow(&self, head: Head) {
        let mut state = self.lock();
        state.older = None;
        if state.newest.is_none_or(|newest| newest.seq <= head.seq) {
            state.newest = Some(head);
        }
    }

    /// The database is an older copy, whose log ends here. What is known is kept before anything else happens.
    pub(super) fn is_older(&self, found: u64) {
        let before = self.lock().older.replace(found);
        if before.is_none() {
            if let Err(error) = self.check() {
                tracing::error!(target: LOG, "{error}");
            }
            self.write_what(State::unwritten);
        }
    }

    /// While the database is an older copy, somebody may have accepted that in another process.
    pub(super) fn look_again(&self) -> Result<(), Error> {
        if self.lock().older.is_some() {
            let file = FileId::of(&self.folder);
            let newest = seen_in(&self.folder)?;
            let mut state = self.lock();
            (state.newest, state.written, state.file) = (newest, newest, file);
        }
        Ok(())
    }

    /// True if another process has written the file since it was read.
    pub(super) fn is_behind_file(&self) -> bool {
        FileId::of(&self.folder) != self.lock().file
    }

    /// The end that another process has written, if the file is another one than this process knows.
    pub(super) fn others(&self) -> Result<Option<Others>, Error> {
        let file = FileId::of(&self.folder);
        if file == self.lock().file {
            return Ok(None);
        }
        let head = seen_in(&self.folder)?;
        Ok(Some(Others { head, file }))
    }

    /// The log has the end that another process has written too.
    pub(super) fn agree(&self, others: Others) {
        let mut state = self.lock();
        (state.written, state.file) = (others.head, others.file);
        let is_newer = |head: &Head| state.newest.is_none_or(|newest| newest.seq < head.seq);
        if let Some(head) = others.head.filter(is_newer) {
            state.newest = Some(head);
        }
    }

    /// The log does not have the end that another process has seen, and ends here. That one counts from now on, and stays in the
    /// file.
    pub(super) fn disagree(&self, others: Others, found: u64) {
        let mut state = self.lock();
        (state.newest, state.written, state.file) = (others.head, others.head, others.file);
        drop(state);
        self.is_older(found);
    }

    /// Accepts an end, whatever was seen before.
    pub(super) fn accept(&self, head: Head) -> Result<(), Error> {
        let _alone = alone(&self.folder);
        accept_in(&self.folder, head)?;
        *self.lock() = State {
            newest: Some(head),
            written: Some(head),
            file: FileId::of(&self.folder),
            older: None,
        };
        Ok(())
    }

    /// Writes the file if there is something new, and no other process has written it since it was read. A signer whose folder is
    /// full goes on.
    pub(super) fn write(&self) {
        self.write_what(|state| state.unwritten().filter(|_| state.older.is_none()));
    }

    fn write_what(&self, what: impl FnOnce(&State) -> Option<Head>) {
        let Some(head) = what(&self.lock()) else {
            return;
        };
        let _alone = alone(&self.folder);
        if self.is_behind_file() {
            return;
        }
        match accept_in(&self.folder, head) {
            Ok(()) => {
                let mut state = self.lock();
                (state.written, state.file) = (Some(head), FileId::of(&self.folder));
            }
            Err(error) => {
                tracing::warn!(target: LOG, %error, "how far the audit log is cannot be kept in the data folder");
            }
        }
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn unwritten(&self) -> Option<Head> {
        self.newest.filter(|head| self.written != Some(*head))
    }
}

/// The end that another process has written.
pub(super) struct Others {
    pub(super) head: Option<Head>,
    file: Option<FileId>,
}

/// Tells one file from another that was put in its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct FileId {
    inode: u64,
    changed: (i64, i64),
}

impl FileId {
    /// None if there is no file that could be looked at.
    fn of(folder: &Path) -> Option<Self> {
        let found = folder.join(FILE).symlink_metadata().ok()?;
        Some(Self {
            inode: found.ino(),
            changed: (found.mtime(), found.mtime_nsec()),
        })
    }
}

/// As long as the result lives, no other process writes; on a file system without locks others do.
fn alone(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// The target of its lines in the log: filters that name the signer hold for its database as well.
const LOG: &str = "dc_signer::store";
const FILE: &str = "audit-head.json";
const BAD: Error = Error::Corrupt {
    place: "audit-head.json of the data folder",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: u64) -> Head {
        let hash = Sha256::of(&seq.to_be_bytes());
        Head { seq, hash }
    }

    #[test]
    fn what_was_seen_is_there_after_a_restart_and_only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let seen = Seen::open(folder.path()).unwrap();
        assert_eq!(seen.newest(), None);
        seen.follow(head(7));
        seen.follow(head(6));
        seen.write();
        let again = Seen::open(folder.path()).unwrap();
        assert_eq!(again.newest(), Some(head(7)));
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_older_copy_is_refused_until_somebody_accepts_it() {
        let folder = tempfile::tempdir().unwrap();
        let seen = Seen::open(folder.path()).unwrap();
        seen.follow(head(7));
        seen.is_older(3);
        // Although nobody has asked for it to be written.
        assert_eq!(seen_in(folder.path()).unwrap(), Some(head(7)));
        let error = seen.check().unwrap_err();
        assert!(matches!(error, Error::OlderThanSeen { known: 7, found: 3 }));
        seen.look_again().unwrap();
        assert_eq!(seen.newest(), Some(head(7)));
        accept_in(folder.path(), head(3)).unwrap();
        seen.look_again().unwrap();
        assert_eq!(seen.newest(), Some(head(3)));
        seen.follow(head(4));
        seen.check().unwrap();
    }

    #[test]
    fn a_file_that_nobody_wrote_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{}", "{\"seq\":1,\"hash\":\"00\"}"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let error = Seen::open(folder.path()).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        }
    }

    #[test]
    fn what_another_process_has_written_is_not_overwritten_before_it_was_compared() {
        let folder = tempfile::tempdir().unwrap();
        let seen = Seen::open(folder.path()).unwrap();
        seen.follow(head(7));
        seen.write();
        accept_in(folder.path(), head(9)).unwrap();
        seen.follow(head(8));
        seen.write();
        assert_eq!(seen_in(folder.path()).unwrap(), Some(head(9)));
        let others = seen.others().unwrap().unwrap();
        assert_eq!(others.head, Some(head(9)));
        seen.agree(others);
        seen.write();
        assert_eq!(seen_in(folder.path()).unwrap(), Some(head(9)));
        seen.follow(head(10));
        seen.write();
        assert_eq!(seen_in(folder.path()).unwrap(), Some(head(10)));
        accept_in(folder.path(), head(11)).unwrap();
        seen.disagree(seen.others().unwrap().unwrap(), 12);
        seen.write();
        let error = seen.check().unwrap_err();
        assert!(
            matches!(
                error,
                Error::OlderThanSeen {
                    known: 11,
                    found: 12
                }
            ),
            "{error}"
        );
        assert_eq!(seen_in(folder.path()).unwrap(), Some(head(11)));
    }
}
