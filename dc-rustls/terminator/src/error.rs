//! Everything for which nothing is served.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::{fmt, io};

/// Everything that can go wrong before a client comes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An option is unknown, or has no value.
    Arguments(lexopt::Error),
    /// The value of an option is of no use.
    BadValue {
        /// The option.
        option: String,
        /// The value.
        value: String,
        /// The kind of value that it takes.
        wanted: &'static str,
    },
    /// A setting cannot change while the program runs.
    Fixed {
        /// The option.
        option: &'static str,
    },
    /// A file cannot be used.
    File {
        /// The option that names it.
        option: &'static str,
        /// Which file.
        path: PathBuf,
        /// The fault.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The identity folder has nothing that can be served.
    Identity {
        /// Which folder.
        folder: PathBuf,
        /// The fault.
        source: Box<dc_rustls::Error>,
    },
    /// A port cannot be opened.
    Listen {
        /// Which one.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The process may not open as many files as its connections need.
    Files {
        /// How many it may open.
        allowed: u64,
        /// How many it needs.
        needed: u64,
    },
    /// There is no such user.
    NoUser {
        /// The name.
        name: String,
    },
    /// The program runs as root, and was not told who else to be.
    Root,
    /// The user to become is root, or has root's group.
    RootAsUser {
        /// As it was given.
        name: String,
    },
    /// The process cannot become the user.
    StaysRoot {
        /// The cause.
        source: io::Error,
    },
    /// The system does not give what a program needs.
    System(io::Error),
    /// An option is missing, or two do not go together.
    Usage(&'static str),
}

impl Error {
    /// The exit status of the program.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_)
            | Self::BadValue { .. }
            | Self::NoUser { .. }
            | Self::Root
            | Self::RootAsUser { .. }
            | Self::Usage(_) => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(error) => write!(f, "{error}; see --help"),
            Self::BadValue {
                option,
                value,
                wanted,
            } => write!(f, "{option} {value}: give {wanted}"),
            Self::Fixed { option } => write!(
                f,
                "{option} cannot change while the program runs: restart it"
            ),
            Self::File {
                option,
                path,
                source,
            } => write!(f, "{option} {}: {source}", path.display()),
            Self::Identity { folder, source } => write!(
                f,
                "nothing in {} can be served: {source}; {}",
                folder.display(),
                what_to_do(source)
            ),
            Self::Listen { address, source } => {
                write!(
                    f,
                    "cannot listen on {address}: {source}; give another --listen"
                )?;
                match source.kind() {
                    ErrorKind::PermissionDenied => f.write_str(", or start as root with --user"),
                    _ => Ok(()),
                }
            }
            Self::Files { allowed, needed } => write!(
                f,
                "{needed} files may be open at once with --max-connections, and the system allows {allowed}: raise the limit (ulimit -n) or give fewer"
            ),
            Self::NoUser { name } => write!(
                f,
                "--user {name}: there is no such user in /etc/passwd; a number and a group do too: 1000:1000"
            ),
            Self::Root => f.write_str(
                "it does not serve as root: give --user, whom it becomes when the ports are open",
            ),
            Self::RootAsUser { name } => write!(
                f,
                "--user {name}: nothing is served as root or in its group: give another user, or another group such as 1000:1000"
            ),
            Self::StaysRoot { source } => write!(
                f,
                "cannot become the user: {source}; start as root, or without --user"
            ),
            Self::System(error) => write!(f, "the system does not let us work: {error}"),
            Self::Usage(what) => write!(f, "{what}; see --help"),
        }
    }
}

fn what_to_do(source: &dc_rustls::Error) -> &'static str {
    match source {
        dc_rustls::Error::File { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "let the user that it serves as read the files, with 'key_group' of the agent"
        }
        _ => "the agent fills it when the device is enrolled",
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Arguments(error) => Some(error),
            Self::File { source, .. } => Some(source.as_ref()),
            Self::Identity { source, .. } => Some(source.as_ref()),
            Self::Listen { source, .. } | Self::StaysRoot { source } | Self::System(source) => {
                Some(source)
            }
            Self::BadValue { .. }
            | Self::Fixed { .. }
            | Self::Files { .. }
            | Self::NoUser { .. }
            | Self::Root
            | Self::RootAsUser { .. }
            | Self::Usage(_) => None,
        }
    }
}
