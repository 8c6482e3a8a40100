//! Small files of the data folder, which are there whole or not at all.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::Error;
use super::sqlite::not_opened;

/// Reads a file; none if there is none. Of a long one, which nobody here has written, only the beginning.
///
/// Fails with [`Error::NotPermitted`] and [`Error::Unavailable`].
pub(super) fn get(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let path = folder.join(name);
    let bytes = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.and_then(|_| read(&path)),
    };
    bytes.map(Some).map_err(|error| not_opened(&path, error))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_LEN).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a file in the place of what was there, if anything was.
///
/// Fails with [`Error::NotPermitted`] and [`Error::CannotWrite`].
pub(super) fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    write(folder, name, bytes).map_err(|error| not_opened(&folder.join(name), error))
}

/// Under a temporary name first, which only the owner can read.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder).map_err(without_path)?;
    file.write_all(bytes).map_err(without_path)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))
        .map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// A temporary name says nothing to whoever reads the error.
fn without_path(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => error,
        None => error.kind().into(),
    }
}

/// Many times what any of them has.
const MAX_LEN: u64 = 4096;
