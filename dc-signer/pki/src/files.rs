//! Files as a whole: read with a limit, written under a temporary name first, owner-only from the start.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::warning::Warning;

mod denied;

pub use denied::{explain, explain_group};
pub use denied::{group_name, user_name};

/// Reads a file of at most [`MAX_LEN`] bytes; what was read is wiped when it is dropped.
///
/// Fails with [`Error::Read`], and with [`Error::TooLarge`] before more than the limit is read.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    read_up_to(path, MAX_LEN)
}

/// Reads a file of at most `max` bytes, as [`read`] does.
pub fn read_up_to(path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |source| read_failed(path, source);
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    // Room for everything at once, which for a key is so from a pipe as well: a vector that grows leaves
    // copies behind. Not for `max` at once: wiping it would make a router keep all of it in memory.
    let room = usize::try_from(length).map_or(max, |length| length.max(MAX_LEN).min(max));
    let mut contents = Zeroizing::new(Vec::with_capacity(room + 1));
    let limit = u64::try_from(max + 1).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_end(&mut contents)
        .map_err(failed)?;
    if contents.len() > max {
        return Err(Error::TooLarge {
            path: path.into(),
            max,
        });
    }
    Ok(contents)
}

/// True if there is something at this path, if only a link that leads nowhere.
#[must_use]
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The same for what may be closed to this process: that it cannot be looked at does not mean that it is not there.
///
/// Fails with [`Error::Read`].
pub fn is_there(path: &Path) -> Result<bool, Error> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(read_failed(path, source)),
    }
}

/// A file that cannot be read; says whose it is if that is why.
pub fn read_failed(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.into(),
        source: explain(path, source),
    }
}

/// Warns if others than the owner, and the group that it was given to, may read a private key.
///
/// A group may: that is how a server reads a key that another user's agent renews, and how systemd hands out
/// credentials. None but the owner may write.
///
/// Fails with [`Error::Read`].
pub fn check_private(path: &Path) -> Result<Option<Warning>, Error> {
    let metadata = fs::metadata(path).map_err(|source| read_failed(path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    Ok((mode & 0o027 != 0).then(|| Warning::KeyReadable {
        path: path.into(),
        mode,
    }))
}

/// The readers of a file or folder, whatever the process's umask is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Everyone reads.
    Everyone,
    /// The owner reads, and the group of this number.
    Group(u32),
    /// Only the owner reads.
    Owner,
}

impl Access {
    const fn of_file(self) -> u32 {
        match self {
            Self::Everyone => 0o644,
            Self::Group(_) => 0o640,
            Self::Owner => PRIVATE_FILE,
        }
    }

    const fn of_folder(self) -> u32 {
        match self {
            Self::Everyone => 0o755,
            Self::Group(_) => 0o750,
            Self::Owner => PRIVATE_FOLDER,
        }
    }

    /// Lets others read a file that is still empty, or a folder that still is.
    ///
    /// It was made for its owner alone: so nobody reads it before it is the right group's, and what the umask leaves
    /// of a mode counts for nothing.
    fn hand_over(self, file: &File, mode: u32) -> io::Result<()> {
        if let Self::Group(group) = self {
            fchown(file, None, Some(group)).map_err(|source| explain_group(group, source))?;
        }
        file.set_permissions(Permissions::from_mode(mode))
    }
}

/// A file that is to be written.
#[derive(Clone, Copy)]
pub struct NewFile<'a> {
    /// Its name in its folder.
    pub name: &'a str,
    /// Its contents.
    pub contents: &'a [u8],
    /// Its readers.
    pub access: Access,
}

impl std::fmt::Debug for NewFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            name,
            contents: _,
            access,
        } = self;
        f.debug_struct("NewFile")
            .field("name", name)
            .field("access", access)
            .finish_non_exhaustive()
    }
}

/// Makes a folder that does not exist yet, with all of its files or not at all.
///
/// A file's name may be one in a folder of this one, as `a/b`, which is made as well, for whom this one is.
/// Makes the folders above it as well, for everyone. Fails with [`Error::Exists`] and [`Error::Write`].
pub fn create_folder(folder: &Path, access: Access, files: &[NewFile<'_>]) -> Result<(), Error> {
    let failed = write_failed(folder);
    let above = parent(folder);
    make_folder(above, Access::Everyone)?;
    let temporary = Builder::new()
        .permissions(Permissions::from_mode(PRIVATE_FOLDER))
        .tempdir_in(above)
        .map_err(&failed)?;
    File::open(temporary.path())
        .and_then(|folder| access.hand_over(&folder, access.of_folder()))
        .map_err(&failed)?;
    for file in files {
        let path = temporary.path().join(file.name);
        make_folder(parent(&path), access)?;
        write_new(&path, file).map_err(write_failed(&folder.join(file.name)))?;
        sync(parent(&path))?;
    }
    sync(temporary.path())?;
    // Fails if somebody else has put files there in the meantime.
    fs::rename(temporary.path(), folder).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty => Error::Exists {
            path: folder.into(),
        },
        _ => failed(error),
    })?;
    // It has gone to its place, so there is nothing left to clean up.
    let _ = temporary.keep();
    sync(above)
}

/// Makes a folder, and those above it, for whoever may read it; those that are there stay as they are.
///
/// Fails with [`Error::Write`].
pub fn make_folder(folder: &Path, access: Access) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    make_folder(parent(folder), access)?;
    let made = DirBuilder::new()
        .mode(PRIVATE_FOLDER)
        .create(folder)
        .and_then(|()| File::open(folder))
        .and_then(|made| access.hand_over(&made, access.of_folder()));
    match made {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made.map_err(write_failed(folder)),
    }
}

fn write_new(path: &Path, file: &NewFile<'_>) -> io::Result<()> {
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE_FILE)
        .open(path)?;
    file.access.hand_over(&new, file.access.of_file())?;
    new.write_all(file.contents)?;
    new.sync_all()
}

/// A file with all of its contents safely on the disk, but not under its name yet. Removed when
/// dropped.
#[derive(Debug)]
#[must_use]
pub struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

/// Writes a file under a temporary name in its folder.
///
/// Fails with [`Error::Write`].
pub fn stage(folder: &Path, file: &NewFile<'_>) -> Result<Staged, Error> {
    let path = folder.join(file.name);
    let staged = write_temporary(folder, file).map_err(write_failed(&path))?;
    Ok(Staged { file: staged, path })
}

fn write_temporary(folder: &Path, file: &NewFile<'_>) -> io::Result<NamedTempFile> {
    let mut temporary = Builder::new()
        .permissions(Permissions::from_mode(PRIVATE_FILE))
        .tempfile_in(folder)?;
    file.access
        .hand_over(temporary.as_file(), file.access.of_file())?;
    temporary.write_all(file.contents)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

impl Staged {
    /// Gives the file its name unless something has that name.
    ///
    /// Fails with [`Error::Exists`] and [`Error::Write`].
    pub fn create(self) -> Result<(), Error> {
        let Self { file, path } = self;
        match file.persist_noclobber(&path).map_err(|error| error.error) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::Exists { path })
            }
            Err(source) => Err(write_failed(&path)(source)),
        }
    }

    /// Gives the file to whoever owns the one that it will replace.
    ///
    /// Fails with [`Error::Write`].
    pub fn keep_owner(&self) -> Result<(), Error> {
        let Self { file, path } = self;
        let keep = || {
            let (there, own) = (fs::metadata(path)?, file.as_file().metadata()?);
            match (there.uid(), there.gid()) == (own.uid(), own.gid()) {
                true => Ok(()),
                false => fchown(file.as_file(), Some(there.uid()), Some(there.gid())),
            }
        };
        keep().map_err(write_failed(path))
    }

    /// Gives the file its name in one step; whatever had that name before is gone.
    ///
    /// Fails with [`Error::Write`].
    pub fn replace(self) -> Result<(), Error> {
        let Self { file, path } = self;
        match file.persist(&path).map_err(|error| error.error) {
            Ok(_) => Ok(()),
            Err(source) => Err(write_failed(&path)(source)),
        }
    }
}

/// Removes a file, if it is there.
///
/// Fails with [`Error::Write`].
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_failed(path)(error)),
        _ => Ok(()),
    }
}

/// Waits until the names in a folder are safely on the disk.
///
/// Fails with [`Error::Write`].
pub fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(write_failed(folder))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The error of a file or folder that cannot be written; says whose it is if that is why.
pub fn write_failed(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| {
        let source = match source.raw_os_error() {
            Some(_) => source,
            None if denied::is_explained(&source) => source,
            // tempfile adds its temporary path, which says nothing to the user.
            None => source.kind().into(),
        };
        Error::Write {
            path: path.into(),
            source: explain(path, source),
        }
    }
}

/// The longest file that is read: TLS has no room for longer chains or credentials, and a CSR or key
/// is much shorter.
pub const MAX_LEN: usize = 0xffff;
/// The modes that files and folders are made with.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const FILE: NewFile<'_> = NewFile {
        name: "key.pem",
        contents: b"secret",
        access: Access::Owner,
    };

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_new_folder_has_its_files_and_nothing_else_is_left() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("a/b");
        create_folder(&folder, Access::Owner, &[FILE]).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("key.pem")), 0o600);
        assert_eq!(*read(&folder.join("key.pem")).unwrap(), b"secret");
        assert_eq!(names(&above.path().join("a")), ["b"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_leaves_nothing() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("taken");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("theirs"), "").unwrap();
        let error = create_folder(&folder, Access::Everyone, &[FILE]).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert_eq!(names(above.path()), ["taken"]);
        assert_eq!(names(&folder), ["theirs"]);
    }

    #[test]
    fn a_group_reads_what_is_for_it_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let own = fs::metadata(folder.path()).unwrap().gid();
        let file = NewFile {
            access: Access::Group(own),
            ..FILE
        };
        stage(folder.path(), &file).unwrap().create().unwrap();
        create_folder(&folder.path().join("new"), Access::Everyone, &[file]).unwrap();
        for path in ["key.pem", "new/key.pem"] {
            let path = folder.path().join(path);
            assert_eq!(
                (mode(&path), fs::metadata(&path).unwrap().gid()),
                (0o640, own)
            );
        }
    }

    /// In a process of its own: a umask is the process's.
    #[test]
    fn modes_are_what_they_should_be_under_every_umask() {
        if let Some(folder) = std::env::var_os("DC_FILES_UNDER_UMASK") {
            return write_all_kinds(Path::new(&folder));
        }
        let this = std::env::current_exe().unwrap();
        let name = "files::tests::modes_are_what_they_should_be_under_every_umask";
        for umask in ["000", "022", "027", "077"] {
            let folder = tempfile::tempdir().unwrap();
            let status = std::process::Command::new("sh")
                .args([
                    "-c",
                    &format!("umask {umask}; exec \"$0\" {name} --exact --quiet"),
                ])
                .arg(&this)
                .env("DC_FILES_UNDER_UMASK", folder.path())
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap();
            assert!(status.success(), "{umask}");
            for (path, expected) in [
                ("above", 0o755),
                ("above/everyone", 0o755),
                ("above/everyone/file", 0o644),
                ("above/group", 0o750),
                ("above/group/file", 0o640),
                ("above/owner", 0o700),
                ("above/owner/file", 0o600),
                ("staged", 0o644),
            ] {
                assert_eq!(mode(&folder.path().join(path)), expected, "{umask} {path}");
            }
        }
    }

    fn write_all_kinds(folder: &Path) {
        let own = fs::metadata(folder).unwrap().gid();
        for (name, access) in [
            ("everyone", Access::Everyone),
            ("group", Access::Group(own)),
            ("owner", Access::Owner),
        ] {
            let file = NewFile {
                name: "file",
                access,
                ..FILE
            };
            create_folder(&folder.join("above").join(name), access, &[file]).unwrap();
        }
        let staged = NewFile {
            name: "staged",
            access: Access::Everyone,
            ..FILE
        };
        stage(folder, &staged).unwrap().create().unwrap();
    }

    #[test]
    fn create_never_overwrites_and_replace_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(&path, "old").unwrap();
        let error = stage(folder.path(), &FILE).unwrap().create().unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert_eq!(*read(&path).unwrap(), b"old");
        stage(folder.path(), &FILE).unwrap().replace().unwrap();
        assert_eq!(*read(&path).unwrap(), b"secret");
        assert_eq!(names(folder.path()), ["key.pem"]);
    }

    #[test]
    fn what_was_staged_and_not_used_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        drop(stage(folder.path(), &FILE).unwrap());
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn endless_files_are_refused() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    }

    #[test]
    fn only_keys_that_others_can_read_are_warned_about() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        stage(folder.path(), &FILE).unwrap().create().unwrap();
        assert!(check_private(&path).unwrap().is_none());
        for (given, is_fault) in [(0o640, false), (0o440, false), (0o644, true), (0o660, true)] {
            fs::set_permissions(&path, Permissions::from_mode(given)).unwrap();
            let warning = check_private(&path).unwrap();
            let faulty =
                matches!(warning, Some(Warning::KeyReadable { mode, .. }) if mode == given);
            assert_eq!(faulty, is_fault, "{given:o}");
        }
    }
}
