//! The link that servers follow in an identity folder: a link to a generation, and what else may have come in its place.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::folder::{ASIDE, Folder, NEW_LINK, generation_name, number, remove_all, write_failed};
use super::generation::Generation;
use super::verify::UntrustedError;
use crate::error::Error;
use dc_pki::files::{self, Access, NewFile};

/// The state of `current`.
#[derive(Debug, Default)]
pub struct Found {
    /// The generation that servers read there.
    pub generation: Option<Generation>,
    /// The fault of it, if it has one.
    pub fault: Option<Fault>,
}

/// A fault of `current`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// It leads to a generation that is not whole.
    Broken(Error),
    /// It leads to something else than a generation of its folder.
    Elsewhere,
    /// It is a folder.
    IsFolder,
    /// It is a file.
    IsFile,
    /// It is not there, but generations are.
    Missing,
    /// It leads to a generation that no client accepts at any time.
    Refused(UntrustedError),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(error) => return write!(f, "the current generation was broken ({error})"),
            Self::Refused(why) => {
                return write!(f, "clients did not accept the current generation ({why})");
            }
            Self::Elsewhere => "'current' led to no generation of the identity folder",
            Self::IsFolder => {
                "'current' was a folder and not a link, as after a copy without links"
            }
            Self::IsFile => "'current' was a file and not a link, as after a copy without links",
            Self::Missing => "there was no 'current', but there are generations",
        })
    }
}

impl Folder {
    /// The number of the generation that `current` leads to; none if it leads to none of this folder.
    #[must_use]
    pub fn current_number(&self) -> Option<u64> {
        let target = fs::read_link(self.current()).ok()?;
        let number = number(target.file_name()?.to_str()?)?;
        // A link may name its generation from elsewhere, but only its generation.
        let is_ours = target.parent() == Some(Path::new("")) || self.is_this(target.parent()?);
        is_ours.then_some(number)
    }

    fn is_this(&self, folder: &Path) -> bool {
        let folder = self.path.join(folder);
        matches!((folder.canonicalize(), self.path.canonicalize()), (Ok(one), Ok(other)) if one == other)
    }

    /// Reads what is behind `current`, as a server does.
    ///
    /// Fails with [`Error::Read`](dc_pki::Error::Read) for whoever may not look.
    pub fn look(&self) -> Result<Found, Error> {
        let current = self.current();
        let kind = match current.symlink_metadata() {
            Ok(metadata) => metadata.file_type(),
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                return Err(files::read_failed(&current, source).into());
            }
            Err(_) => {
                let fault = (!self.numbers().is_empty()).then_some(Fault::Missing);
                return Ok(Found {
                    generation: None,
                    fault,
                });
            }
        };
        let number = self.current_number();
        let (generation, fault) = match self.read(&current, number.unwrap_or_default()) {
            Err(error) if error.is_closed() => return Err(error),
            Err(error) => (None, Some(Fault::Broken(error))),
            Ok(generation) => (Some(generation), None),
        };
        let fault = match number {
            Some(_) => fault,
            None if kind.is_symlink() => Some(Fault::Elsewhere),
            None if kind.is_dir() => Some(Fault::IsFolder),
            None => Some(Fault::IsFile),
        };
        Ok(Found { generation, fault })
    }

    /// Makes a generation out of what is in `current` itself, which is a folder or leads elsewhere. Returns its number.
    ///
    /// Fails as reading and writing its files does.
    pub fn adopt(&self) -> Result<u64, Error> {
        let number = self.numbers().first().map_or(1, |newest| newest + 1);
        let mut contents = Vec::new();
        for (name, access) in self.files() {
            let path = self.current().join(name);
            match files::read(&path) {
                // The client's are not in every generation.
                Err(_) if name.contains('/') && !files::exists(&path) => {}
                read => contents.push((name, access, read?)),
            }
        }
        let files: Vec<NewFile<'_>> = contents
            .iter()
            .map(|(name, access, contents)| NewFile {
                name,
                contents,
                access: *access,
            })
            .collect();
        files::create_folder(&self.generation(number), Access::Everyone, &files)?;
        Ok(number)
    }

    /// Makes a generation the current one, in one step, whatever `current` is.
    ///
    /// Fails with [`Error::NoLinks`] on a file system that has no links, and with [`Error::Write`](dc_pki::Error::Write).
    pub fn point_to(&self, number: u64) -> Result<(), Error> {
        let (new, current) = (self.path.join(NEW_LINK), self.current());
        remove_all(&new)?;
        symlink(generation_name(number), &new).map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported if self.has_no_links() => {
                let path = self.path.clone();
                Error::NoLinks { path }
            }
            _ => write_failed(&current, source),
        })?;
        let is_folder = current.symlink_metadata().is_ok_and(|it| it.is_dir());
        match is_folder {
            true => self.exchange(&new, &current),
            false => fs::rename(&new, &current),
        }
        .map_err(|source| write_failed(&current, source))?;
        files::sync(&self.path)?;
        // After an exchange, what was in the link's place.
        remove_all(&new)
    }

    /// Puts a link in the place of a folder: the two change places, or, where the file system cannot do that, one
    /// after the other. If the power goes in between, the next start finds generations without a link.
    fn exchange(&self, new: &Path, current: &Path) -> io::Result<()> {
        match renameat_with(CWD, new, CWD, current, RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(()),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
        let aside = self.path.join(ASIDE);
        fs::rename(current, &aside)?;
        fs::rename(new, current)?;
        fs::remove_dir_all(aside)
    }

    /// True if this folder can be written, so that a link that is refused is refused as such.
    fn has_no_links(&self) -> bool {
        tempfile::tempfile_in(&self.path).is_ok()
    }
}
