//! The identity folder: numbered generations of chain, credentials and key, and a link to the one to serve.
//!
//! ```text
//! dc-41/   the generation before; two are kept
//! dc-42/   chain.pem  credential.pem  key.pem  meta.json
//! current -> dc-42
//! ```
//!
//! A generation is complete and on the disk before it has its name, and nothing in it changes after that. The
//! link is swapped in one step. So whoever reads through `current` sees one generation, whenever the power
//! goes.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::generation::{Generation, Meta};
use super::keys::Key;
use super::verify::Checked;
use crate::error::Error;
use dc_pki::delegation::{CHAIN, KEY, read_chain};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::identity::CREDENTIAL;
use dc_pki::keys::PemKey;
use dc_pki::pem;

/// The folder. Only one process may write to it.
#[derive(Debug)]
pub struct Folder {
    pub(super) path: PathBuf,
    key_access: Access,
}

impl Folder {
    /// Where the folder is; it need not be there yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            key_access: Access::Owner,
        }
    }

    /// Lets a group read the keys of the generations that are installed from now on.
    #[must_use]
    pub fn with_key_group(self, group: Option<u32>) -> Self {
        Self {
            key_access: group.map_or(Access::Owner, Access::Group),
            ..self
        }
    }

    /// Lets the group of the keys enter the folder, if there is such a group and it is kept out.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write).
    pub fn admit_group(&self) -> Result<(), Error> {
        let Access::Group(group) = self.key_access else {
            return Ok(());
        };
        let failed = |source| write_failed(&self.path, source);
        let metadata = fs::metadata(&self.path).map_err(failed)?;
        let mode = metadata.mode();
        if mode & 0o005 == 0o005 || metadata.gid() == group && mode & 0o050 == 0o050 {
            return Ok(());
        }
        chown(&self.path, None, Some(group))
            .map_err(|source| files::explain_group(group, source))
            .and_then(|()| fs::set_permissions(&self.path, Permissions::from_mode(mode | 0o050)))
            .map_err(failed)
    }

    /// The link that servers follow.
    #[must_use]
    pub fn current(&self) -> PathBuf {
        self.path.join(CURRENT)
    }

    /// The numbers of all generations, the newest first.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.entries().filter_map(|name| number(&name)).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers
    }

    /// Reads a generation.
    ///
    /// Fails as reading its files does, and with [`Error::BadFile`] or
    /// [`Error::BadCredential`](dc_pki::Error::BadCredential) if one is not what its name says.
    pub fn load(&self, number: u64) -> Result<Generation, Error> {
        self.read(&self.generation(number), number)
    }

    pub(super) fn read(&self, folder: &Path, number: u64) -> Result<Generation, Error> {
        let path = folder.join(CREDENTIAL);
        let credentials = dc_core::pem::read(&files::read(&path)?)
            .map_err(|source| dc_pki::Error::BadCredential { path, source })?;
        let path = folder.join(META);
        let meta = serde_json::from_slice(&files::read(&path)?)
            .map_err(|source| Error::BadFile { path, source })?;
        Ok(Generation {
            number,
            chain: read_chain(&folder.join(CHAIN))?,
            credentials,
            spki: PemKey::read(&folder.join(KEY))?.spki().to_vec(),
            meta,
        })
    }

    /// Writes a new generation and makes it the current one. Returns its number.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write), and then the current generation is the one that it was.
    pub fn install(&self, checked: &Checked, key: &Key, meta: &Meta) -> Result<u64, Error> {
        self.clean()?;
        let number = self.numbers().first().map_or(1, |newest| newest + 1);
        self.write(number, checked, key, meta)?;
        self.point_to(number)?;
        // The generation is in use; what cannot be removed now is tried again next time.
        let _ = self.clean();
        Ok(number)
    }

    fn write(&self, number: u64, checked: &Checked, key: &Key, meta: &Meta) -> Result<(), Error> {
        let chain: String = checked
            .chain()
            .iter()
            .map(|certificate| pem::encode("CERTIFICATE", certificate))
            .collect();
        let credentials: String = checked
            .credentials()
            .iter()
            .map(|stored| dc_core::pem::write(stored.form, &stored.bytes))
            .collect();
        let key = key.pem();
        let path = self.path.join(META);
        let meta =
            serde_json::to_vec_pretty(meta).map_err(|source| Error::BadFile { path, source })?;
        let contents = [
            chain.as_bytes(),
            credentials.as_bytes(),
            key.as_bytes(),
            &meta,
        ];
        let mut contents = contents.into_iter();
        let files = self.files().map(|(name, access)| NewFile {
            name,
            contents: contents.next().unwrap_or_default(),
            access,
        });
        files::create_folder(&self.generation(number), Access::Everyone, &files)?;
        Ok(())
    }

    pub(super) fn files(&self) -> [(&'static str, Access); 4] {
        [
            (CHAIN, Access::Everyone),
            (CREDENTIAL, Access::Everyone),
            (KEY, self.key_access),
            (META, Access::Everyone),
        ]
    }

    /// Removes what was never finished, a generation that never became current, and all but two of those
    /// that were.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write).
    pub fn clean(&self) -> Result<(), Error> {
        let current = self.current_number();
        let older = |n: &u64| current.is_none_or(|current| *n < current);
        let kept: Vec<u64> = self.numbers().into_iter().filter(older).take(2).collect();
        for name in self.entries() {
            let unfinished = name.starts_with(TEMPORARY) || name == NEW_LINK || name == ASIDE;
            let number = number(&name);
            let unused = number.is_some_and(|n| Some(n) != current && !kept.contains(&n));
            if unfinished || unused {
                remove_all(&self.path.join(name))?;
            }
        }
        Ok(())
    }

    pub(super) fn generation(&self, number: u64) -> PathBuf {
        self.path.join(generation_name(number))
    }

    fn entries(&self) -> impl Iterator<Item = String> + use<> {
        fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
    }
}

pub(super) fn generation_name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

/// Only the name that [`generation_name`] gives: not `dc-007`, not `dc-+7`.
pub(super) fn number(name: &str) -> Option<u64> {
    let number = name.strip_prefix(PREFIX)?.parse().ok()?;
    (generation_name(number) == name).then_some(number)
}

pub(super) fn remove_all(path: &Path) -> Result<(), Error> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(write_failed(path, source)),
        _ => Ok(()),
    }
}

pub(super) fn write_failed(path: &Path, source: io::Error) -> Error {
    files::write_failed(path)(source).into()
}

const CURRENT: &str = "current";
pub(super) const NEW_LINK: &str = "current.new";
/// A folder that was in the link's place.
pub(super) const ASIDE: &str = "current.old";
const META: &str = "meta.json";
const PREFIX: &str = "dc-";
/// How the names of folders begin that are not finished yet.
const TEMPORARY: &str = ".tmp";
