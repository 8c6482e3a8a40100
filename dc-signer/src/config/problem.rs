//! What is wrong in a configuration file, and where.

use std::fmt;
use std::ops::RangeInclusive;

/// One thing that has to be changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The line, from 1 on.
    pub line: usize,
    /// The key with its tables, such as `listen.address`; empty for the file as a whole.
    pub key: String,
    /// What is wrong with it.
    pub wrong: Wrong,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, wrong } = self;
        match key.as_str() {
            "" => write!(f, "line {line}: {wrong}"),
            key => write!(f, "line {line}: {key} {wrong}"),
        }
    }
}

/// What can be wrong with a key.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Wrong {
    /// It stands there twice, in different entries that must differ.
    Duplicate {
        /// What stands there twice.
        given: String,
    },
    /// Exactly one of two keys belongs there.
    OneOf {
        /// The two.
        keys: [&'static str; 2],
    },
    /// A required key is not there.
    Missing {
        /// What could stand there.
        example: &'static str,
    },
    /// A number or a time is too small or too large.
    OutOfRange {
        /// What stands there.
        given: String,
        /// What is allowed.
        allowed: RangeInclusive<String>,
    },
    /// The file is not TOML.
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// There is no such key.
    Unknown {
        /// The key that may have been meant.
        nearest: Option<&'static str>,
    },
    /// A file that it names is no good.
    Unusable {
        /// Why.
        reason: String,
    },
    /// It is of another type.
    Type {
        /// What it has to be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The text there means nothing.
    Value {
        /// What stands there.
        given: String,
        /// What it has to be.
        wanted: &'static str,
    },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { given } => {
                write!(
                    f,
                    "is {given:?}, which stands there before: give each its own"
                )
            }
            Self::OneOf { keys: [one, other] } => {
                write!(f, "needs either {one} or {other}: give exactly one of them")
            }
            Self::Missing { example } => write!(f, "is missing: add a line such as '{example}'"),
            Self::OutOfRange { given, allowed } => write!(
                f,
                "is {given}: use {} to {}",
                allowed.start(),
                allowed.end()
            ),
            Self::Syntax { message } => write!(f, "not TOML: {message}"),
            Self::Unknown {
                nearest: Some(nearest),
            } => write!(f, "does not exist: do you mean {nearest}?"),
            Self::Unknown { nearest: None } => {
                f.write_str("does not exist: remove it; sample.toml has all keys")
            }
            Self::Unusable { reason } => write!(f, "cannot be used: {reason}"),
            Self::Type { wanted, found } => write!(f, "is {found}: it has to be {wanted}"),
            Self::Value { given, wanted } => write!(f, "is {given:?}: it has to be {wanted}"),
        }
    }
}
