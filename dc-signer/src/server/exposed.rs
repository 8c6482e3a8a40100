//! Exposure: the files of a service that somebody else may read or change, and the folders above them.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::{Config, KeydCaller, KeydConfig};
use dc_store::Location;
use dc_store::owner::Account;

/// A file or folder that others may do something to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exposed {
    /// The file or folder.
    pub path: PathBuf,
    /// The setting of the configuration that names it.
    pub setting: [&'static str; 2],
    what: What,
    how: How,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    /// A private key or a secret.
    Key,
    /// Something that others have no need to know.
    Private,
    /// Something that everybody may read.
    Public,
    /// A folder above the others.
    Above,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum How {
    /// It belongs to somebody else than the service's user, who is the second.
    Owner(Account, Account),
    Read(u32),
    Write(u32),
}

impl Exposed {
    /// True for a key: whoever has it is the signer.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.what == What::Key
    }
}

/// Looks at the files of a configuration that are there, and at the configuration itself. Changes no mode: that is for whoever knows
/// why it is as it is.
#[must_use]
pub(super) fn look(config: &Config, path: &Path) -> Vec<Exposed> {
    let service = Account::owning(&config.data).ok().flatten();
    let look = Look {
        service: service.unwrap_or_else(Account::me),
    };
    let data = ["data", ""];
    let mut found = Vec::new();
    found.extend(look.at(&config.listen.key, What::Key, ["listen", "key"]));
    let mut keys = Vec::new();
    keys_below(&config.data, DEPTH, &mut keys);
    found.extend(keys.iter().filter_map(|key| look.at(key, What::Key, data)));
    found.extend(look.at(&config.data, What::Private, data));
    if let Location::File(database) = &config.database {
        // What is beside it is made as it is.
        let files = ["", "-wal", "-shm", ".lock"].map(|end| beside(database, end));
        let mut exposed = files.iter().map(|file| look.at(file, What::Private, data));
        found.extend(exposed.find_map(|found| found));
    }
    let what = match &config.database {
        Location::Postgres(urls) if has_password(urls) || urls.read().is_some_and(has_password) => {
            What::Private
        }
        Location::Postgres(_) | Location::File(_) => What::Public,
    };
    found.extend(look.at(path, what, ["", ""]));
    for place in [config.data.as_path(), path, config.listen.key.as_path()] {
        for above in look.above(place) {
            if !found.contains(&above) {
                found.push(above);
            }
        }
    }
    found
}

/// Looks at the configuration of a signing process and what it names, and at the folders above: whoever may write there decides what is
/// signed. The user of the process is the owner of its folder, or, before there is one, this process's.
#[must_use]
pub fn look_at_keyd(config: &KeydConfig, path: &Path) -> Vec<Exposed> {
    let owner = Account::owning(&config.state).ok().flatten();
    let look = Look {
        service: owner.unwrap_or_else(Account::me),
    };
    let listen = config.listen.as_ref();
    let own = listen.map(|listen| [&*listen.certificate, &*listen.key]);
    let callers = config.callers.iter().filter_map(|caller| match caller {
        KeydCaller::Certificate(path) => Some(&**path),
        KeydCaller::User(_) => None,
    });
    let folders = config.delegations.iter().map(|one| &*one.folder);
    let chains: Vec<PathBuf> = folders.clone().map(|one| one.join("chain.pem")).collect();
    let places = [path].into_iter().chain(own.into_iter().flatten());
    let places = places
        .chain(callers)
        .chain(config.anchors.as_deref())
        .chain(folders)
        .chain(chains.iter().map(|chain| &**chain));
    let mut found: Vec<Exposed> = Vec::new();
    for place in places {
        let own = look.at(place, What::Public, ["", ""]);
        for exposed in own.into_iter().chain(look.above(place)) {
            if !found.contains(&exposed) {
                found.push(exposed);
            }
        }
    }
    let state = look.at(&config.state, What::Public, ["", ""]);
    found.extend(state.into_iter().chain(look.above(&config.state)));
    found.dedup();
    found
}

struct Look {
    /// The user that the service runs as.
    service: Account,
}

impl Look {
    /// None if it is not there: others say that.
    fn at(&self, path: &Path, what: What, setting: [&'static str; 2]) -> Option<Exposed> {
        let path = fs::canonicalize(path).ok()?;
        let found = fs::metadata(&path).ok()?;
        let owner = Account::owning(&path).ok().flatten()?;
        let above = path.ancestors().skip(1);
        let above = above.filter_map(|folder| Some(fs::metadata(folder).ok()?.mode()));
        let how = match self.is_trusted(&owner) {
            true => how(found.mode(), reach(above), what)?,
            false => How::Owner(owner, self.service.clone()),
        };
        Some(Exposed {
            path,
            setting,
            what,
            how,
        })
    }

    /// The folders above something in which somebody else may put another thing in its place.
    fn above(&self, path: &Path) -> Vec<Exposed> {
        let Ok(path) = fs::canonicalize(path) else {
            return Vec::new();
        };
        let above = path.ancestors().skip(1);
        let exposed = above.filter_map(|folder| self.at(folder, What::Above, ["", ""]));
        exposed.collect()
    }

    /// Root, who may do everything, is who has the root folder: another number in some containers.
    fn is_trusted(&self, owner: &Account) -> bool {
        let root = Account::owning(Path::new("/")).ok().flatten();
        owner.is_root()
            || owner.is_same_user(&self.service)
            || root.is_some_and(|root| root.is_same_user(owner))
    }
}

/// The most that a mode lets others do, of those who get there.
fn how(mode: u32, reach: u32, what: What) -> Option<How> {
    let (bits, mode) = (mode & reach, mode & 0o7777);
    let is_sticky = mode & 0o1000 != 0 && what == What::Above;
    let reads = matches!(what, What::Key | What::Private) && bits & 0o004 != 0;
    match bits & 0o022 != 0 && !is_sticky {
        true => Some(How::Write(mode)),
        false => reads.then_some(How::Read(mode)),
    }
}

/// The bits of a mode that count behind folders with these modes: whoever cannot enter one of them reaches nothing in it.
fn reach(above: impl Iterator<Item = u32>) -> u32 {
    above.fold(0o077, |reach, mode| {
        let group = if mode & 0o010 == 0 { 0o070 } else { 0 };
        let others = if mode & 0o001 == 0 { 0o007 } else { 0 };
        reach & !(group | others)
    })
}

/// The files with keys in a folder.
fn keys_below(folder: &Path, depth: usize, keys: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => keys_below(&path, depth - 1, keys),
            Ok(kind) if !kind.is_dir() && is_key(&path) && keys.len() < MOST => keys.push(path),
            _ => {}
        }
    }
}

/// As the service names those that it makes.
fn is_key(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == "key.pem" || name == "account.json" || path.extension().is_some_and(|end| end == "key")
}

/// True if there may be a password in the URL of a database.
fn has_password(url: &str) -> bool {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let user = behind.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || url.contains("password=")
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let is_key = match self.what {
            What::Key => "is a key, and ",
            What::Private | What::Public | What::Above => "",
        };
        let chmod = match self.what {
            What::Key => "600",
            What::Private => "g-w,o-rwx",
            What::Public | What::Above => "g-w,o-w",
        };
        match &self.how {
            How::Owner(owner, service) => {
                let new = match self.what {
                    What::Above => "root",
                    What::Key | What::Private | What::Public => &service.word(),
                };
                write!(
                    f,
                    "{path} {is_key}belongs to {owner}, who is neither {service}, as whom the service runs, nor root, and can change what is there: do 'chown {new}: {path}'"
                )
            }
            How::Read(mode) => {
                write!(
                    f,
                    "{path} {is_key}is for others to read (mode {mode:03o}): do 'chmod {chmod} {path}'"
                )?;
                match self.what {
                    What::Key => f.write_str(", and replace the key if somebody may have read it"),
                    What::Private | What::Public | What::Above => Ok(()),
                }
            }
            How::Write(mode) => write!(
                f,
                "{path} {is_key}is for others to write (mode {mode:03o}), who may put anything there: do 'chmod {chmod} {path}'"
            ),
        }
    }
}

/// How many folders below the data folder have keys in them.
const DEPTH: usize = 3;
/// More keys than this are not looked at.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_let_others_in_or_not() {
        for (mode, what, expected) in [
            (0o100_600, What::Key, None),
            (0o100_640, What::Key, None),
            (0o100_644, What::Key, Some(How::Read(0o644))),
            (0o100_660, What::Key, Some(How::Write(0o660))),
            (0o100_606, What::Private, Some(How::Write(0o606))),
            (0o40_711, What::Private, None),
            (0o40_755, What::Private, Some(How::Read(0o755))),
            (0o100_644, What::Public, None),
            (0o100_664, What::Public, Some(How::Write(0o664))),
            (0o40_755, What::Above, None),
            (0o41_777, What::Above, None),
            (0o40_777, What::Above, Some(How::Write(0o777))),
        ] {
            assert_eq!(how(mode, 0o077, what), expected, "{mode:o}");
            assert_eq!(how(mode, 0, what), None, "{mode:o}");
        }
    }

    #[test]
    fn a_configuration_with_a_password_is_private() {
        for (url, expected) in [
            ("postgres://signer:secret@db/signer", true),
            ("postgres://signer@db/signer?password=secret", true),
            ("postgres://signer@db:5432/signer", false),
            ("postgres:///signer?host=/run/postgresql", false),
        ] {
            assert_eq!(has_password(url), expected, "{url}");
        }
    }

    #[test]
    fn behind_a_folder_that_nobody_enters_no_mode_matters() {
        assert_eq!(reach([0o755, 0o755].into_iter()), 0o077);
        assert_eq!(reach([0o755, 0o750].into_iter()), 0o070);
        assert_eq!(reach([0o700, 0o755].into_iter()), 0);
        // Whoever knows the name needs not list the folder.
        assert_eq!(reach([0o711].into_iter()), 0o077);
    }
}
