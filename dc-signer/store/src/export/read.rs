//! Reading an export, a line at a time.

use std::io::{BufRead, Read as _};

use super::ExportError;
use super::line::{read_first, read_record};
use crate::AuditTree;
use crate::registry::Record;

/// The records of an export, of which one is in memory.
#[derive(Debug)]
pub struct ExportReader<R> {
    from: R,
    after: AuditTree,
    line: u64,
    /// The bytes of the whole lines that were read.
    bytes: u64,
    text: Vec<u8>,
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the first line.
    ///
    /// Fails with [`ExportError::NoExport`] and [`ExportError::Read`].
    pub fn new(from: R) -> Result<Self, ExportError> {
        let mut reader = Self {
            from,
            after: AuditTree::EMPTY,
            line: 0,
            bytes: 0,
            text: Vec::new(),
        };
        let is_whole = reader.read_line()?;
        let first = str::from_utf8(&reader.text).ok().and_then(read_first);
        match first.filter(|_| is_whole) {
            Some(after) => {
                reader.after = after;
                Ok(reader)
            }
            None => Err(ExportError::NoExport),
        }
    }

    /// The log before the first record.
    #[must_use]
    pub const fn after(&self) -> &AuditTree {
        &self.after
    }

    /// How many bytes the lines have that were read: a last line without an end is not counted.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next record; none at the end, or before a last line that breaks off.
    ///
    /// Fails with [`ExportError::BadLine`] and [`ExportError::Read`].
    pub fn next_record(&mut self) -> Result<Option<Record>, ExportError> {
        if !self.read_line()? {
            return Ok(None);
        }
        let bad = |reason| ExportError::BadLine {
            line: self.line,
            reason,
        };
        let text = str::from_utf8(&self.text).map_err(|error| bad(error.to_string()))?;
        read_record(text).map(Some).map_err(bad)
    }

    /// True if there is a whole line.
    fn read_line(&mut self) -> Result<bool, ExportError> {
        self.text.clear();
        let mut limited = (&mut self.from).take(MAX_LINE);
        let length = limited.read_until(b'\n', &mut self.text)?;
        self.line += 1;
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        match self.text.last() {
            Some(b'\n') => {
                self.bytes += length;
                Ok(true)
            }
            _ if length < MAX_LINE => Ok(false),
            _ => Err(ExportError::BadLine {
                line: self.line,
                reason: format!("it is longer than {MAX_LINE} bytes"),
            }),
        }
    }
}

/// Much longer than any that is written: texts in a record have a few hundred bytes.
const MAX_LINE: u64 = 64 * 1024;
