//! The user that the process becomes when its ports are open.

use std::fs;
use std::io;

use rustix::process::{Gid, Uid, getegid, geteuid, getuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::error::Error;

/// A user and a group, as numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct User {
    /// The user's.
    pub uid: u32,
    /// The group's.
    pub gid: u32,
}

impl User {
    /// Reads `UID:GID`, or the name of a user of `/etc/passwd`, who comes with a group.
    ///
    /// Nothing else is asked: a program that is linked statically knows no other source.
    ///
    /// Fails with [`Error::NoUser`], and with [`Error::RootAsUser`] if it is root, or root's group.
    pub fn find(text: &str) -> Result<Self, Error> {
        let numbers = text.split_once(':').and_then(|(uid, gid)| {
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            Some(Self { uid, gid })
        });
        let found = numbers.or_else(|| in_passwd(&fs::read_to_string(PASSWD).ok()?, text));
        match found {
            Some(Self { uid: 0, .. } | Self { gid: 0, .. }) => Err(Error::RootAsUser {
                name: text.to_owned(),
            }),
            Some(user) => Ok(user),
            None => Err(Error::NoUser {
                name: text.to_owned(),
            }),
        }
    }

    /// Becomes this user, of this group and no other, for good. It has to happen before there is a second thread.
    ///
    /// Fails with [`Error::StaysRoot`] if the system does not do it, or would undo it.
    pub fn become_it(self) -> Result<(), Error> {
        let stays = |source| Error::StaysRoot { source };
        let become_it = || {
            // The system changes threads, and later ones are as the one that starts them.
            if fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() != 1) {
                return Err(io::Error::other("there are other threads already"));
            }
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            set_thread_groups(&[])?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)?;
            if geteuid() != uid
                || getegid() != gid
                || set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok()
            {
                return Err(io::Error::other("root could be had back"));
            }
            Ok(())
        };
        become_it().map_err(stays)
    }
}

/// True for a process with root's rights.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root() || getuid().is_root()
}

fn in_passwd(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if name.is_empty() || fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { uid, gid })
    })
}

const PASSWD: &str = "/etc/passwd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name_or_by_numbers() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nhttp:x:33:34::/:\nbroken:x\n";
        assert_eq!(in_passwd(passwd, "http"), Some(User { uid: 33, gid: 34 }));
        for name in ["", "htt", "broken", "x", "33"] {
            assert_eq!(in_passwd(passwd, name), None, "{name}");
        }
        assert_eq!(User::find("33:34").unwrap(), User { uid: 33, gid: 34 });
    }

    #[test]
    fn root_is_no_user_to_become() {
        for text in ["root", "0:0", "33:0", "0:33"] {
            let found = User::find(text);
            assert!(matches!(found, Err(Error::RootAsUser { .. })), "{text}");
        }
        for text in ["no-such-user", "-1:5", "33:", "4294967296:1"] {
            assert!(
                matches!(User::find(text), Err(Error::NoUser { .. })),
                "{text}"
            );
        }
    }
}
