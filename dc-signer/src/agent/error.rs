//! What only an agent can find wrong.

use std::fmt;
use std::path::PathBuf;

use super::config::Wrong;
use crate::error::Error;
use crate::files;

/// Why an agent cannot work with its configuration or its folders.
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentError {
    /// The configuration says something that cannot be done.
    BadConfig {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on; 0 for the file as a whole.
        line: usize,
        /// What is wrong with it.
        wrong: Wrong,
    },
    /// A file that an agent keeps for itself is not the JSON that it should be.
    BadFile {
        /// The file.
        path: PathBuf,
        /// Where reading it stopped.
        source: serde_json::Error,
    },
    /// The identity folder is on a file system that has no symbolic links.
    NoLinks {
        /// The folder.
        path: PathBuf,
    },
    /// Root is at work in the folder of somebody who could not use what root writes there.
    NotRoots {
        /// The state folder.
        folder: PathBuf,
        /// Whose it is.
        uid: u32,
        /// The group that it belongs to.
        gid: u32,
    },
    /// Another agent is at work on the same folder.
    Running {
        /// The file that it holds.
        path: PathBuf,
    },
}

impl std::error::Error for AgentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BadConfig { wrong, .. } => Some(wrong),
            Self::BadFile { source, .. } => Some(source),
            Self::NoLinks { .. } | Self::NotRoots { .. } | Self::Running { .. } => None,
        }
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadConfig {
                path,
                line: 0,
                wrong,
            } => write!(f, "{}: {wrong}", path.display()),
            Self::BadConfig { path, line, wrong } => {
                write!(f, "{}, line {line}: {wrong}", path.display())
            }
            Self::BadFile { path, source } => write!(
                f,
                "{} is not as the agent wrote it: {source}",
                path.display()
            ),
            Self::NoLinks { path } => write!(
                f,
                "{} is on a file system without symbolic links, which servers follow: put 'identity' on another one",
                path.display()
            ),
            Self::NotRoots { folder, uid, gid } => {
                let (user, group) = (files::user_name(*uid), files::group_name(*gid));
                write!(
                    f,
                    "{} belongs to {user} ({uid}), who could not use what root writes there: run this as that user, with 'setpriv --reuid={user} --regid={group} --init-groups dc-signer agent …', or give the folder to root, with 'chown -R root'",
                    folder.display()
                )
            }
            Self::Running { path } => write!(
                f,
                "another agent holds {}: end it, or give this one folders of its own",
                path.display()
            ),
        }
    }
}

impl From<AgentError> for Error {
    fn from(source: AgentError) -> Self {
        Self::Agent { source }
    }
}
