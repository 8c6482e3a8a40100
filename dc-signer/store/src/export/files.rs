//! Reading archives one behind the other, some records at a time.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;
use std::vec;

use super::{ExportError, ExportReader};
use crate::registry::Record;
use crate::{AuditTree, Error};

/// The records of archives, in the order of the files.
#[derive(Debug)]
pub(crate) struct ExportFiles {
    left: vec::IntoIter<PathBuf>,
    path: PathBuf,
    reader: Option<ExportReader<BufReader<File>>>,
    /// Records of the file that is read.
    count: u64,
}

impl ExportFiles {
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            left: paths.into_iter(),
            path: PathBuf::new(),
            reader: None,
            count: 0,
        }
    }

    /// The next records, of one file; none when all files are over. A file has to go on from the tree over all before it.
    ///
    /// Fails with [`Error::ArchiveFile`].
    pub(crate) fn next(&mut self, tree: &AuditTree, most: usize) -> Result<Vec<Record>, Error> {
        loop {
            let Some(reader) = &mut self.reader else {
                let Some(path) = self.left.next() else {
                    return Ok(Vec::new());
                };
                self.path = path;
                let opened = self.open(tree).map_err(|error| self.wrong(error))?;
                (self.reader, self.count) = (Some(opened), 0);
                continue;
            };
            let mut records = Vec::new();
            while records.len() < most {
                match reader.next_record() {
                    Ok(Some(record)) => records.push(record),
                    Ok(None) => break,
                    Err(error) => return Err(self.wrong(error)),
                }
            }
            if records.is_empty() {
                self.end()?;
                continue;
            }
            self.count += u64::try_from(records.len()).unwrap_or_default();
            return Ok(records);
        }
    }

    /// The error of the file that is read.
    pub(crate) fn wrong(&self, error: impl Into<ExportError>) -> Error {
        Error::ArchiveFile {
            path: self.path.clone(),
            source: Arc::new(error.into()),
        }
    }

    fn open(&self, tree: &AuditTree) -> Result<ExportReader<BufReader<File>>, ExportError> {
        let file = File::open(&self.path)?;
        let reader = ExportReader::new(BufReader::with_capacity(1 << 20, file))?;
        match reader.after() == tree {
            true => Ok(reader),
            false => Err(ExportError::NotNext {
                expected: tree.head().seq,
                found: reader.after().head().seq,
            }),
        }
    }

    /// Goes on to the next file, if this one does not break off.
    fn end(&mut self) -> Result<(), Error> {
        let read = self.reader.take().map_or(0, |reader| reader.bytes());
        let length = self.path.metadata().map_or(0, |metadata| metadata.len());
        match length > read {
            true => Err(self.wrong(ExportError::BadLine {
                line: self.count.saturating_add(2),
                reason: "it breaks off: take another copy of the file".to_owned(),
            })),
            false => Ok(()),
        }
    }
}
