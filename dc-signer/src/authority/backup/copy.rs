//! Copies of files and folders between a data folder and what is outside, each with the rights that count there.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::Error as BackupError;
use dc_pki::Error;
use dc_pki::files;
use dc_store::owner;

/// Makes a folder that is not there yet, and those above it.
pub(super) fn make_new_folder(path: &Path) -> Result<(), Error> {
    if files::is_there(path)? {
        return Err(Error::Exists { path: path.into() });
    }
    if let Some(above) = path.parent() {
        fs::create_dir_all(above).map_err(|source| files::write_failed(above)(source))?;
    }
    make_folder(path)
}

/// A folder that only its owner can read, whatever the umask is.
fn make_folder(path: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new().mode(0o700).create(path);
    made.map_err(files::write_failed(path))
}

/// Whose rights count: the data folder is its owner's, and a backup whoever's runs this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Data,
    Outside,
}

impl Side {
    pub(super) fn act<T, E: Into<BackupError>>(
        self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, BackupError> {
        let _invoker = match self {
            Self::Data => None,
            Self::Outside => Some(owner::as_invoker()?),
        };
        work().map_err(Into::into)
    }
}

/// Copies a folder with its folders; only its owner can read the copy.
pub(super) fn copy(from: (Side, &Path), to: (Side, &Path)) -> Result<(), BackupError> {
    to.0.act(|| make_folder(to.1))?;
    for (name, is_folder) in from.0.act(|| list(from.1))? {
        let (source, target) = (from.1.join(&name), to.1.join(&name));
        match is_folder {
            true => copy((from.0, &source), (to.0, &target))?,
            false => copy_file((from.0, &source), (to.0, &target))?,
        }
    }
    to.0.act(|| files::sync(to.1))
}

/// The names in a folder, and which of them are folders.
pub(super) fn list(folder: &Path) -> Result<Vec<(OsString, bool)>, Error> {
    let failed = |source| files::read_failed(folder, source);
    let entries = fs::read_dir(folder).map_err(failed)?;
    let entries = entries.map(|entry| {
        let entry = entry?;
        Ok((entry.file_name(), entry.file_type()?.is_dir()))
    });
    entries.collect::<io::Result<_>>().map_err(failed)
}

/// The copy of a file, which was not there, is safely on the disk.
pub(super) fn copy_file(from: (Side, &Path), to: (Side, &Path)) -> Result<(), BackupError> {
    let open = || File::open(from.1).map_err(|source| files::read_failed(from.1, source));
    let mut source = from.0.act(open)?;
    to.0.act(|| {
        let mut options = OpenOptions::new();
        let mut target = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to.1)
            .map_err(files::write_failed(to.1))?;
        let copied = io::copy(&mut source, &mut target).and_then(|_| target.sync_all());
        copied.map_err(files::write_failed(to.1))
    })
}
