//! The process's own log of what it has signed and refused: a JSON object a line, each with the SHA-256 of the line before.
//!
//! A line is written before what it tells of is given out. A file that is full is put aside under the number of its last line,
//! and the next one goes on from there, so that all of them are one chain.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pki_types::UnixTime;
use serde_json::{Map, Value};

use super::error::Error;
use dc_pki::Sha256;
use dc_pki::time::Moment;

/// The log, open at its end.
#[derive(Debug)]
pub(super) struct Record {
    folder: PathBuf,
    file: File,
    end: Walked,
    full: u64,
}

/// The last line of a file, as a walk over its lines has found it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Walked {
    /// The number of the last line, 0 if there is none.
    pub seq: u64,
    /// SHA-256 of the last line, without its newline.
    pub last: Sha256,
    /// The bytes of the whole lines.
    pub length: u64,
}

impl Record {
    /// Opens the log in a folder, and tells of each line in its newest file; a last line that was not written to its end is cut
    /// off, for nothing was given out for it.
    ///
    /// Fails with [`Error::BrokenLog`] and [`Error::File`].
    pub(super) fn open(folder: &Path, each: impl FnMut(&Value)) -> Result<Self, Error> {
        Self::open_with(folder, FULL, each)
    }

    fn open_with(folder: &Path, full: u64, each: impl FnMut(&Value)) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let failed = |source| Error::File {
            path: path.clone(),
            source,
        };
        let file = open(&path).map_err(failed)?;
        let end = match walk_from(&path, before(folder).map_err(failed)?, each)? {
            end if end.length < file.metadata().map_err(failed)?.len() => {
                tracing::warn!(path = %path.display(), "the log's last line was not written to its end");
                file.set_len(end.length).map_err(failed)?;
                end
            }
            end => end,
        };
        Ok(Self {
            folder: folder.into(),
            file,
            end,
            full,
        })
    }

    /// Writes a line: what is given, with its number, the time and the hash of the line before.
    ///
    /// Fails as writing does; then there is no such line.
    pub(super) fn add(&mut self, mut line: Map<String, Value>, now: UnixTime) -> io::Result<()> {
        if self.end.length >= self.full {
            self.put_aside()?;
        }
        let seq = self.end.seq + 1;
        line.insert("seq".to_owned(), seq.into());
        line.insert("time".to_owned(), Moment(now).to_string().into());
        line.insert("prev".to_owned(), self.end.last.to_string().into());
        let text = Value::Object(line).to_string();
        let whole = format!("{text}\n");
        if let Err(error) = self.file.write_all(whole.as_bytes()) {
            // What a full disk has left of it would be no line.
            self.file.set_len(self.end.length)?;
            return Err(error);
        }
        self.end.seq = seq;
        self.end.last = Sha256::of(text.as_bytes());
        self.end.length += u64::try_from(whole.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// The file, to bring what was written to the disk without keeping others from writing.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    pub(super) fn end(&self) -> &Walked {
        &self.end
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        let path = self.folder.join(NAME);
        fs::rename(&path, self.folder.join(aside(&self.end)))?;
        self.file = open(&path)?;
        self.end.length = 0;
        File::open(&self.folder)?.sync_all()
    }
}

/// Walks the lines of a file, and shows that each follows the one before; the first follows the last of the file before, or
/// anything if that is not known.
///
/// Fails with [`Error::BrokenLog`] and [`Error::File`]. A last line that was not written to its end is not counted.
pub fn walk_after(path: &Path, before: Option<&Walked>) -> Result<Walked, Error> {
    walk_from(path, before.map(|walked| (walked.seq, walked.last)), |_| ())
}

fn walk_from(
    path: &Path,
    before: Option<(u64, Sha256)>,
    mut each: impl FnMut(&Value),
) -> Result<Walked, Error> {
    let failed = |source| Error::File {
        path: path.into(),
        source,
    };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let (seq, last) = before.unwrap_or((0, Sha256::ZERO));
    let mut walked = Walked {
        seq,
        last,
        length: 0,
    };
    let mut is_known = before.is_some();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        lines.read_until(b'\n', &mut line).map_err(failed)?;
        let Some(text) = line.strip_suffix(b"\n") else {
            break;
        };
        let broken = || Error::BrokenLog {
            path: path.into(),
            line: number,
        };
        let value: Value = serde_json::from_slice(text).map_err(|_| broken())?;
        let (seq, prev) = (value["seq"].as_u64(), value["prev"].as_str());
        let prev = prev.and_then(|prev| prev.parse::<Sha256>().ok());
        let (Some(seq), Some(prev)) = (seq, prev) else {
            return Err(broken());
        };
        let follows = seq == walked.seq + 1 && prev == walked.last;
        if is_known && !follows {
            return Err(broken());
        }
        is_known = true;
        walked.seq = seq;
        walked.last = Sha256::of(text);
        walked.length += u64::try_from(line.len()).unwrap_or(u64::MAX);
        each(&value);
    }
    Ok(walked)
}

/// The end of the file that was put aside last; none if there is none, as on the first day, or after somebody has archived it.
fn before(folder: &Path) -> io::Result<Option<(u64, Sha256)>> {
    let mut last = None;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let parts = name.to_str().and_then(|name| {
            let (seq, sha256) = name
                .strip_prefix(ASIDE)?
                .strip_suffix(NDJSON)?
                .split_once('-')?;
            Some((seq.parse::<u64>().ok()?, sha256.parse::<Sha256>().ok()?))
        });
        last = last.max(parts);
    }
    Ok(last)
}

fn aside(end: &Walked) -> String {
    format!("{ASIDE}{:012}-{}{NDJSON}", end.seq, end.last)
}

fn open(path: &Path) -> io::Result<File> {
    let mut how = File::options();
    how.append(true).read(true).create(true).mode(0o600);
    how.open(path)
}

const NAME: &str = "log.ndjson";
const ASIDE: &str = "log-";
const NDJSON: &str = ".ndjson";
/// Files are put aside when they are as long.
const FULL: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use dc_pki::time::from_seconds;
    use serde_json::json;

    fn line(name: &str) -> Map<String, Value> {
        Map::from_iter([("name".to_owned(), json!(name))])
    }

    fn add(record: &mut Record, name: &str) {
        record.add(line(name), from_seconds(1_800_000_000)).unwrap();
    }

    #[test]
    fn the_chain_goes_on_over_restarts_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut names = Vec::new();
        for round in 0..4 {
            let mut record = Record::open_with(folder, 300, |_| ()).unwrap();
            for one in 0..3 {
                let name = format!("{round}-{one}");
                add(&mut record, &name);
                names.push(name);
            }
        }
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() > 2, "{files:?}");
        let (mut seen, mut end) = (Vec::new(), Some((0, Sha256::ZERO)));
        for file in &files {
            let each = |value: &Value| seen.push(value["name"].as_str().unwrap().to_owned());
            let walked = walk_from(file, end, each).unwrap();
            assert_eq!(walk_after(file, None).unwrap(), walked);
            end = Some((walked.seq, walked.last));
        }
        assert_eq!(seen, names);
        // A file that was put aside and taken away is missed by nothing but the numbers.
        fs::remove_file(&files[0]).unwrap();
        Record::open_with(folder, 300, |_| ()).unwrap();
    }

    #[test]
    fn a_line_that_was_changed_removed_or_put_in_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut record = Record::open(folder.path(), |_| ()).unwrap();
        for name in ["a", "b", "c"] {
            add(&mut record, name);
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        for (changed, at) in [
            (text.replace("\"b\"", "\"x\""), 3),
            (format!("{}{}", lines[0], lines[2]), 2),
            (
                format!("{}{}{}{}", lines[0], lines[1], lines[1], lines[2]),
                3,
            ),
            (format!("{}garbage\n", lines[0]), 2),
        ] {
            fs::write(&path, &changed).unwrap();
            let found = Record::open(folder.path(), |_| ()).unwrap_err();
            assert!(
                matches!(found, Error::BrokenLog { line, .. } if line == at),
                "{found}"
            );
        }
        // Half a line is what a power cut leaves.
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        let mut record = Record::open(folder.path(), |_| ()).unwrap();
        assert_eq!(record.end().seq, 2);
        add(&mut record, "d");
        assert_eq!(walk_after(&path, None).unwrap(), *record.end());
    }
}
