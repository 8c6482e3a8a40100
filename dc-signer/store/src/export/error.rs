//! The error of reading an export.

use std::io;

/// A reason that an export cannot be read, or is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A line is not what an export has there.
    #[error("line {line} is no record of an audit log: {reason}")]
    BadLine {
        /// Counted from 1.
        line: u64,
        /// The fault.
        reason: String,
    },
    /// The first line is not that of an export.
    #[error("the first line does not say that this is an export of an audit log, version 1")]
    NoExport,
    /// It does not go on from what was read before it.
    #[error(
        "it goes on behind record {found}, and what was read before ends with record {expected}: give the files in their order, without a gap"
    )]
    NotNext {
        /// The record that it should go on behind.
        expected: u64,
        /// The one that it does.
        found: u64,
    },
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The log is not as it should be.
    #[error(transparent)]
    Store(#[from] crate::Error),
    /// No checkpoint says anything of it.
    #[error(
        "no checkpoint is of a place in it (records {first} to {last}): give one of the records after {first}"
    )]
    Uncovered {
        /// Its first record.
        first: u64,
        /// Its last record.
        last: u64,
    },
}
