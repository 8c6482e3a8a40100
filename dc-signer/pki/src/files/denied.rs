//! The reason that a file is closed to this process: what in its path is whose, and with which mode.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{error, fmt};

/// Says what is closed, if it was a lack of permission; every other error stays as it is. What is not permitted to
/// the owner either (EPERM) is no matter of whose it is.
pub fn explain(path: &Path, source: io::Error) -> io::Error {
    let is_closed = source.kind() == io::ErrorKind::PermissionDenied
        && source.raw_os_error() != Some(EPERM)
        && !is_explained(&source);
    match Denied::find(path).filter(|_| is_closed) {
        Some(denied) => io::Error::new(io::ErrorKind::PermissionDenied, denied),
        None => source,
    }
}

/// Says why a file of one's own cannot be given to a group, if that is why; every other error stays as it is.
pub fn explain_group(group: u32, source: io::Error) -> io::Error {
    match source.raw_os_error() {
        Some(EPERM) => io::Error::new(io::ErrorKind::PermissionDenied, NotInGroup { group }),
        _ => source,
    }
}

/// True if an error says already why something is not permitted.
pub(super) fn is_explained(source: &io::Error) -> bool {
    let inner = source.get_ref();
    inner.is_some_and(|inner| inner.is::<Denied>() || inner.is::<NotInGroup>())
}

/// The name of a user, or the number.
pub fn user_name(uid: u32) -> String {
    name(USERS, uid)
}

/// The same for a group.
pub fn group_name(gid: u32) -> String {
    name(GROUPS, gid)
}

/// Only root gives files to a group that its user is not in.
#[derive(Debug)]
struct NotInGroup {
    group: u32,
}

impl fmt::Display for NotInGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group } = self;
        write!(
            f,
            "the user who runs this is not in the group {}, which is to read it: add the user to the group and start this again, or name another group",
            group_name(*group)
        )
    }
}

impl error::Error for NotInGroup {}

/// The first thing on the way to a file that may be what keeps this process out.
#[derive(Debug)]
struct Denied {
    /// None for the file itself.
    on_the_way: Option<PathBuf>,
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Denied {
    fn find(path: &Path) -> Option<Self> {
        let absolute = std::path::absolute(path).ok()?;
        let mut closed: Option<(&Path, fs::Metadata)> = None;
        // Whatever can be looked at, the folders above it are open.
        for part in absolute.ancestors() {
            if let Ok(found) = fs::metadata(part) {
                closed = Some((part, found));
                break;
            }
        }
        let (part, found) = closed?;
        Some(Self {
            on_the_way: (part != absolute).then(|| part.into()),
            uid: found.uid(),
            gid: found.gid(),
            mode: found.mode() & 0o7777,
        })
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            on_the_way,
            uid,
            gid,
            mode,
        } = self;
        let (user, group) = (user_name(*uid), group_name(*gid));
        f.write_str("permission denied, because ")?;
        match on_the_way {
            Some(path) => write!(f, "{}", path.display())?,
            None => f.write_str("it")?,
        }
        write!(f, " belongs to {user}:{group} with mode {mode:04o}")
    }
}

impl error::Error for Denied {}

/// The name of a user or a group, or its number.
fn name(file: &str, number: u32) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    find(&text, number).unwrap_or_else(|| number.to_string())
}

fn find(text: &str, number: u32) -> Option<String> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let is_it = fields.nth(1)?.parse() == Ok(number);
        is_it.then(|| name.to_owned())
    })
}

/// The same number on every Unix.
const EPERM: i32 = 1;
const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn users_are_found_by_their_numbers() {
        let text = "root:x:0:0:root:/root:/bin/sh\nbroken\nodd:x:many\nweb:x:33:33::/:/bin/sh\n";
        assert_eq!(find(text, 0).as_deref(), Some("root"));
        assert_eq!(find(text, 33).as_deref(), Some("web"));
        assert_eq!(find(text, 34), None);
    }

    #[test]
    fn the_thing_that_is_closed_is_named_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder.path(), mode).unwrap();
        let path = folder.path().join("gone/key.pem");
        let denied = Denied::find(&path).unwrap();
        assert_eq!(denied.on_the_way.as_deref(), Some(folder.path()));
        assert!(denied.to_string().ends_with("with mode 0700"), "{denied}");
        let other = explain(&path, io::ErrorKind::NotFound.into());
        assert_eq!(other.kind(), io::ErrorKind::NotFound);
        let closed = explain(&path, io::Error::from_raw_os_error(13));
        assert!(is_explained(&closed), "{closed}");
    }

    #[test]
    fn what_the_owner_may_not_either_is_not_blamed_on_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let not_permitted = || io::Error::from_raw_os_error(EPERM);
        assert!(!is_explained(&explain(folder.path(), not_permitted())));
        let error = explain_group(0, not_permitted());
        let error = explain(folder.path(), error).to_string();
        assert!(error.contains("is not in the group root"), "{error}");
    }
}
