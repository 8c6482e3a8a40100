//! For whom a command works: what root does in a data folder is done with its owner's rights and no others.
//!
//! So everything there is the owner's from the moment that it is made, SQLite's files and locks included, and a link
//! that the owner has put there leads root nowhere where the owner could not go. What is outside, such as a key to
//! import or the place of a backup, is read and written as whoever runs the command: [`as_invoker`].

mod error;

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use error::cannot_read;
use nix::unistd::{self, Gid, Group, Uid, User};

pub use error::Error;

/// A user, with the group that the user's new files get.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    uid: u32,
    gid: u32,
    /// None for a number that nobody has.
    name: Option<String>,
}

impl Account {
    /// The user with this name or number.
    ///
    /// Fails with [`Error::UnknownUser`].
    pub fn named(given: &str) -> Result<Self, Error> {
        let found = match given.parse() {
            Ok(uid) => User::from_uid(Uid::from_raw(uid)),
            Err(_) => User::from_name(given),
        };
        let unknown = || {
            let given = given.to_owned();
            Error::UnknownUser { given }
        };
        found.ok().flatten().map(Self::from).ok_or_else(unknown)
    }

    /// The account that this process is to files.
    #[must_use]
    pub fn me() -> Self {
        Self::of(unistd::geteuid().as_raw(), unistd::getegid().as_raw())
    }

    /// The owner of a file or folder, if there is one at the path.
    ///
    /// Fails with [`Error::CannotRead`].
    pub fn owning(path: &Path) -> Result<Option<Self>, Error> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(Self::of(found.uid(), found.gid()))),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(cannot_read(path, error)),
            },
        }
    }

    /// A user by numbers. The group of root is nobody else's to act for, so then it is the user's own.
    fn of(uid: u32, gid: u32) -> Self {
        match User::from_uid(Uid::from_raw(uid)).ok().flatten() {
            Some(user) if gid == 0 => user.into(),
            Some(user) => Self { gid, ..user.into() },
            None => Self {
                uid,
                gid,
                name: None,
            },
        }
    }

    /// The same for the group of its new files.
    #[must_use]
    pub fn group_word(&self) -> String {
        let group = Group::from_gid(Gid::from_raw(self.gid)).ok().flatten();
        group.map_or_else(|| self.gid.to_string(), |group| group.name)
    }

    /// True if it may do everything.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// True if it is the same user, in whatever group.
    #[must_use]
    pub fn is_same_user(&self, other: &Self) -> bool {
        self.uid == other.uid
    }

    /// How `setpriv`, `sudo` and unit files call it.
    #[must_use]
    pub fn word(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.uid.to_string())
    }

    /// All groups that its processes are in.
    fn groups(&self) -> Vec<Gid> {
        let gid = Gid::from_raw(self.gid);
        let name = self.name.as_deref().and_then(|name| {
            // No name that the system has has a NUL in it.
            std::ffi::CString::new(name).ok()
        });
        let groups = name.and_then(|name| unistd::getgrouplist(&name, gid).ok());
        groups.unwrap_or_else(|| vec![gid])
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            name: Some(user.name),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.uid),
            None => write!(f, "user {}", self.uid),
        }
    }
}

/// From now on this process works in a folder, or in what is to be made there, as the one whose it is.
///
/// Changes nothing for the owner. Fails with [`Error::NotYours`] for anybody else but root, with
/// [`Error::StrangersLink`] if root would be led to a folder of its own by somebody else, and with
/// [`Error::CannotActFor`]; then nothing has been written.
pub fn work_as_owner(folder: &Path) -> Result<(), Error> {
    let me = Account::me();
    let owner = match Account::owning(folder)? {
        Some(owner) => owner,
        // It is made by whoever has the folder above.
        None if me.is_root() => owner_above(folder)?,
        None => return Ok(()),
    };
    match (me.is_root(), owner.is_root()) {
        _ if me.uid == owner.uid && !me.is_root() => Ok(()),
        (false, _) => Err(not_yours(folder, owner, me)),
        (true, true) => no_strangers_links(folder),
        (true, false) => act_for(owner),
    }
}

/// For what has to be the owner itself, with all that it may do, such as a service.
///
/// Fails with [`Error::NotYours`], and with [`Error::RootHasIt`] if root has made it for somebody who is not root.
pub fn must_be_owner(folder: &Path) -> Result<(), Error> {
    let me = Account::me();
    match Account::owning(folder)? {
        Some(owner) if owner.is_root() && !me.is_root() => Err(Error::RootHasIt {
            folder: folder.into(),
            me,
        }),
        Some(owner) if owner.uid != me.uid => Err(not_yours(folder, owner, me)),
        _ => Ok(()),
    }
}

/// From now on, and for good, this process is somebody else.
///
/// Fails with [`Error::CannotActFor`].
pub fn become_for_good(account: &Account) -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    unistd::setgroups(&account.groups())
        .and_then(|()| unistd::setresgid(gid, gid, gid))
        .and_then(|()| unistd::setresuid(uid, uid, uid))
        .map_err(|error| cannot_act_for(account, error))
}

/// From now on, and for good, this process is the one that it acts for, if it acts for one: before it starts a program of
/// somebody's, which would otherwise be root again when it likes.
///
/// [`as_invoker`] is over then. Fails with [`Error::CannotActFor`].
pub fn stay_owner() -> Result<(), Error> {
    let Some(acting) = ACTING.get() else {
        return Ok(());
    };
    acting
        .step_back()
        .map_err(|error| cannot_act_for(&acting.invoker, error))?;
    become_for_good(&acting.owner)
}

/// The number of the user who runs this process, whomever it acts for.
#[must_use]
pub fn invoker_uid() -> u32 {
    let me = Account::me().uid;
    ACTING.get().map_or(me, |acting| acting.invoker.uid)
}

/// Until the result is dropped this process is whoever runs it again.
///
/// Nothing of the data folder may be opened meanwhile. If there are several, it is until the last one is dropped. Fails with
/// [`Error::CannotActFor`].
pub fn as_invoker() -> Result<Invoker, Error> {
    let Some(acting) = ACTING.get() else {
        return Ok(Invoker { acting: None });
    };
    let mut invokers = acting.invokers();
    if *invokers == 0 {
        acting
            .step_back()
            .map_err(|error| cannot_act_for(&acting.invoker, error))?;
    }
    *invokers = invokers.saturating_add(1);
    Ok(Invoker {
        acting: Some(acting),
    })
}

/// The process is whoever runs it as long as this lives.
#[derive(Debug)]
#[must_use]
pub struct Invoker {
    acting: Option<&'static Acting>,
}

impl Drop for Invoker {
    fn drop(&mut self) {
        let Some(acting) = self.acting else {
            return;
        };
        let mut invokers = acting.invokers();
        *invokers = invokers.saturating_sub(1);
        if *invokers == 0
            && let Err(error) = acting.step_in()
        {
            eprintln!("error: {}", cannot_act_for(&acting.owner, error));
            // Whatever came next would be done with root's rights.
            std::process::abort();
        }
    }
}

/// Whom root acts for in this process, once it does.
static ACTING: OnceLock<Acting> = OnceLock::new();

#[derive(Debug)]
struct Acting {
    owner: Account,
    invoker: Account,
    invokers_groups: Vec<Gid>,
    /// How many want this process to be the invoker now.
    invokers: Mutex<usize>,
}

fn act_for(owner: Account) -> Result<(), Error> {
    let failed = |error| cannot_act_for(&owner, error);
    let invokers_groups = unistd::getgroups().map_err(failed)?;
    let acting = ACTING.get_or_init(|| Acting {
        owner: owner.clone(),
        invoker: Account::me(),
        invokers_groups,
        invokers: Mutex::new(0),
    });
    acting.step_in().map_err(failed)
}

impl Acting {
    fn invokers(&self) -> MutexGuard<'_, usize> {
        self.invokers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All threads change with this one. The groups go first: who has given up root cannot change them.
    fn step_in(&self) -> nix::Result<()> {
        unistd::setgroups(&self.owner.groups())?;
        unistd::setegid(Gid::from_raw(self.owner.gid))?;
        unistd::seteuid(Uid::from_raw(self.owner.uid))
    }

    fn step_back(&self) -> nix::Result<()> {
        unistd::seteuid(Uid::from_raw(self.invoker.uid))?;
        unistd::setegid(Gid::from_raw(self.invoker.gid))?;
        unistd::setgroups(&self.invokers_groups)
    }
}

fn owner_above(path: &Path) -> Result<Account, Error> {
    let path = std::path::absolute(path).map_err(|source| cannot_read(path, source))?;
    for above in path.ancestors() {
        if let Some(owner) = Account::owning(above)? {
            return Ok(owner);
        }
    }
    Ok(Account::me())
}

/// Checks that no link of somebody else's leads to a folder that looks like root's own.
fn no_strangers_links(folder: &Path) -> Result<(), Error> {
    let absolute = std::path::absolute(folder);
    let absolute = absolute.map_err(|source| cannot_read(folder, source))?;
    let mut so_far = PathBuf::new();
    for part in absolute.components() {
        so_far.push(part);
        let Ok(found) = fs::symlink_metadata(&so_far) else {
            return Ok(());
        };
        if matches!(part, Component::Normal(_)) && found.is_symlink() && found.uid() != 0 {
            let owner = Account::of(found.uid(), found.gid());
            return Err(Error::StrangersLink {
                path: so_far,
                owner,
            });
        }
    }
    Ok(())
}

fn not_yours(folder: &Path, owner: Account, me: Account) -> Error {
    Error::NotYours {
        folder: folder.into(),
        owner,
        me,
    }
}

fn cannot_act_for(account: &Account, error: nix::Error) -> Error {
    Error::CannotActFor {
        account: account.clone(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_are_numbers() {
        let root = Account::named("root").unwrap();
        assert_eq!(root, Account::named("0").unwrap());
        assert_eq!(root.to_string(), "root (0)");
        let error = Account::named("nobody-of-that-name").unwrap_err();
        assert!(error.to_string().contains("nobody-of-that-name"), "{error}");
        let unknown = Account::of(4_000_000_000, 4_000_000_001);
        assert_eq!(unknown.to_string(), "user 4000000000");
        assert_eq!(unknown.groups(), [Gid::from_raw(4_000_000_001)]);
    }

    #[test]
    fn nobody_acts_for_somebody_in_the_group_of_root() {
        let nobody = Account::named("nobody").unwrap();
        assert_eq!(Account::of(nobody.uid, 0), nobody);
        assert_eq!(Account::of(nobody.uid, 7).gid, 7);
    }

    #[test]
    fn a_folder_of_root_s_is_to_be_given_to_whoever_serves() {
        let me = Account::named("nobody").unwrap();
        let folder = "/var/lib/dc-signer".into();
        let said = Error::RootHasIt { folder, me }.to_string();
        assert!(
            said.contains("'chown -R nobody: /var/lib/dc-signer'"),
            "{said}"
        );
    }

    #[test]
    fn what_is_mine_needs_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        must_be_owner(folder.path()).unwrap();
        work_as_owner(folder.path()).unwrap();
        let me = Account::me();
        let _invoker = as_invoker().unwrap();
        assert_eq!(Account::me(), me);
    }
}
