//! The identity folder: numbered generations of chain, credentials and key, and a link to the one to serve.
//!
//! ```text
//! dc-41/   the generation before; two are kept
//! dc-42/   chain.pem  credential.pem  key.pem  meta.json
//!          client/    the same three of the device as a client, if it is one; with a key of its own
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

use zeroize::Zeroizing;

use super::generation::{Generation, Meta, Part};
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
    client_key_access: Access,
}

/// One part of a generation that is to be installed: what was checked, and its key.
pub type NewPart<'a> = (&'a Checked, &'a Key);

impl Folder {
    /// Where the folder is; it need not be there yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            key_access: Access::Owner,
            client_key_access: Access::Owner,
        }
    }

    /// The same for the keys that the device has as a client.
    #[must_use]
    pub fn with_client_key_group(self, group: Option<u32>) -> Self {
        Self {
            client_key_access: group.map_or(Access::Owner, Access::Group),
            ..self
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

    /// Lets the groups of both parts' keys enter the folder, as far as there are such groups and they are kept out.
    ///
    /// A folder has one group, so the second enters with everybody else: who may enter lists nothing and reads no key.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write).
    pub fn admit_groups(&self) -> Result<(), Error> {
        let server = self.admit(self.key_access, self.client_key_access);
        // One that cannot be let in keeps out no other.
        let client = self.admit(self.client_key_access, self.key_access);
        server.and(client)
    }

    fn admit(&self, one: Access, other: Access) -> Result<(), Error> {
        let Access::Group(group) = one else {
            return Ok(());
        };
        let failed = |source| write_failed(&self.path, source);
        let metadata = fs::metadata(&self.path).map_err(failed)?;
        let (mode, has) = (metadata.mode(), metadata.gid());
        let enters = match has == group {
            true => mode & 0o050 == 0o050,
            false => mode & 0o001 == 0o001,
        };
        if enters {
            return Ok(());
        }
        let let_in = |mode| fs::set_permissions(&self.path, Permissions::from_mode(mode));
        match has != group && other == Access::Group(has) {
            true => let_in(mode | 0o001),
            false => chown(&self.path, None, Some(group))
                .map_err(|source| files::explain_group(group, source))
                .and_then(|()| let_in(mode | 0o050)),
        }
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
        let server = read_part(folder)?;
        let path = folder.join(META);
        let meta: Meta = serde_json::from_slice(&files::read(&path)?)
            .map_err(|source| Error::BadFile { path, source })?;
        let client = folder.join(CLIENT);
        Ok(Generation {
            number,
            server,
            // What is wrong with it must not cost the other part.
            client: (meta.is_client || files::exists(&client)).then(|| read_part(&client)),
            meta,
        })
    }

    /// Writes a new generation and makes it the current one. Returns its number.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write), and then the current generation is the one that it was.
    pub fn install(
        &self,
        server: NewPart<'_>,
        client: Option<NewPart<'_>>,
        meta: &Meta,
    ) -> Result<u64, Error> {
        self.clean()?;
        let number = self.numbers().first().map_or(1, |newest| newest + 1);
        self.write(number, server, client, meta)?;
        self.point_to(number)?;
        // The generation is in use; what cannot be removed now is tried again next time.
        let _ = self.clean();
        Ok(number)
    }

    fn write(
        &self,
        number: u64,
        server: NewPart<'_>,
        client: Option<NewPart<'_>>,
        meta: &Meta,
    ) -> Result<(), Error> {
        let path = self.path.join(META);
        let meta =
            serde_json::to_vec_pretty(meta).map_err(|source| Error::BadFile { path, source })?;
        let mut contents: Vec<Zeroizing<Vec<u8>>> = texts(server).into();
        contents.push(meta.into());
        contents.extend(client.into_iter().flat_map(texts));
        let files = self.files().into_iter().zip(&contents);
        let files: Vec<NewFile<'_>> = files
            .map(|((name, access), contents)| NewFile {
                name,
                contents,
                access,
            })
            .collect();
        files::create_folder(&self.generation(number), Access::Everyone, &files)?;
        Ok(())
    }

    /// The files of a generation. The last three are not in every one.
    pub(super) fn files(&self) -> [(&'static str, Access); 7] {
        [
            (CHAIN, Access::Everyone),
            (CREDENTIAL, Access::Everyone),
            (KEY, self.key_access),
            (META, Access::Everyone),
            (CLIENT_CHAIN, Access::Everyone),
            (CLIENT_CREDENTIAL, Access::Everyone),
            (CLIENT_KEY, self.client_key_access),
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

/// Chain, credentials and key, as they are written.
fn texts((checked, key): NewPart<'_>) -> [Zeroizing<Vec<u8>>; 3] {
    let chain = checked.chain().iter();
    let chain: String = chain.map(|one| pem::encode("CERTIFICATE", one)).collect();
    let credentials = checked.credentials().iter();
    let credentials: String = credentials
        .map(|stored| dc_core::pem::write(stored.form, &stored.bytes))
        .collect();
    let key = key.pem().as_bytes().to_vec();
    [chain.into_bytes(), credentials.into_bytes(), key].map(Zeroizing::new)
}

fn read_part(folder: &Path) -> Result<Part, Error> {
    let path = folder.join(CREDENTIAL);
    let credentials = dc_core::pem::read(&files::read(&path)?)
        .map_err(|source| dc_pki::Error::BadCredential { path, source })?;
    Ok(Part {
        chain: read_chain(&folder.join(CHAIN))?,
        credentials,
        spki: PemKey::read(&folder.join(KEY))?.spki().to_vec(),
    })
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
/// The part of a generation that the device presents as a client.
const CLIENT: &str = "client";
const CLIENT_CHAIN: &str = "client/chain.pem";
const CLIENT_CREDENTIAL: &str = "client/credential.pem";
const CLIENT_KEY: &str = "client/key.pem";
const PREFIX: &str = "dc-";
/// How the names of folders begin that are not finished yet.
const TEMPORARY: &str = ".tmp";
