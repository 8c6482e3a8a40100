//! The newest timeline of a PostgreSQL database that was used: each promotion of a standby begins another one.
//!
//! It is in a small file of the data folder, so that a signer which starts again writes to no old primary that came back. It is
//! written before the server is used that is on it. Timelines of other databases say nothing: each has a number of its own.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Error, kept};

/// The timelines that are known.
#[derive(Debug, Default)]
pub(super) struct Timelines {
    /// None for whoever has no data folder.
    folder: Option<PathBuf>,
    newest: Mutex<Option<Newest>>,
}

/// The newest timeline of a database.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Newest {
    /// As PostgreSQL calls it: the same at a primary and its standbys.
    system_identifier: i64,
    timeline: u32,
}

impl Timelines {
    /// Those of a signer with this data folder.
    ///
    /// Fails with [`Error::NotPermitted`] and [`Error::Corrupt`].
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            newest: read(folder)?.into(),
            folder: Some(folder.into()),
        })
    }

    /// The newest timeline of a database; 0 if none is known.
    pub(super) fn newest_of(&self, system_identifier: i64) -> u32 {
        let newest = *self.lock();
        let newest = newest.filter(|newest| newest.system_identifier == system_identifier);
        newest.map_or(0, |newest| newest.timeline)
    }

    /// A server on this timeline is used. A signer whose folder is full goes on.
    pub(super) fn use_one(&self, system_identifier: i64, timeline: u32) {
        let used = Newest {
            system_identifier,
            timeline,
        };
        let mut newest = self.lock();
        let is_known = |known: Newest| {
            known.system_identifier == system_identifier && known.timeline >= timeline
        };
        if timeline == 0 || newest.is_some_and(is_known) {
            return;
        }
        *newest = Some(used);
        let Some(folder) = &self.folder else { return };
        // Another process may know a newer one.
        if read(folder).ok().flatten().is_some_and(is_known) {
            return;
        }
        let json = serde_json::to_vec(&used).expect("two numbers are JSON");
        if let Err(error) = kept::put(folder, FILE, &json) {
            tracing::warn!(target: LOG, %error, "the timeline of the database cannot be kept in the data folder");
        }
    }

    /// The file of which somebody can remove what is known.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(FILE))
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, Option<Newest>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(folder: &Path) -> Result<Option<Newest>, Error> {
    let json = kept::get(folder, FILE)?;
    let newest = json.map(|json| serde_json::from_slice(&json).map_err(|_| BAD));
    newest.transpose()
}

/// The target of its lines in the log: filters that name the signer hold for its database as well.
const LOG: &str = "dc_signer::store";
const FILE: &str = "database-timeline.json";
const BAD: Error = Error::Corrupt {
    place: "database-timeline.json of the data folder",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_timeline_is_known_after_a_restart_and_for_its_database_alone() {
        let folder = tempfile::tempdir().unwrap();
        let timelines = Timelines::open(folder.path()).unwrap();
        assert_eq!(timelines.newest_of(7), 0);
        timelines.use_one(7, 3);
        timelines.use_one(7, 2);
        let again = Timelines::open(folder.path()).unwrap();
        assert_eq!([7, 8].map(|system| again.newest_of(system)), [3, 0]);
        // Another process was quicker.
        again.use_one(7, 5);
        timelines.use_one(7, 4);
        let again = Timelines::open(folder.path()).unwrap();
        assert_eq!(again.newest_of(7), 5);
        // It was moved to another server.
        again.use_one(8, 1);
        let again = Timelines::open(folder.path()).unwrap();
        assert_eq!([7, 8].map(|system| again.newest_of(system)), [0, 1]);
    }

    #[test]
    fn a_file_that_nobody_wrote_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let timelines = Timelines::open(folder.path()).unwrap();
        for text in ["", "{}", "{\"timeline\":1}"] {
            std::fs::write(timelines.file().unwrap(), text).unwrap();
            let error = Timelines::open(folder.path()).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        }
    }
}
