//! What an experiment has: a folder, a clock, a ledger, and how long certificates live in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Result;
use crate::clock::Clock;
use crate::ledger::Ledger;

/// The place of one experiment. Cheap to clone; all clones are the same world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    folder: Arc<PathBuf>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) ledger: Arc<Ledger>,
    /// How long a certificate of a public CA lives, in days.
    pub(crate) certificate_days: u64,
}

impl World {
    pub(crate) fn new(folder: &Path, library: &Path, certificate_days: u64) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            clock: Arc::new(Clock::new(folder, library)?),
            folder: Arc::new(folder.to_owned()),
            ledger: Arc::default(),
            certificate_days,
        })
    }

    /// A world that has nothing in common with this one but the place where its folder is.
    pub(crate) fn apart(&self, name: &str) -> Result<Self> {
        Self::new(
            &self.folder(name)?,
            self.clock.library(),
            self.certificate_days,
        )
    }

    /// Another world in the same time, with a folder and a ledger of its own: what is in both can be visited by one
    /// client.
    pub(crate) fn beside(&self, name: &str) -> Result<Self> {
        Ok(Self {
            clock: Arc::clone(&self.clock),
            folder: Arc::new(self.folder(name)?),
            ledger: Arc::default(),
            certificate_days: self.certificate_days,
        })
    }

    /// A folder of its own for this, made if it is missing.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The virtual time, in Unix seconds.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }
}
