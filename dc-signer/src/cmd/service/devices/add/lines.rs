//! The lines of a file of devices, as people and their programs write it.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use dc_signer::authority::json::{NewDevice, read_line};

use crate::cmd::service::error::Error;

/// A line of the file, with its number.
pub(super) type Line = (usize, Result<NewDevice, String>);

/// A file of them.
pub(super) struct Lines<'a, R> {
    input: BufReader<R>,
    path: &'a Path,
    number: usize,
}

impl<'a, R: Read> Lines<'a, R> {
    pub(super) fn new(input: R, path: &'a Path) -> Self {
        Self {
            input: BufReader::new(input),
            path,
            number: 0,
        }
    }

    /// Lines for one transaction, and how many bytes they were; 0 at the end of the file.
    pub(super) fn batch(&mut self) -> Result<(Vec<Line>, u64), Error> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH {
            let read = self.line().map_err(|source| dc_pki::Error::Read {
                path: self.path.into(),
                source,
            })?;
            let Some((line, read)) = read else { break };
            self.number += 1;
            bytes += read;
            let new = match line {
                Ok(line) => read_line(&line),
                Err(TooLong) => Some(Err(format!("it has more than {MAX_LINE} bytes"))),
            };
            batch.extend(new.map(|new| (self.number, new)));
        }
        Ok((batch, bytes))
    }

    /// The next line, unless it is too long, and how many bytes it has; none at the end.
    fn line(&mut self) -> io::Result<Option<Measured>> {
        let mut line = Vec::new();
        let mut read = self.read_until_end(&mut line)?;
        if self.number == 0
            && [[0xff, 0xfe], [0xfe, 0xff]]
                .iter()
                .any(|mark| line.starts_with(mark))
        {
            let said = "it is UTF-16: save it as UTF-8";
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        let mut is_whole = line.ends_with(b"\n") || read < MAX_LINE;
        while !is_whole {
            let mut rest = Vec::new();
            let len = self.read_until_end(&mut rest)?;
            is_whole = rest.ends_with(b"\n") || len < MAX_LINE;
            read += len;
        }
        let line = if read > MAX_LINE {
            Err(TooLong)
        } else {
            Ok(line)
        };
        Ok((read > 0).then_some((line, read)))
    }

    /// Up to the end of the line, or as much as a line may have.
    fn read_until_end(&mut self, line: &mut Vec<u8>) -> io::Result<u64> {
        let mut limited = (&mut self.input).take(MAX_LINE);
        let read = limited.read_until(b'\n', line)?;
        Ok(u64::try_from(read).unwrap_or(u64::MAX))
    }
}

struct TooLong;

/// A line, and how many bytes it had.
type Measured = (Result<Vec<u8>, TooLong>, u64);

/// Devices that are added in one transaction.
const BATCH: usize = 1000;
/// Bytes of a line; what is longer is no device.
const MAX_LINE: u64 = 65_536;
