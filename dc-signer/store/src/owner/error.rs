//! The errors of commands that work for the user whose folder it is.

use std::io;
use std::path::{Path, PathBuf};

use dc_pki::files;

use super::Account;

/// The error of a command that cannot work for the user whose folder it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This process may not become another user.
    #[error("this process cannot become {account}: {source}: run it as root, or as {}", account.word())]
    CannotActFor {
        /// The user.
        account: Account,
        /// The system's error.
        source: io::Error,
    },
    /// It cannot be seen whose a file or folder is.
    #[error("cannot read {}: {source}{}", path.display(), fix(source))]
    CannotRead {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A folder belongs to somebody else, who could not use what would be written there.
    #[error(
        "{} belongs to {owner}, who could not use what {me} writes there: run this as that user, with 'setpriv --reuid={} --regid={} --init-groups dc-signer …'{}",
        folder.display(),
        owner.word(),
        owner.group_word(),
        if me.is_root() { "" } else { ", or as root" }
    )]
    NotYours {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        owner: Account,
        /// The account that runs this.
        me: Account,
    },
    /// A folder that a service needs as its own is root's.
    #[error(
        "{folder} belongs to root, and {me}, as whom this runs, cannot work in it: give it to that user as root, with 'chown -R {word}: {folder}'",
        folder = folder.display(),
        word = me.word()
    )]
    RootHasIt {
        /// The folder.
        folder: PathBuf,
        /// The account that runs this.
        me: Account,
    },
    /// Somebody else's link leads root to a folder of its own.
    #[error(
        "{} is a link of {owner}, which would lead root to a folder of root's: name the folder itself",
        path.display()
    )]
    StrangersLink {
        /// The link.
        path: PathBuf,
        /// Whose it is.
        owner: Account,
    },
    /// There is no such user.
    #[error("there is no user {given:?} on this machine: see 'getent passwd'")]
    UnknownUser {
        /// The text that was given.
        given: String,
    },
}

fn fix(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ": change its permissions, or run as its owner",
        _ => "",
    }
}

pub(super) fn cannot_read(path: &Path, source: io::Error) -> Error {
    Error::CannotRead {
        path: path.into(),
        source: files::explain(path, source),
    }
}
