//! The virtual time of a world: programs get it from a library that is loaded into them, our own code from here.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;

use pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::Result;

/// A clock that runs as the machine's does, ahead by a number of seconds that can be changed at any time.
#[derive(Debug)]
pub(crate) struct Clock {
    library: PathBuf,
    path: PathBuf,
    file: File,
    ahead: Mutex<u64>,
}

impl Clock {
    /// A clock that is right, whose file is in `folder`; `library` is `virtual_clock.c`, compiled.
    pub(crate) fn new(folder: &Path, library: &Path) -> Result<Self> {
        let path = folder.join("clock");
        fs::write(&path, 0u64.to_ne_bytes())?;
        Ok(Self {
            library: library.to_owned(),
            file: File::options().write(true).open(&path)?,
            path,
            ahead: Mutex::new(0),
        })
    }

    /// The library that programs get.
    pub(crate) fn library(&self) -> &Path {
        &self.library
    }

    /// The virtual time, in Unix seconds.
    pub(crate) fn now(&self) -> u64 {
        UnixTime::now().as_secs() + *self.ahead()
    }

    /// Makes it this late, for all programs at once. It never goes back: that is another experiment.
    pub(crate) fn advance_to(&self, moment: u64) -> Result<()> {
        let mut ahead = self.ahead();
        let wanted = moment.saturating_sub(UnixTime::now().as_secs());
        *ahead = wanted.max(*ahead);
        self.file.write_all_at(&ahead.to_ne_bytes(), 0)?;
        Ok(())
    }

    /// A program that lives in this time.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("LD_PRELOAD", &self.library)
            .env("DC_CLOCK", &self.path);
        command
    }

    fn ahead(&self) -> std::sync::MutexGuard<'_, u64> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            self.now(),
        )))
    }
}
