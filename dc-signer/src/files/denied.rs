//! Why a file is closed to this process: what in its path is whose, and with which mode.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{error, fmt};

/// Says what is closed, if it was a lack of permission; every other error stays as it is.
pub(crate) fn explain(path: &Path, source: io::Error) -> io::Error {
    match source.kind() {
        io::ErrorKind::PermissionDenied => match Denied::find(path) {
            Some(denied) => io::Error::new(io::ErrorKind::PermissionDenied, denied),
            None => source,
        },
        _ => source,
    }
}

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
        let (user, group) = (name(USERS, *uid), name(GROUPS, *gid));
        f.write_str("permission denied, because ")?;
        match on_the_way {
            Some(path) => write!(f, "{}", path.display())?,
            None => f.write_str("it")?,
        }
        write!(f, " belongs to {user}:{group} with mode {mode:04o}")
    }
}

impl error::Error for Denied {}

/// What people call a user or a group, or its number.
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
    }
}
