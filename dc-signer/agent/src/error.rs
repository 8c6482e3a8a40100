//! The errors of an agent: each names the thing and what to do about it, in one line.

use std::io;
use std::path::PathBuf;

use dc_pki::files;
use thiserror::Error;

use super::config_error::ConfigError;

/// The reason that an agent cannot work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration says something that cannot be done.
    #[error("{}{}: {wrong}", .path.display(), Line(*.line))]
    BadConfig {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on; 0 for the file as a whole.
        line: usize,
        /// The fault.
        #[source]
        wrong: ConfigError,
    },
    /// A file that an agent keeps for itself is not the JSON that it should be.
    #[error("{} is not as the agent wrote it: {source}", .path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Where reading it stopped.
        source: serde_json::Error,
    },
    /// The identity folder is on a file system that has no symbolic links.
    #[error(
        "{} is on a file system without symbolic links, which servers follow: put 'identity' on another one",
        .path.display()
    )]
    NoLinks {
        /// The folder.
        path: PathBuf,
    },
    /// Root is at work in the folder of somebody who could not use what root writes there.
    #[error(
        "{} belongs to {user} ({uid}), who could not use what root writes there: run this as that user, with 'setpriv --reuid={user} --regid={group} --init-groups dc-agent …', or give the folder to root, with 'chown -R root'",
        .folder.display(),
        user = files::user_name(*.uid),
        group = files::group_name(*.gid)
    )]
    NotRoots {
        /// The state folder.
        folder: PathBuf,
        /// Whose it is.
        uid: u32,
        /// The group that it belongs to.
        gid: u32,
    },
    /// The result cannot be shown; what was written stays.
    #[error("standard output failed: {source}; what belongs in files is written")]
    Output {
        /// The cause.
        source: io::Error,
    },
    /// A file, a key, a certificate or a credential is not as it must be.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// A certificate signing request could not be made.
    #[error("cannot make a certificate signing request: {source}")]
    RequestNotMade {
        /// The cause.
        source: rcgen::Error,
    },
    /// Another agent is at work on the same folder.
    #[error("another agent holds {}: end it, or give this one folders of its own", .path.display())]
    Running {
        /// The file that it holds.
        path: PathBuf,
    },
    /// The process cannot be told to stop.
    #[error("cannot listen for signals: {source}")]
    Signals {
        /// The cause.
        source: io::Error,
    },
    /// TLS connections cannot be set up with the device's own certificate and key.
    #[error(
        "TLS with this certificate and key is not possible: {source}: check that they belong together"
    )]
    TlsSetup {
        /// The cause.
        source: rustls::Error,
    },
}

impl Error {
    /// A file is there and may not be read by whoever asks.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(
            self,
            Self::Pki(dc_pki::Error::Read { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied
        )
    }
}

/// `, line 7`, or nothing for a file as a whole.
struct Line(usize);

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            line => write!(f, ", line {line}"),
        }
    }
}
