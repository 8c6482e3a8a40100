//! `--save-token`: a file that is written before anything is done, and gets its name after it.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use dc_pki::files::{self, Access as Readers, NewFile, Staged};
use dc_store::owner;
use dc_store::registry::{Access, Operator, Sha256};

use super::super::error::Error;

/// A token in a file that has not got its name yet. Whoever runs the command owns it; nothing of it is left when it is dropped.
#[derive(Debug)]
pub(super) struct Saved {
    path: PathBuf,
    staged: Option<Staged>,
    /// The name is kept by an empty file, which is this one's.
    reserved: bool,
}

impl Saved {
    /// Writes a token next to where it will be. What is there already stays, unless it is a token of `whose`.
    ///
    /// Fails with [`Error::TokenFileExists`], and with what writing fails with.
    pub(super) fn write(path: &Path, token: &str, whose: Option<&Operator>) -> Result<Self, Error> {
        let _invoker = owner::as_invoker()?;
        let folder = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let name = path.file_name().and_then(|name| name.to_str());
        let file = NewFile {
            name: name.ok_or_else(|| Error::NoFileName { path: path.into() })?,
            contents: token.as_bytes(),
            access: Readers::Owner,
        };
        let mut saved = Self {
            path: path.into(),
            staged: None,
            reserved: false,
        };
        saved.reserve(whose)?;
        let staged = files::stage(folder.unwrap_or_else(|| Path::new(".")), &file)?;
        // Root may renew the token of a timer that is somebody else's.
        if !saved.reserved {
            staged.keep_owner()?;
        }
        saved.staged = Some(staged);
        Ok(saved)
    }

    /// Keeps the name, so that whatever is put there meanwhile is not lost, and the token is not either.
    fn reserve(&mut self, whose: Option<&Operator>) -> Result<(), Error> {
        let path = &self.path;
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => self.reserved = true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if !whose.is_some_and(|operator| is_token_of(operator, path)) {
                    return Err(Error::TokenFileExists { path: path.clone() });
                }
            }
            Err(source) => return Err(files::write_failed(path)(source).into()),
        }
        Ok(())
    }

    /// Gives the file its name; says which that is.
    ///
    /// Fails with what writing fails with.
    pub(super) fn keep(mut self) -> Result<PathBuf, Error> {
        let _invoker = owner::as_invoker()?;
        if let Some(staged) = self.staged.take() {
            staged.replace()?;
        }
        self.reserved = false;
        Ok(self.path.clone())
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        // Who works for the owner of the data folder may not remove it.
        let _invoker = owner::as_invoker();
        self.staged = None;
        if self.reserved {
            // It is empty, and the error that led here is the one to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// True if a file has a token that lets this operator in, or did before the last one.
fn is_token_of(operator: &Operator, path: &Path) -> bool {
    let Ok(contents) = files::read(path) else {
        return false;
    };
    let there = Access::Token(Sha256::of(contents.trim_ascii()));
    let previous = operator.previous.as_ref().map(|previous| &previous.access);
    operator.access == there || previous == Some(&there)
}
