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

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, kind } = self;
        match key.as_str() {
            "" => write!(f, "line {line}: {kind}"),
            key => write!(f, "line {line}: {key} {kind}"),
        }
    }
}

impl std::error::Error for KeyError {}

/// A kind of mistake.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyErrorKind {
    /// It stands there twice, in different entries that must differ.
    #[error("is {given:?}, which stands there before: give each its own")]
    Duplicate {
        /// The value.
        given: String,
    },
    /// A required key is not there.
    #[error("is missing: add a line such as '{example}'")]
    Missing {
        /// The key, without its tables.
        key: &'static str,
        /// A line that could stand there.
        example: &'static str,
    },
    /// The file is not TOML.
    #[error("not TOML: {message}")]
    Syntax {
        /// The parser's word on it.
        message: String,
    },
    /// It is of another type.
    #[error("is {found}: it has to be {wanted}")]
    Type {
        /// The type or values that are allowed.
        wanted: String,
        /// The type that it is of.
        found: &'static str,
    },
    /// It is too small or too large, or not as something else wants it.
    #[error("{reason}")]
    Unfit {
        /// The value and its limits.
        reason: String,
    },
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
    /// The text there means nothing.
    #[error("is {given:?}: it has to be {wanted}")]
    Value {
        /// The value.
        given: String,
        /// The type or values that are allowed.
        wanted: String,
    },
}

fn instead(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("do you mean {nearest}?"),
        None => "remove it; sample.toml has all keys".to_owned(),
    }
}
