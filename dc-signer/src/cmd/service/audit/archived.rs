//! The files of archives, with which a log is verified from its first record.

use std::path::{Path, PathBuf};

use dc_store::Store;

use crate::cmd::service::error::Error;

/// The files of the archives.
#[derive(Debug, clap::Args)]
pub(super) struct Archived {
    /// All files that 'audit archive' has written, in their order: with them the log is walked from its first record
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "config")]
    archives: Vec<PathBuf>,
    /// Go without the files of archives: then nothing is proved of the records within
    #[arg(long, conflicts_with = "archives", requires = "config")]
    without_archives: bool,
}

impl Archived {
    /// The files that were given.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.archives.clone()
    }

    /// Checks that the files are there, or that nobody wants them.
    ///
    /// Fails with [`Error::ArchivesNotGiven`].
    pub(super) fn check(&self, archived: u64) -> Result<(), Error> {
        match archived > 0 && self.archives.is_empty() && !self.without_archives {
            true => Err(Error::ArchivesNotGiven { last: archived }),
            false => Ok(()),
        }
    }

    /// The files that were given, or else those in the folder that archives are written to.
    ///
    /// Fails with [`Error::NoArchive`].
    pub(super) async fn or_in(&self, folder: &Path, store: &Store) -> Result<Vec<PathBuf>, Error> {
        if self.without_archives || !self.archives.is_empty() {
            return Ok(self.files());
        }
        let mut files = Vec::new();
        for archive in store.archives().await? {
            let (first, last) = (archive.first, archive.end.seq);
            let path = path_in(folder, first, last);
            if !path.is_file() {
                return Err(Error::NoArchive { path, first, last });
            }
            files.push(path);
        }
        Ok(files)
    }
}

/// The place of an archive.
pub(super) fn path_in(folder: &Path, first: u64, last: u64) -> PathBuf {
    folder.join(format!("audit-{first:012}-{last:012}.ndjson"))
}
