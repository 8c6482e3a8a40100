//! Advice in messages of errors, beside the fault itself.

use std::io;

use dc_core::Role;

/// Those who refuse what this end of connections presents.
pub(crate) fn peers(role: Role) -> &'static str {
    match role {
        Role::Server => "clients",
        Role::Client => "servers",
    }
}

/// The advice about an operating system's error, where that is not obvious.
pub(crate) fn fix(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::IsADirectory => ": give a file, not a folder",
        // Which is also what making a folder under a file's name fails with.
        io::ErrorKind::AlreadyExists => {
            ": nothing that is there is replaced: give another name, or move it away first"
        }
        io::ErrorKind::NotADirectory => ": a part of the path is a file, not a folder",
        io::ErrorKind::NotFound => ": check the path",
        io::ErrorKind::PermissionDenied => ": change its permissions, or run as its owner",
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => ": make room",
        _ => "",
    }
}
