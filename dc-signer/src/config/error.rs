//! Mistakes in a configuration file, and where they are.

use std::fmt;
use std::path::PathBuf;

/// A reason that there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file says something that cannot be done.
    #[error("{}, {}", path.display(), summary(path, errors))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong in it, at least one thing.
        errors: Vec<KeyError>,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] dc_pki::Error),
}

/// The first mistake, and where to see the others: errors are one line.
fn summary(path: &std::path::Path, errors: &[KeyError]) -> String {
    let first = errors.first().map(ToString::to_string).unwrap_or_default();
    match errors.len() {
        0 | 1 => first,
        count => format!(
            "{first}; and {} more: see all with 'dc-signer check --config {}'",
            count - 1,
            path.display()
        ),
    }
}

/// One thing that has to be changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyError {
    /// The line, from 1 on.
    pub line: usize,
    /// The key with its tables, such as `listen.address`; empty for the file as a whole.
    pub key: String,
    /// The kind of mistake.
    pub kind: KeyErrorKind,
}

impl KeyError {
    /// A mistake behind the part of the file that was read.
    pub(super) fn not_toml(read: &[u8], message: &str) -> Self {
        Self {
            line: read.iter().filter(|byte| **byte == b'\n').count() + 1,
            key: String::new(),
            kind: KeyErrorKind::Unfit(format!("not TOML: {message}")),
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, kind } = self;
        let space = if key.is_empty() { "" } else { " " };
        write!(f, "line {line}: {key}{space}{kind}")
    }
}

impl std::error::Error for KeyError {}

/// A kind of mistake: those that are mended in ways of their own, and all others.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyErrorKind {
    /// A required key is not there.
    #[error("is missing: add a line such as '{example}'")]
    Missing {
        /// The key, without its tables.
        key: &'static str,
        /// A line that could stand there.
        example: &'static str,
    },
    /// A value, or the text itself, that is not as it has to be, and how that is.
    #[error("{0}")]
    Unfit(String),
    /// There is no such key.
    #[error("does not exist: {}", instead(*nearest))]
    Unknown {
        /// The keys that there are.
        known: &'static [&'static str],
        /// The one that may have been meant.
        nearest: Option<&'static str>,
    },
    /// A file that it names is no good.
    #[error("cannot be used: {reason}")]
    Unusable {
        /// The reason.
        reason: String,
    },
}

fn instead(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("do you mean {nearest}?"),
        None => "remove it; sample.toml has all keys".to_owned(),
    }
}
