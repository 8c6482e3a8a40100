//! Words of errors that depend on what they are about.

use std::io;

use dc_core::Role;

/// Those who refuse what this end of connections presents.
pub(super) fn peers(role: Role) -> &'static str {
    match role {
        Role::Server => "clients",
        Role::Client => "servers",
    }
}

/// The advice about an operating system's error, where that is not obvious.
pub(super) fn fix(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::IsADirectory => ": give a file, not a folder",
        // Which is also what making a folder under a file's name fails with.
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": a part of the path is a file, not a folder"
        }
        io::ErrorKind::NotFound => ": check the path",
        io::ErrorKind::PermissionDenied => ": change its permissions, or run as its owner",
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => ": make room",
        _ => "",
    }
}
