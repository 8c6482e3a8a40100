//! The Unix socket, for its group from the first moment on.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use tokio::net::UnixListener;

use super::error::Error;

/// Listens at a path; what a process that is no more has left there is replaced.
///
/// Fails with [`Error::InUse`], [`Error::Unknown`] and [`Error::File`].
pub(super) fn listen(path: &Path, group: Option<&str>) -> Result<UnixListener, Error> {
    let failed = |source| Error::File {
        path: path.into(),
        source,
    };
    let group = group.map(gid).transpose()?;
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(Error::InUse { path: path.into() });
    }
    if is_other(path) {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    // Under another name until nobody else may connect than it is meant for.
    let new = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(failed)?;
    let mode = match group {
        Some(group) => {
            chown(&new, None, Some(group)).map_err(failed)?;
            0o660
        }
        None => 0o600,
    };
    fs::set_permissions(&new, Permissions::from_mode(mode)).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    Ok(listener)
}

/// True if there is something that is no socket.
fn is_other(path: &Path) -> bool {
    let there = path.symlink_metadata();
    there.is_ok_and(|there| !there.file_type().is_socket())
}

fn gid(group: &str) -> Result<u32, Error> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let known = Group::from_name(group).ok().flatten();
    let gid = known.map(|known| known.gid.as_raw());
    gid.ok_or_else(|| Error::Unknown {
        what: "group",
        name: group.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_groups_and_what_is_left_of_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
        let first = listen(&path, None).unwrap();
        assert_eq!(mode(), 0o600);
        let error = listen(&path, None).unwrap_err();
        assert!(matches!(error, Error::InUse { .. }), "{error}");
        drop(first);
        let own = nix::unistd::getgid().to_string();
        let _second = listen(&path, Some(&own)).unwrap();
        assert_eq!(mode(), 0o660);
        let other = folder.path().join("file");
        fs::write(&other, "mine").unwrap();
        assert!(listen(&other, None).is_err());
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        let error = listen(&folder.path().join("x"), Some("nobody-has-this")).unwrap_err();
        assert!(matches!(error, Error::Unknown { what: "group", .. }));
    }
}
