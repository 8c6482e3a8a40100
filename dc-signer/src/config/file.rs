//! Reading the file of a configuration.

use std::path::Path;

use super::error::{Error, KeyError};
use dc_pki::files;

/// Reads a file with the parser of its text, which is told the folder that relative paths begin at.
///
/// Fails with [`Error::Read`], and with [`Error::Invalid`], which has everything that is wrong.
pub(super) fn load<T>(
    path: &Path,
    parse: impl FnOnce(&str, &Path) -> Result<T, Vec<KeyError>>,
) -> Result<T, Error> {
    let bad = |errors| Error::Invalid {
        path: path.into(),
        errors,
    };
    let file = files::read(path)?;
    let text = str::from_utf8(&file).map_err(|error| bad(vec![not_utf8(&file, error)]))?;
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    parse(text, base).map_err(bad)
}

pub(super) fn not_utf8(file: &[u8], error: std::str::Utf8Error) -> KeyError {
    let read = file.get(..error.valid_up_to()).unwrap_or_default();
    KeyError::not_toml(read, "this line is not UTF-8")
}
