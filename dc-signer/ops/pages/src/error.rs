//! Everything for which no pages are written.

use std::io;
use std::path::PathBuf;

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A file is no help of a program.
    #[error("{} has no line that begins with 'Usage:': write it with UPDATE_HELP=1", path.display())]
    NoHelp {
        /// Which one.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The arguments are not one folder.
    #[error("usage: dc-pages DIR, the folder to write man/, bash/, zsh/ and fish/ into")]
    Usage,
}
